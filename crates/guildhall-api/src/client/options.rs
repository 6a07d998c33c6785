//! What a client is told: servers, token, trust, timeouts.

use std::{fmt, path::PathBuf, time::Duration};

use http::{HeaderValue, Uri, uri::Scheme};

/// The server that is called if none is given.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:7420";

/// Settings of a [`Client`](super::Client).
#[derive(Clone)]
pub struct ClientOptions {
    /// Base addresses of servers of one platform, `http://` or `https://`; tried in order,
    /// beginning with the one that last answered.
    pub servers: Vec<String>,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<String>,
    /// A PEM file of the certificates to trust instead of the machine's.
    pub ca: Option<PathBuf>,
    /// How long one call may take, failover included; 10 s by default. A long poll's wait comes
    /// on top.
    pub timeout: Duration,
    /// How long a connection may take to be made; 2 s by default.
    pub connect_timeout: Duration,
    /// After how much silence a watch is taken for dead; 45 s by default, three times the
    /// server's keep-alive.
    pub watch_idle: Duration,
    /// Who calls, as `User-Agent`.
    pub user_agent: String,
}

impl ClientOptions {
    /// The defaults, for `servers`. An entry may hold several, separated by commas.
    pub fn new<S: AsRef<str>>(servers: impl IntoIterator<Item = S>) -> Self {
        let split = |entry: S| -> Vec<String> {
            let parts = entry.as_ref().split(',').map(str::trim);
            parts
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        Self {
            servers: servers.into_iter().flat_map(split).collect(),
            token: None,
            ca: None,
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(2),
            watch_idle: 3 * crate::wire::sse::KEEP_ALIVE,
            user_agent: concat!("guildhall/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// As the environment says: `GUILDHALL_SERVER` (else `http://127.0.0.1:7420`),
    /// `GUILDHALL_TOKEN` and `GUILDHALL_CA`.
    pub fn from_env() -> Self {
        let set = |name| {
            std::env::var(name)
                .ok()
                .filter(|value| !value.trim().is_empty())
        };
        let servers = set("GUILDHALL_SERVER").unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        Self {
            token: set("GUILDHALL_TOKEN"),
            ca: set("GUILDHALL_CA").map(PathBuf::from),
            ..Self::new([servers])
        }
    }

    /// The same with a token.
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The servers' addresses, checked.
    pub(super) fn bases(&self) -> Result<Vec<Uri>, OptionsError> {
        if self.servers.is_empty() {
            return Err(OptionsError::NoServer);
        }
        self.servers.iter().map(|url| base(url)).collect()
    }

    /// The token's header, checked.
    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, OptionsError> {
        let Some(token) = &self.token else {
            return Ok(None);
        };
        let header = HeaderValue::try_from(format!("Bearer {}", token.trim()));
        let mut header = header.map_err(|_| OptionsError::Token)?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

fn base(url: &str) -> Result<Uri, OptionsError> {
    let bad = |cause: &str| OptionsError::Server {
        url: url.to_owned(),
        cause: cause.to_owned(),
    };
    let uri: Uri = url
        .trim_end_matches('/')
        .parse()
        .map_err(|error| bad(&format!("{error}")))?;
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => {}
        _ => return Err(bad("it must begin with http:// or https://")),
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => Err(bad(
            "names and passwords do not belong into it; give a token",
        )),
        Some(_) if uri.query().is_none() => Ok(uri),
        _ => Err(bad("it is a host, a port and perhaps a path")),
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self::new([DEFAULT_SERVER])
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("servers", &self.servers)
            .field("token", &self.token.as_ref().map(|_| "(set)"))
            .field("ca", &self.ca)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Settings that make no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The list of servers is empty.
    #[error("no server is given; set GUILDHALL_SERVER, for example to {DEFAULT_SERVER}")]
    NoServer,
    /// A server's address is none.
    #[error("{url:?} is not a server's address: {cause}; write for example {DEFAULT_SERVER}")]
    Server {
        /// As given.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The token cannot stand in a header.
    #[error("the token has characters that no token has; copy it again, without line breaks")]
    Token,
    /// The file of trusted certificates is of no use.
    #[error("{path:?} holds no certificate to trust: {cause}; give a PEM file")]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The machine's trusted certificates cannot be read.
    #[error(
        "this machine's trusted certificates cannot be read ({0}); give a PEM file with GUILDHALL_CA"
    )]
    NativeRoots(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        let bases = |urls: &[&str]| ClientOptions::new(urls).bases();
        assert_eq!(
            bases(&["http://a:1, https://b/x/", "http://c"]).map(|b| b.len()),
            Ok(3)
        );
        assert_eq!(bases(&[]), Err(OptionsError::NoServer));
        assert_eq!(bases(&[" , "]), Err(OptionsError::NoServer));
        for bad in [
            "a:7420",
            "ftp://a",
            "http://",
            "http://u:p@a",
            "http://a/?x",
            "http://a b",
        ] {
            assert!(
                matches!(bases(&[bad]), Err(OptionsError::Server { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let options = ClientOptions::default().with_token("sekrit\n");
        assert!(!format!("{options:?} {:?}", options.authorization()).contains("sekrit"));
        assert!(options.authorization().is_ok());
        assert_eq!(
            ClientOptions::default().with_token("a\nb").authorization(),
            Err(OptionsError::Token)
        );
    }
}
