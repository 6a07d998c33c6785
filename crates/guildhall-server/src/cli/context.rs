//! What commands that call a server have in common: which server, which namespace, how to print.

use std::path::PathBuf;

use clap::Args;
use guildhall_api::client::{Client, ClientOptions};
use guildhall_core::document::Namespace;

use super::{Exit, Failure, output::Format};

/// Where the server is and who asks.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Connection {
    /// The server; several, separated by commas, are tried in turn
    #[arg(
        long,
        global = true,
        env = "GUILDHALL_SERVER",
        value_name = "URL",
        hide_env_values = true
    )]
    server: Option<String>,
    /// The token to show there
    #[arg(
        long,
        global = true,
        env = "GUILDHALL_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// A PEM file with the authorities to trust
    #[arg(
        long,
        global = true,
        env = "GUILDHALL_CA",
        value_name = "FILE",
        hide_env_values = true
    )]
    ca: Option<PathBuf>,
    /// The namespace [default: default]
    #[arg(
        short,
        long,
        global = true,
        env = "GUILDHALL_NAMESPACE",
        value_name = "NAME",
        hide_env_values = true
    )]
    namespace: Option<String>,
    /// How to print: tables for people, the others for programs
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    output: Format,
}

/// What a command works with.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) namespace: Namespace,
    pub(super) output: Format,
}

impl Connection {
    /// The namespace, as it was given.
    pub(super) fn namespace(&self) -> Result<Option<Namespace>, Failure> {
        let given = self.namespace.as_deref().filter(|name| !name.is_empty());
        given
            .map(|name| {
                Namespace::new(name).map_err(|error| {
                    Failure::new(Exit::Usage, "--namespace is no namespace").why(error)
                })
            })
            .transpose()
    }

    /// Where the server is and who asks, as the client takes it.
    pub(super) fn client_options(&self) -> ClientOptions {
        let mut options = match &self.server {
            Some(server) if !server.trim().is_empty() => ClientOptions::new([server]),
            _ => ClientOptions::default(),
        };
        options.token = self.token.clone().filter(|token| !token.trim().is_empty());
        options.ca = self.ca.clone();
        options
    }

    /// Everything a command needs. Nothing is connected to yet.
    pub(super) fn context(&self) -> Result<Context, Failure> {
        Ok(Context {
            client: Client::new(self.client_options())?,
            namespace: self.namespace()?.unwrap_or_default(),
            output: self.output,
        })
    }
}
