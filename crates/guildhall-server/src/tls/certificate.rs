//! A certificate and its key from PEM files, behind an `ArcSwap`, so that connections made after a change get the new one.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::reload::Stamp;

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file is not there, or is not PEM of the right kind.
    #[error("cannot read {what} from {path}: {detail}")]
    Unreadable {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        detail: String,
    },
    /// The key does not belong to the certificate, or is of a kind TLS does not use.
    #[error("the certificate {certificate} and the key {key} do not make a pair: {detail}")]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why not.
        detail: String,
    },
}

/// The certificate that the API shows.
#[derive(Debug)]
pub(crate) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    seen: std::sync::Mutex<Stamp>,
}

impl Certificate {
    /// Reads the certificate chain and its key.
    pub(crate) fn load(chain: &Path, key: &Path) -> Result<Arc<Self>, CertificateError> {
        let seen = Stamp::of(&[chain, key]);
        let current = read(chain, key)?;
        Ok(Arc::new(Self {
            chain: chain.to_owned(),
            key: key.to_owned(),
            current: ArcSwap::from_pointee(current),
            seen: seen.into(),
        }))
    }

    /// Reads the files again if they changed; `Some(Ok)` if new connections get another certificate from here on. A
    /// pair that cannot be used (half of it written, say) leaves the present one in place until it changes again.
    pub(crate) fn reload(&self) -> Option<Result<(), CertificateError>> {
        let stamp = Stamp::of(&[&self.chain, &self.key]);
        {
            let mut seen = self
                .seen
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if std::mem::replace(&mut *seen, stamp) == stamp {
                return None;
            }
        }
        Some(read(&self.chain, &self.key).map(|pair| self.current.store(Arc::new(pair))))
    }

    /// The configuration of a listener that shows it.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let provider: Arc<CryptoProvider> = ring::default_provider().into();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(self.clone())));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

#[derive(Debug)]
struct Shown(Arc<Certificate>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current.load_full())
    }
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let unreadable = |what, path: &Path, detail: String| CertificateError::Unreadable {
        what,
        path: path.to_owned(),
        detail,
    };
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable("a PEM certificate chain", chain, error.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable(
            "a PEM certificate chain",
            chain,
            "it has no certificate".to_owned(),
        ));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| unreadable("a PEM private key", key, error.to_string()))?;
    let mismatch = |error: rustls::Error| CertificateError::Mismatch {
        certificate: chain.to_owned(),
        key: key.to_owned(),
        detail: error.to_string(),
    };
    CertifiedKey::from_der(certificates, private, &ring::default_provider()).map_err(mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let (chain, key) = (folder.join("tls.crt"), folder.join("tls.key"));
        std::fs::write(&chain, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (chain, key)
    }

    #[test]
    fn a_changed_pair_is_taken_over_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = write(folder.path(), "one.test");
        let certificate = Certificate::load(&chain, &key).unwrap();
        let shown = || certificate.current.load().cert[0].clone();
        let first = shown();
        assert!(certificate.reload().is_none());

        std::fs::write(&chain, "half a certificate").unwrap();
        assert!(certificate.reload().unwrap().is_err());
        assert_eq!(shown(), first);
        assert!(certificate.reload().is_none(), "a broken pair is said once");

        write(folder.path(), "two.test");
        certificate.reload().unwrap().unwrap();
        assert_ne!(shown(), first);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (chain, _) = write(one.path(), "one.test");
        let (_, key) = write(two.path(), "one.test");
        let error = Certificate::load(&chain, &key).unwrap_err().to_string();
        assert!(error.contains("do not make a pair"), "{error}");
    }
}
