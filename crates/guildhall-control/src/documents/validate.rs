//! What a document must meet to be written, beyond what its type already makes sure of.

use guildhall_core::access::{Caller, Via};
use guildhall_core::document::{Document, Problems, ServiceName};

/// Checks a document that `caller` wants written.
pub(super) fn validate(caller: &Caller, document: &Document) -> Result<(), Problems> {
    document.validate()?;
    // Only adapters bring in names from elsewhere, and map them back. Through the native API a
    // name that is no DNS name would be a mistake that every consumer has to live with.
    if caller.via != Via::Adapter {
        let key = document.key();
        let native = |name: &str| ServiceName::new(name).is_ok_and(|name| name.is_native());
        if let Some(service) = key.service().filter(|service| !native(service)) {
            let detail = format!(
                "{service:?} is not a DNS-1123 subdomain: use lower-case letters, digits, '-' and '.', \
                 and begin and end each part between dots with a letter or digit"
            );
            return Err(Problems::one("/metadata/name", detail));
        }
    }
    Ok(())
}
