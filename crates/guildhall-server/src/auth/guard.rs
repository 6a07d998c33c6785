//! Turns a request's headers into a principal, or into the problem that says why not.

use std::{net::IpAddr, sync::Arc};

use arc_swap::ArcSwapOption;
use guildhall_api::wire::Code;
use guildhall_core::access::{Grant, Verb};
use http::{HeaderMap, header};

use super::Tokens;
use crate::http::problem::{Refusal, refuse};

/// Who asks, and what they may do.
#[derive(Debug)]
pub(crate) struct Principal {
    /// The token's name, or `anonymous`.
    pub(crate) name: Arc<str>,
    /// What it allows.
    pub(crate) grants: Arc<[Grant]>,
}

/// Stands before the handlers. Tokens are exchanged under it while it works.
#[derive(Debug)]
pub(crate) struct Guard {
    /// `None`: no authentication is configured, everyone is [`Guard::anonymous`].
    tokens: ArcSwapOption<Tokens>,
    anonymous: Arc<Principal>,
    nobody: Arc<Principal>,
    /// Whether anonymous calls must name this machine, so that no web page reaches the API through a browser.
    local_only: bool,
}

impl Guard {
    /// Without tokens everyone is admin; `local_only` then refuses what a browser was talked into.
    pub(crate) fn new(tokens: Option<Tokens>, local_only: bool) -> Self {
        let grants = [Grant {
            verb: Verb::Admin,
            namespace: None,
        }];
        let anonymous = Arc::new(Principal {
            name: "anonymous".into(),
            grants: grants.into(),
        });
        let nobody = Arc::new(Principal {
            name: "nobody".into(),
            grants: Arc::default(),
        });
        Self {
            tokens: ArcSwapOption::new(tokens.map(Arc::new)),
            anonymous,
            nobody,
            local_only,
        }
    }

    /// Takes over a token file that was read again.
    pub(crate) fn replace(&self, tokens: Tokens) {
        self.tokens.store(Some(Arc::new(tokens)));
    }

    /// Who asks for what is answered to everyone.
    pub(crate) fn nobody(&self) -> Arc<Principal> {
        self.nobody.clone()
    }

    /// Who sends these headers.
    pub(crate) fn identify(&self, headers: &HeaderMap) -> Result<Arc<Principal>, Refusal> {
        let tokens = self.tokens.load();
        let Some(tokens) = tokens.as_ref() else {
            if self.local_only {
                local(headers)?;
            }
            return Ok(self.anonymous.clone());
        };
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Err(refused(
                "the request has no token; send Authorization: Bearer TOKEN (the CLI: --token or GUILDHALL_TOKEN)",
            ));
        };
        let token = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        match token {
            None => Err(refused("Authorization takes the form Bearer TOKEN")),
            Some(token) => tokens.find(token).cloned().ok_or_else(|| {
                refused("the token is not known here; it may have been withdrawn, or belong to another server")
            }),
        }
    }
}

fn refused(detail: &str) -> Refusal {
    refuse(Code::Unauthenticated, detail)
}

/// Refuses calls that a web page could make through a visitor's browser: such a page has another origin, or reaches
/// this machine by a name of its own (DNS rebinding).
fn local(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers
        .get(header::HOST)
        .map_or("", |host| host.to_str().unwrap_or("?"));
    let name = name_of(host);
    if !(name.is_empty()
        || name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok())
    {
        return Err(refuse(
            Code::Forbidden,
            format!(
                "without authentication the API answers to localhost and IP addresses, not to {name:?}; \
                 use one of those, or configure tokens (auth.token_file)"
            ),
        ));
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let same = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, at)| at == host);
        if !same {
            return Err(refuse(
                Code::Forbidden,
                "without authentication the API takes no calls from pages of other origins; configure tokens (auth.token_file)",
            ));
        }
    }
    Ok(())
}

/// The name in `name:port` or `[address]:port`.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn no_web_page_reaches_an_unauthenticated_api() {
        let guard = Guard::new(None, true);
        for host in [
            "127.0.0.1:7420",
            "localhost:7420",
            "[::1]:7420",
            "10.1.2.3:1",
        ] {
            assert!(
                guard.identify(&headers(&[(header::HOST, host)])).is_ok(),
                "{host}"
            );
        }
        let rebound = headers(&[(header::HOST, "evil.example:7420")]);
        assert_eq!(guard.identify(&rebound).unwrap_err().code, Code::Forbidden);
        assert!(Guard::new(None, false).identify(&rebound).is_ok());
        let same = [
            (header::HOST, "127.0.0.1:7420"),
            (header::ORIGIN, "http://127.0.0.1:7420"),
        ];
        assert!(guard.identify(&headers(&same)).is_ok());
        let other = [
            (header::HOST, "127.0.0.1:7420"),
            (header::ORIGIN, "https://evil.example"),
        ];
        assert_eq!(
            guard.identify(&headers(&other)).unwrap_err().code,
            Code::Forbidden
        );
    }

    #[test]
    fn with_tokens_only_a_known_one_is_let_in() {
        let guard = Guard::new(Some(Tokens::default()), true);
        for value in ["", "Basic abc", "Bearer", "Bearer nobody"] {
            let error = guard
                .identify(&headers(&[(header::AUTHORIZATION, value)]))
                .unwrap_err();
            assert_eq!(error.code, Code::Unauthenticated, "{value:?}");
        }
        assert!(
            guard
                .identify(&HeaderMap::new())
                .unwrap_err()
                .detail
                .contains("GUILDHALL_TOKEN")
        );
    }
}
