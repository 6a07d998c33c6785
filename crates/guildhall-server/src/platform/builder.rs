//! From settings to a running platform: everything is started here, in this order, and on failure stopped again.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use guildhall_api::wire::RoleStatus;
use guildhall_control::{
    Options,
    audit::{AuditSink, FileSink, FileSinkOptions},
    checks::CheckOptions,
    config::{ConfigOptions, SealKeys},
    fleet::FleetOptions,
    history::HistoryOptions,
    watch::WatchOptions,
};
use guildhall_store::embedded::{HistoryOptions as Revisions, Options as StoreOptions};
use tokio::{sync::watch, task::JoinSet};

use super::{
    Addresses, Plane, Platform, StartError, addresses, claim::Claim, reload, running::Parts, seal,
    traffic,
};
use crate::{
    auth::{Guard, TokenFile, Tokens},
    http::{Api, ApiOptions},
    node::{self, Node, Probe, Stage},
    serve::{Listener, ServeOptions},
    settings::{Loaded, Role, Settings, SettingsError, validate},
    tls::Certificate,
};

/// Starts a [`Platform`]. The defaults are those of `guildhall server`, apart from its addresses: here every listener
/// takes a free port on loopback.
#[derive(Clone, Debug)]
pub struct PlatformBuilder {
    settings: Settings,
}

impl Default for PlatformBuilder {
    fn default() -> Self {
        let mut settings = Settings::default();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        settings.api.listen = any;
        settings.gateway.listen = any;
        Self { settings }
    }
}

impl PlatformBuilder {
    /// Uses these settings, all of them.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Changes settings in place.
    pub fn configure(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Keeps everything durable in `directory`.
    pub fn data_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.settings.server.data_dir = directory.into();
        self
    }

    /// Takes these roles.
    pub fn roles(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        self.settings.server.roles = roles.into_iter().collect();
        self
    }

    /// Gets the documents from these control nodes; for a node without the control role.
    pub fn control(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.server.control = urls.into_iter().map(Into::into).collect();
        self
    }

    /// Serves the API at `address`; port 0 takes a free one.
    pub fn api_listen(mut self, address: SocketAddr) -> Self {
        self.settings.api.listen = address;
        self
    }

    /// Takes gateway traffic at `address`; port 0 takes a free one.
    pub fn gateway_listen(mut self, address: SocketAddr) -> Self {
        self.settings.gateway.listen = address;
        self
    }

    /// Starts everything; once this returns, the platform takes calls.
    pub async fn start(self) -> Result<Platform, StartError> {
        let settings = self.settings;
        let findings = validate(&Loaded {
            settings: settings.clone(),
            ..Loaded::default()
        });
        if !findings.is_empty() {
            return Err(SettingsError::Wrong(findings).into());
        }
        let directory = settings.server.data_dir.clone();
        let claim = Claim::take(&directory)?;

        let (stop, stopping) = watch::channel(false);
        let (reload, reloads) = watch::channel(());
        let mut tasks = JoinSet::new();
        let node = Arc::new(Node::default());
        let guard = guard(&settings, &mut tasks, &reloads, &stopping)?;
        let tls = match (&settings.api.tls_certificate, &settings.api.tls_key) {
            (Some(chain), Some(key)) => {
                let certificate = Certificate::load(chain, key)?;
                let config = certificate.server_config()?;
                tasks.spawn(reload::certificate(
                    certificate,
                    settings.api.tls_reload.get(),
                    reloads.clone(),
                    stopping.clone(),
                ));
                Some(config)
            }
            _ => None,
        };
        // Bound before anything slow: a taken port is said at once, and clients that come early wait instead of failing.
        let listener = Listener::bind(settings.api.listen).map_err(|cause| StartError::Listen {
            setting: "api.listen",
            address: settings.api.listen,
            cause,
        })?;
        let mut addresses = Addresses {
            api: Some(listener.address()),
            gateway: None,
        };

        let (seal_keys, seal_key_file) = seal::keys(&settings)?;
        if let Some(file) = seal_key_file {
            tasks.spawn(reload::seal_keys(
                file,
                seal_keys.clone(),
                settings.auth.reload.get(),
                reloads.clone(),
                stopping.clone(),
            ));
        }
        let plane = match settings.has(Role::Control) {
            true => Some(
                Plane::start(
                    directory.clone(),
                    store_options(&settings),
                    control_options(&settings, seal_keys)?,
                )
                .await?,
            ),
            false => None,
        };
        if plane.is_some() {
            node.add(control_probe(addresses, plane.clone()));
        }
        let gateway = match settings.has(Role::Gateway) {
            true => match traffic::start(&settings, plane.as_ref()).await {
                Ok(gateway) => Some(gateway),
                Err(error) => {
                    if let Some(plane) = &plane {
                        plane.stop().await;
                    }
                    return Err(error);
                }
            },
            false => None,
        };
        if let Some(gateway) = &gateway {
            addresses.gateway = gateway.address();
            node.add(gateway.probe());
        }

        let api = Arc::new(Api::new(
            plane.clone(),
            gateway.clone(),
            node.clone(),
            guard,
            api_options(&settings),
        ));
        let serve = ServeOptions {
            max_connections: settings.api.max_connections,
            header_timeout: settings.api.header_timeout.get(),
            shutdown_timeout: settings.server.shutdown_timeout.get(),
            tls,
        };
        let connections = api.connections.clone();
        let serving = tokio::spawn(listener.serve(api.clone(), serve, connections, stopping));
        node.enter(Stage::Ready);
        if let Err(cause) = addresses.write(&directory) {
            let path = directory.join(addresses::FILE);
            // A full disk must not keep a node down that could still be read, and route.
            if cause.kind() != io::ErrorKind::StorageFull {
                return Err(StartError::Directory { path, cause });
            }
            tracing::error!(error = %cause, path = %path.display(), "the addresses could not be written; free some space");
        }
        Ok(Platform::new(Parts {
            claim,
            reload,
            settings,
            addresses,
            api,
            plane,
            gateway,
            stop,
            serving,
            tasks,
        }))
    }
}

/// Who may call; the token file is watched from here on.
fn guard(
    settings: &Settings,
    tasks: &mut JoinSet<()>,
    reloads: &watch::Receiver<()>,
    stopping: &watch::Receiver<bool>,
) -> Result<Arc<Guard>, StartError> {
    let Some(path) = settings.auth.token_file.clone() else {
        return Ok(Arc::new(Guard::new(None, !settings.server.insecure)));
    };
    let mut file = TokenFile::new(path);
    let tokens: Tokens = file.read_if_changed().transpose()?.unwrap_or_default();
    let guard = Arc::new(Guard::new(Some(tokens), false));
    tasks.spawn(reload::tokens(
        file,
        guard.clone(),
        settings.auth.reload.get(),
        reloads.clone(),
        stopping.clone(),
    ));
    Ok(guard)
}

fn api_options(settings: &Settings) -> ApiOptions {
    ApiOptions {
        max_body: settings.api.max_body.0,
        body_timeout: settings.api.header_timeout.get(),
        max_wait: settings.api.max_wait.get(),
        index_wait: settings.api.index_wait.get(),
        keepalive: settings.api.watch_keepalive.get(),
        answer_cache: settings.api.answer_cache.0,
        access_log: settings.log.access,
    }
}

fn store_options(settings: &Settings) -> StoreOptions {
    let store = &settings.store;
    let mut options = StoreOptions {
        history: Revisions {
            revisions: store.history_revisions,
            bytes: usize::try_from(store.history_bytes.0).unwrap_or(usize::MAX),
            age: store.history_age.get(),
        },
        checkpoint_after: store.checkpoint_after.0,
        ..StoreOptions::default()
    };
    options.log.segment_size = store.segment_size.0;
    options
}

fn control_options(settings: &Settings, seal_keys: SealKeys) -> Result<Options, StartError> {
    let mut sink = None;
    if settings.audit.file {
        let path = settings.server.data_dir.join("audit.jsonl");
        let options = FileSinkOptions {
            rotate_at: settings.audit.rotate_at.0,
            keep: settings.audit.keep,
            ..FileSinkOptions::new(path.clone())
        };
        let file = FileSink::open(options).map_err(|error| StartError::Directory {
            path,
            cause: error.source,
        })?;
        sink = Some(Arc::new(file) as Arc<dyn AuditSink>);
    }
    Ok(Options {
        history: HistoryOptions {
            keep: settings.history.keep,
        },
        config: ConfigOptions {
            cache: settings.config.cache.0,
            listeners: settings.config.listeners,
            drafts: settings.config.drafts,
            seal_keys,
        },
        watch: WatchOptions {
            queue: settings.watch.queue,
            history: settings.watch.history,
            watchers: settings.watch.watchers,
        },
        checks: CheckOptions {
            concurrency: settings.checks.concurrency,
            allow_link_local: settings.checks.allow_link_local,
            ca_file: settings.checks.ca_file.clone(),
            ..CheckOptions::default()
        },
        fleet: FleetOptions {
            believed_for: settings.fleet.silence.get(),
            ..FleetOptions::default()
        },
        audit: sink,
        ..Options::default()
    })
}

fn control_probe(addresses: Addresses, plane: Option<Arc<Plane>>) -> Probe {
    Arc::new(move || {
        let control = plane.as_ref().and_then(|plane| plane.control());
        let read_only = control
            .as_ref()
            .and_then(|control| control.status().store.read_only);
        let detail = match (&control, read_only) {
            (None, _) => "starting or stopping".to_owned(),
            (_, Some(why)) => why.to_string(),
            _ => String::new(),
        };
        let status = RoleStatus {
            name: Role::Control.word().to_owned(),
            healthy: detail.is_empty(),
            detail,
            addresses: addresses.api.iter().map(ToString::to_string).collect(),
        };
        // A store that takes no writes is still read.
        node::Role {
            serves: control.is_some(),
            status,
        }
    })
}
