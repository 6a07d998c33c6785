//! What both services read from the platform, and go by as soon as it changes.

use std::sync::Arc;

use guildhall::{Config, ConfigError, Service};
use serde::Deserialize;

/// The file. What all services share is `_/_/shop.yaml`; a service's own is `user-service/_/shop.yaml`.
pub const FILE: &str = "shop.yaml";

/// The most records that one answer may have.
pub const MOST: usize = 1000;

/// The settings of the shop.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many records a list has at most.
    pub page: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { page: MOST }
    }
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        match self.page {
            1..=MOST => Ok(()),
            page => Err(format!("page: {page} is none of 1 to {MOST}")),
        }
    }
}

/// How many records a list has at most, now. Routes know no more of the settings.
pub type Page = Arc<dyn Fn() -> usize + Send + Sync>;

/// Loads the settings and follows them; what the platform does not say is as the defaults have it.
pub(crate) async fn page(service: &Service) -> Result<Page, ConfigError> {
    let settings: Config<Settings> = service
        .config(FILE)
        .optional()
        .validate(Settings::check)
        .load()
        .await?;
    Ok(Arc::new(move || settings.load().page))
}
