//! TLS of active checks: whom they trust, connections apart by how a check judges certificates,
//! and what went wrong in plain words.
//!
//! A connection made without verification, or for another name, must not serve a check that asks
//! for more: so each [`CheckTls`] has clients, and with them a pool, of its own.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use guildhall_core::registry::CheckTls;
use hyper_rustls::{
    ConfigBuilderExt, FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};
use tokio::sync::OnceCell;

use super::{Clients, dial::Dial};

/// How many ways to judge certificates have connections at a time; one more and all are made anew.
const MAX_WAYS: usize = 256;

pub(super) type Secure = Clients<HttpsConnector<Dial>>;

/// The clients of checks over TLS.
pub(super) struct Tls {
    dial: Dial,
    ca_file: Option<PathBuf>,
    /// Read when the first check needs it: most fleets have none, and the system's roots are large.
    trusted: OnceCell<ClientConfig>,
    known: Mutex<HashMap<CheckTls, Secure>>,
}

impl Tls {
    pub(super) fn new(dial: Dial, ca_file: Option<PathBuf>) -> Self {
        Self {
            dial,
            ca_file,
            trusted: OnceCell::new(),
            known: Mutex::default(),
        }
    }

    /// The clients for checks that judge certificates as `how` says; or why there are none.
    pub(super) async fn clients(&self, how: &CheckTls) -> Result<Secure, String> {
        if let Some(clients) = self.lock().get(how) {
            return Ok(clients.clone());
        }
        let clients = self.connect(how).await?;
        let mut known = self.lock();
        if known.len() >= MAX_WAYS {
            known.clear();
        }
        Ok(known.entry(how.clone()).or_insert(clients).clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<CheckTls, Secure>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self, how: &CheckTls) -> Result<Secure, String> {
        let mut config = if how.skip_verify {
            trusting_anybody()?
        } else {
            let read = || trusting(self.ca_file.clone());
            self.trusted.get_or_try_init(read).await?.clone()
        };
        // A session that is resumed is not verified again.
        config.resumption = Resumption::disabled();
        let name = match &how.server_name {
            None => None,
            Some(name) => Some(
                ServerName::try_from(name.clone())
                    .map_err(|_| format!("tlsServerName {name:?} is not a host's name"))?,
            ),
        };
        let begin = || {
            let builder = HttpsConnectorBuilder::new()
                .with_tls_config(config.clone())
                .https_only();
            match name.clone() {
                Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)),
                None => builder,
            }
        };
        Ok(Clients::new(
            begin().enable_http1().wrap_connector(self.dial),
            begin().enable_http2().wrap_connector(self.dial),
        ))
    }
}

fn versions(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, String> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used here: {error}"))
}

/// Trusts the authorities of `ca_file`, or the system's.
async fn trusting(ca_file: Option<PathBuf>) -> Result<ClientConfig, String> {
    let read = move || match ca_file {
        None => system_roots(),
        Some(path) => authorities(&path).map_err(|cause| {
            format!(
                "checks.ca_file {path:?} holds no authority to trust ({cause}); give a PEM file"
            )
        }),
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => read,
        Err(error) => Err(format!("the trusted authorities were not read: {error}")),
    }
}

fn system_roots() -> Result<ClientConfig, String> {
    let builder = versions(Arc::new(ring::default_provider()))?;
    let builder = builder.with_native_roots().map_err(|error| {
        format!("the system's trusted authorities cannot be read ({error}); set checks.ca_file")
    })?;
    Ok(builder.with_no_client_auth())
}

fn authorities(path: &Path) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| error.to_string())?;
    Ok(versions(provider)?
        .with_webpki_verifier(verifier)
        .with_no_client_auth())
}

fn trusting_anybody() -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = AnyCertificate(provider.signature_verification_algorithms);
    Ok(versions(provider)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// Takes any certificate, as `tlsSkipVerify` asks for; that its key is the target's is checked.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// What TLS complains of in `error` or its causes, and what would help; `None` if it is not TLS.
pub(super) fn complaint(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(words(error));
        }
        // An io::Error's source is its content's source: the content itself is had otherwise.
        let inside = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match inside {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    None
}

fn words(error: &rustls::Error) -> String {
    use CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            // A bad signature: an authority of the same name has another key.
            Bad::UnknownIssuer | Bad::BadSignature => {
                "the certificate is signed by no authority that checks trust; add it to \
                 checks.ca_file, or give the check tlsSkipVerify"
                    .to_owned()
            }
            Bad::Expired | Bad::ExpiredContext { .. } => "the certificate has expired".to_owned(),
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "the certificate is not valid yet".to_owned()
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                format!("the certificate is for another name ({bad}); give the check tlsServerName")
            }
            other => format!("the certificate is not valid: {other}"),
        },
        rustls::Error::InvalidMessage(_) => {
            "the port does not speak TLS, though its protocol is https".to_owned()
        }
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the port does not speak HTTP/2 over TLS, which gRPC needs".to_owned()
        }
        rustls::Error::AlertReceived(alert) => format!("the target refused TLS: {alert:?}"),
        other => format!("TLS failed: {other}"),
    }
}
