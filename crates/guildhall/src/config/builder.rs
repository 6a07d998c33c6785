//! What an author says of a configuration before it is loaded.

use std::{path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use guildhall_api::client::{Client, ConfigItem, ConfigStream};
use guildhall_core::{
    config::{ConfigName, Format, Sight},
    document::{DocumentKey, Kind},
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::{
    Config, ConfigError, ConfigVersion, Owner, Shared,
    copy::Copy,
    follow::{Follow, Given},
    layers::{self, Text},
};
use crate::task::Task;

/// How long the platform is given at the start where there is something else to begin with: a copy on disk, own files,
/// defaults.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long it is given where there is nothing.
const LONG_PATIENCE: Duration = Duration::from_secs(10);

/// Why a configuration whose sealed values are masked is refused.
const MASKED: &str = "values of it are sealed, and it was read without them: call reveal() on the configuration, and give the \
                      service a token with the scope reveal";

type Check<T> = dyn Fn(&T) -> Result<(), String> + Send + Sync;

/// A configuration that is about to be loaded; see [`Service::config`](crate::Service::config).
#[must_use = "nothing is read before it is loaded"]
pub struct ConfigBuilder<T> {
    owner: Owner,
    file: String,
    environment: Option<String>,
    prefix: Option<String>,
    files: Vec<PathBuf>,
    optional: bool,
    sight: Sight,
    check: Option<Arc<Check<T>>>,
}

/// How the texts that are given become a `T`.
pub(super) struct Recipe<T> {
    pub(super) config: String,
    pub(super) local: Vec<Text>,
    pub(super) prefix: String,
    pub(super) check: Option<Arc<Check<T>>>,
}

impl<T: DeserializeOwned> Recipe<T> {
    /// The configuration that comes of what the platform gave, or of nothing.
    pub(super) fn make(&self, given: Option<&Given>) -> Result<T, String> {
        if given.is_some_and(|given| given.sealed == Some(Sight::Masked)) {
            return Err(MASKED.to_owned());
        }
        let mut texts = self.local.clone();
        texts.extend(given.map(|given| Text {
            origin: given.versions().join(", "),
            format: given.format,
            bytes: given.bytes.to_vec(),
        }));
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let variables: Vec<_> = variables.collect();
        let made = layers::read(&texts, &self.prefix, &variables)?;
        if let Some(check) = &self.check {
            check(&made)?;
        }
        Ok(made)
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> ConfigBuilder<T> {
    pub(crate) fn new(owner: Owner, file: &str) -> Self {
        Self {
            owner,
            file: file.to_owned(),
            environment: None,
            prefix: None,
            files: Vec::new(),
            optional: false,
            sight: Sight::Masked,
            check: None,
        }
    }

    /// The environment, such as `prod`. Without it `GUILDHALL_ENVIRONMENT` says; without that it is `_`, what all
    /// environments share.
    pub fn environment(mut self, environment: &str) -> Self {
        self.environment = Some(environment.to_owned());
        self
    }

    /// A file of the service's own, under what the platform gives: JSON, YAML or TOML by its ending. Of several the later
    /// wins. With one the platform need not have the configuration.
    pub fn local_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// What variables of the environment begin with that win over everything: with `USERS`, `USERS__POOL__MAX_SIZE=8` is
    /// `pool.maxSize`. A part means the key of that name whatever its case, dashes and underscores; a value is read as YAML
    /// reads it. Without this it is the service's name, in upper case and with `_` for `-`.
    pub fn env_prefix(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.to_owned());
        self
    }

    /// The platform need not have it: the defaults of `T` hold for what nobody says.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The values that are sealed in it, too. The service's token needs the scope `reveal`. Without this a configuration with
    /// sealed values is refused: a mask is no password. The copy on disk is then encrypted with a key that is made of the
    /// token; without a token there is none.
    pub fn reveal(mut self) -> Self {
        self.sight = Sight::Revealed;
        self
    }

    /// Refuses configurations that are read but make no sense, with the reason. One that is refused never gets in force.
    pub fn validate<F>(mut self, check: F) -> Self
    where
        F: Fn(&T) -> Result<(), String> + Send + Sync + 'static,
    {
        self.check = Some(Arc::new(check));
        self
    }

    /// Loads it: from the platform; from the copy on disk if that does not answer within half a second; and from there on
    /// keeps it current.
    ///
    /// # Errors
    /// [`ConfigError`]: nothing to begin with, or nothing that is valid.
    pub async fn load(self) -> Result<Config<T>, ConfigError> {
        let key = self.key()?;
        let recipe = self.recipe(&key)?;
        let copy = self.owner.cache.as_deref().map(|folder| {
            let token = self.owner.platform.as_ref();
            let token = token.and_then(|platform| platform.token.as_deref());
            Copy::new(folder, &key, token)
        });
        let kept = copy.as_ref().and_then(Copy::read);
        let client = self.owner.platform.clone().map(Client::new).transpose()?;
        let may_lack = self.optional || !self.files.is_empty();
        let patience = match kept.is_some() || may_lack {
            true => PATIENCE,
            false => LONG_PATIENCE,
        };
        let first = match &client {
            None => Ok(None),
            Some(client) => {
                first(client.watch_config(&key, None, self.sight, None), patience).await
            }
        };
        let config = || key.name.to_string();
        let given = match (first, kept) {
            (Ok(Some(given)), _) => Some(given),
            (Ok(None), _) if may_lack || client.is_none() => None,
            (Ok(None), _) => return Err(ConfigError::Missing { config: config() }),
            (Err(First::Refused(cause)), _) => {
                return Err(ConfigError::Refused {
                    config: config(),
                    cause,
                });
            }
            (Err(First::Away(cause)), Some(kept)) => {
                tracing::warn!(config = %key.name, cause, "the platform is away: its configuration is taken from the copy on disk");
                Some(kept)
            }
            (Err(First::Away(cause)), None) if may_lack => {
                tracing::warn!(config = %key.name, cause, "the platform is away: the configuration is what this service has of its own");
                None
            }
            (Err(First::Away(cause)), None) => {
                return Err(ConfigError::Unreachable {
                    config: config(),
                    cause,
                });
            }
        };
        let invalid = |detail| ConfigError::Invalid {
            config: key.name.to_string(),
            detail,
        };
        let made = recipe.make(given.as_ref()).map_err(invalid)?;
        let version = ConfigVersion {
            number: 1,
            tag: given
                .as_ref()
                .map_or_else(String::new, |given| given.tag.to_string()),
            inputs: given.as_ref().map_or_else(Vec::new, Given::versions),
            refused: None,
        };
        if let (Some(copy), Some(given)) = (&copy, &given) {
            copy.write(given);
        }
        let shared = Arc::new(Shared {
            current: ArcSwap::from_pointee(made),
            version: watch::Sender::new(version),
        });
        let follow = client.map(|client| Follow {
            client,
            key,
            recipe,
            sight: self.sight,
            copy,
            shared: Arc::downgrade(&shared),
            owner: self.owner,
            applied: given,
        });
        let task = Task::spawn(async move {
            if let Some(follow) = follow {
                follow.run().await;
            }
        });
        Ok(Config {
            shared,
            _task: Arc::new(task),
        })
    }

    fn key(&self) -> Result<DocumentKey, ConfigError> {
        let said = self.environment.clone().or_else(|| {
            let variable = std::env::var("GUILDHALL_ENVIRONMENT").ok();
            variable.filter(|environment| !environment.is_empty())
        });
        let environment = said.unwrap_or_else(|| guildhall_core::config::SHARED.to_owned());
        let name = format!("{}/{environment}/{}", self.owner.service, self.file);
        match ConfigName::parse(&name) {
            Ok(_) => {
                let namespace = self.owner.namespace.clone();
                Ok(DocumentKey::new(Kind::Config, namespace, name))
            }
            Err(error) => Err(ConfigError::Settings {
                file: self.file.clone(),
                detail: format!("{name:?} names no configuration: {error}"),
            }),
        }
    }

    fn recipe(&self, key: &DocumentKey) -> Result<Recipe<T>, ConfigError> {
        let mut local = Vec::new();
        for path in &self.files {
            let name = path.to_string_lossy().into_owned();
            let format = Format::of_file_name(&name).filter(|format| format.is_tree());
            let format = format.ok_or_else(|| ConfigError::Settings {
                file: self.file.clone(),
                detail: format!("{name:?}: the ending tells no format; use .json, .yaml or .toml"),
            })?;
            let bytes = std::fs::read(path).map_err(|cause| ConfigError::File {
                path: path.clone(),
                cause,
            })?;
            local.push(Text {
                origin: name,
                format,
                bytes,
            });
        }
        let own = || self.owner.service.to_uppercase().replace(['-', '.'], "_");
        Ok(Recipe {
            config: key.name.to_string(),
            local,
            prefix: self.prefix.clone().unwrap_or_else(own),
            check: self.check.clone(),
        })
    }
}

/// Why the platform gave nothing at the start.
enum First {
    Away(String),
    Refused(Box<guildhall_api::client::ClientError>),
}

/// What the platform gives at once; `None` if it has no such configuration.
async fn first(mut stream: ConfigStream, patience: Duration) -> Result<Option<Given>, First> {
    let mut last = format!("no answer within {patience:?}");
    let asked = async {
        loop {
            match stream.next().await {
                Ok(ConfigItem::Config(event)) => return Ok(Given::of(event)),
                Ok(ConfigItem::Problem(problem))
                    if problem.code == guildhall_api::wire::Code::NotFound =>
                {
                    return Ok(None);
                }
                Ok(ConfigItem::Problem(problem)) => {
                    return Err(First::Away(problem.detail.clone()));
                }
                Err(error) if error.is_retryable() => last = error.to_string(),
                Err(error) => return Err(First::Refused(Box::new(error))),
            }
        }
    };
    match tokio::time::timeout(patience, asked).await {
        Ok(first) => first,
        Err(_) => Err(First::Away(last)),
    }
}
