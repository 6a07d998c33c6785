//! What is published: files of 1 KiB of YAML, such as services have, each release of each with a number of its own.

use crate::http::base64;

/// The length of a content in bytes.
pub(super) const LENGTH: usize = 1024;

/// What every content has after its first line.
const BODY: &str = "
server:
  port: 8080
  shutdownGrace: 20s
  limits: {connections: 2000, bodyBytes: 1048576}
database:
  url: postgres://orders@db.internal:5432/orders
  pool: {min: 4, max: 32, idleTimeout: 90s, acquireTimeout: 2s}
  statementTimeout: 5s
  readReplicas:
    - postgres://orders@replica-1.internal:5432/orders
    - postgres://orders@replica-2.internal:5432/orders
cache:
  enabled: true
  ttl: 30s
  maxEntries: 100000
upstreams:
  payments: {url: \"http://payments\", timeout: 800ms, retries: 2, budget: 0.2}
  inventory: {url: \"http://inventory\", timeout: 300ms, retries: 1, budget: 0.1}
  shipping: {url: \"http://shipping\", timeout: 2s, retries: 0, budget: 0}
features:
  newCheckout: {enabled: true, percentage: 25, regions: [eu, us]}
  giftCards: {enabled: false, percentage: 0, regions: []}
  expressDelivery: {enabled: true, percentage: 100, regions: [eu]}
logging:
  level: info
  format: json
  sampling: 0.05
";

/// A release of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Release {
    /// The file's number.
    pub(super) file: u64,
    /// Which release of it: each has a content that no other has.
    pub(super) change: u64,
}

/// A file's name.
pub(super) fn file(number: u64) -> String {
    format!("app-{number:07}.yaml")
}

/// Contents, with what they share made once.
pub(super) struct Contents {
    rest: String,
    rest_base64: String,
    rest_form: String,
}

impl Release {
    /// A content's first line, which no other has: 21 bytes, so that base64 of a content begins with that of it.
    pub(super) fn mark(self) -> String {
        format!("release: r{:07}{:04}", self.file, self.change)
    }
}

impl Contents {
    pub(super) fn new() -> Self {
        let mut rest = BODY.to_owned();
        let mark = Release { file: 0, change: 0 }.mark();
        rest.push_str("note: ");
        while rest.len() < LENGTH - mark.len() - 1 {
            rest.push('x');
        }
        rest.push('\n');
        let rest_base64 = base64(rest.as_bytes());
        let rest_form = form(&rest);
        Self {
            rest,
            rest_base64,
            rest_form,
        }
    }

    /// As it is.
    pub(super) fn plain(&self, release: Release) -> String {
        release.mark() + &self.rest
    }

    /// In base64.
    pub(super) fn base64(&self, release: Release) -> String {
        base64(release.mark().as_bytes()) + &self.rest_base64
    }

    /// As a form's field has it.
    pub(super) fn form(&self, release: Release) -> String {
        form(&release.mark()) + &self.rest_form
    }
}

/// Percent-encodes what is neither a letter nor a digit.
fn form(text: &str) -> String {
    let mut coded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            coded.push(char::from(byte));
        } else {
            coded.push_str(&format!("%{byte:02X}"));
        }
    }
    coded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_as_long_as_said_and_the_same_in_every_coding() {
        let contents = Contents::new();
        let release = Release {
            file: 12,
            change: 3,
        };
        let plain = contents.plain(release);
        assert_eq!(plain.len(), LENGTH);
        assert!(plain.starts_with("release: r00000120003\nserver:\n"));
        assert_eq!(contents.base64(release), base64(plain.as_bytes()));
        assert_eq!(contents.form(release), form(&plain));
        assert_eq!(form("a: {b}\n"), "a%3A%20%7Bb%7D%0A");
    }
}
