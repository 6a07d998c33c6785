//! TLS for the API: a certificate from files, exchanged without a restart when they change.

mod certificate;

pub(crate) use certificate::{Certificate, CertificateError};
