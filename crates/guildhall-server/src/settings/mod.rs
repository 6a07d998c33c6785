//! The node's settings: defaults < file (TOML) < environment < flags.
//!
//! [`sections`] declares them all, [`load`] reads them layer by layer and refuses what it does not know, [`validate`]
//! checks what only makes sense together, [`reference`] publishes them. A new setting is one declaration.

mod error;
pub(crate) mod field;
mod load;
mod reference;
mod sections;
mod validate;
mod value;

use std::collections::BTreeMap;

pub use error::{Finding, SettingsError, Source};
use field::{Field, Section};
pub(crate) use load::{Flag, Layers, not_toml};
pub(crate) use reference::{reference, show};
pub use sections::{
    Api, Audit, Auth, Checks, Config, Fleet, Gateway, History, Log, RateLimit, Server, Store, Watch,
};
pub(crate) use validate::findings as validate;
use value::Given;
pub use value::{AccessLog, LogFormat, Role, Secret, Size};

/// Every setting of a node.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The node itself.
    pub server: Server,
    /// The native API.
    pub api: Api,
    /// Who may call it.
    pub auth: Auth,
    /// What is written to stderr.
    pub log: Log,
    /// Who wrote what.
    pub audit: Audit,
    /// The control store.
    pub store: Store,
    /// The versions of documents.
    pub history: History,
    /// Configuration.
    pub config: Config,
    /// Watches and long polls.
    pub watch: Watch,
    /// What is kept of reports.
    pub fleet: Fleet,
    /// The checking of instances.
    pub checks: Checks,
    /// Rate limits that several count together.
    pub rate_limit: RateLimit,
    /// The gateway.
    pub gateway: Gateway,
}

/// Calls `$call` for every section in order.
macro_rules! sections {
    ($call:ident) => {
        $call!(
            server: Server,
            api: Api,
            auth: Auth,
            log: Log,
            audit: Audit,
            store: Store,
            history: History,
            config: Config,
            watch: Watch,
            fleet: Fleet,
            checks: Checks,
            rate_limit: RateLimit,
            gateway: Gateway
        )
    };
}

impl Settings {
    /// What the reference says about every setting.
    pub(crate) fn fields() -> Vec<Field> {
        macro_rules! fields {
            ($($name:ident: $section:ty),*) => { [$(<$section as Section>::fields()),*].into_iter().flatten().collect() };
        }
        sections!(fields)
    }

    /// The sections' names with what they are about.
    pub(crate) fn sections() -> Vec<(&'static str, &'static [&'static str])> {
        macro_rules! names {
            ($($name:ident: $section:ty),*) => {
                vec![$((<$section as Section>::NAME, <$section as Section>::ABOUT)),*]
            };
        }
        sections!(names)
    }

    /// Reads `section.key`; `None` if there is no such setting.
    fn assign(&mut self, section: &str, key: &str, given: &Given) -> Option<Result<(), String>> {
        macro_rules! assign {
            ($($name:ident: $section:ty),*) => {
                match section {
                    $(<$section as Section>::NAME => self.$name.assign(key, given),)*
                    _ => None,
                }
            };
        }
        sections!(assign)
    }

    /// The value of `section.key` as TOML, secrets masked.
    fn shown(&self, section: &str, key: &str) -> Option<String> {
        macro_rules! shown {
            ($($name:ident: $section:ty),*) => {
                match section {
                    $(<$section as Section>::NAME => self.$name.shown(key),)*
                    _ => None,
                }
            };
        }
        sections!(shown)
    }

    /// Whether the node has `role`.
    pub fn has(&self, role: Role) -> bool {
        self.server.roles.contains(&role)
    }
}

/// Settings, and where each that was given comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) settings: Settings,
    /// `section.key` → the last layer that gave it.
    pub(crate) sources: BTreeMap<String, Source>,
}
