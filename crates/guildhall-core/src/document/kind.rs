//! The kinds of documents there are.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal, $plural:literal;)*) => {
        /// What a document describes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $($(#[$doc])* #[serde(rename = $word)] $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Kind] = &[$(Kind::$kind,)*];

            /// As `kind:` in a document.
            pub const fn word(self) -> &'static str {
                match self { $(Kind::$kind => $word,)* }
            }

            /// As in paths: `/api/v1/{plural}`.
            pub const fn plural(self) -> &'static str {
                match self { $(Kind::$kind => $plural,)* }
            }
        }
    };
}

kinds! {
    /// A service as its operators describe it.
    Service = "Service", "services";
    /// A version of a service as its code describes it.
    ServiceVersion = "ServiceVersion", "serviceversions";
    /// One running process of a service.
    Instance = "Instance", "instances";
    /// A lease-held, fenced lock.
    Lock = "Lock", "locks";
    /// Gateway API's Gateway: listeners.
    Gateway = "Gateway", "gateways";
    /// Gateway API's HTTPRoute.
    HttpRoute = "HTTPRoute", "httproutes";
    /// Resilience rules, attached to routes, services, gateways and namespaces.
    Policy = "Policy", "policies";
    /// A file of configuration.
    Config = "Config", "configs";
}

impl Kind {
    /// Whether every change of such a document is kept as a version (see [`history`](crate::history)).
    /// What operators write does; what services say of themselves, all the time, does not.
    pub const fn keeps_history(self) -> bool {
        matches!(
            self,
            Self::Gateway | Self::HttpRoute | Self::Policy | Self::Config
        )
    }

    /// The kind a person means by `word`: its name, its plural or its singular, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| {
            let plural = kind.plural();
            word.eq_ignore_ascii_case(kind.word())
                || word.eq_ignore_ascii_case(plural)
                || word.eq_ignore_ascii_case(&plural[..plural.len() - 1])
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
