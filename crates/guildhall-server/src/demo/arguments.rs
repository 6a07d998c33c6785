//! The command line of `guildhall demo`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  guildhall demo                      the story, then everything stays up until Ctrl-C
  guildhall demo --once               the story once; exit code 0 only if each check held
  guildhall demo --data-dir ./demo    keeps data and logs there, and goes on with what is there

Ports are the documented ones where they are free: API 7420, gateway 8080, services 3001 to 3003.
With --once they are any free ones.";

/// See everything at work on this machine, and what happens when parts of it are killed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// End after the story, with exit code 0 only if each check held
    #[arg(long)]
    pub(super) once: bool,
    /// Keep the data and the logs when it ends
    #[arg(long)]
    pub(super) keep: bool,
    /// Where data and logs live, and stay [default: a new temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) part: Option<Part>,
}

/// What the demo's own processes run.
#[derive(Debug, Subcommand)]
pub(super) enum Part {
    /// Run one service of the shop
    #[command(hide = true)]
    Service(Service),
}

/// One process of the shop.
#[derive(Debug, Args)]
pub(super) struct Service {
    /// Which
    #[arg(value_enum)]
    pub(super) service: ShopService,
    /// Where it listens; 0 takes a free port [default: 3001 or 3002]
    #[arg(long)]
    pub(super) port: Option<u16>,
    /// The platform
    #[arg(long, value_name = "URL")]
    pub(super) platform: Option<String>,
    /// The instance's id [default: host:port]
    #[arg(long, value_name = "ID")]
    pub(super) instance: Option<String>,
    /// Where it keeps its file
    #[arg(long, value_name = "DIR", default_value = "shop-data")]
    pub(super) data_dir: PathBuf,
    /// Ends when stdin is closed
    #[arg(long, hide = true)]
    pub(super) until_stdin_closes: bool,
}

/// The services of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ShopService {
    /// Keeps the users.
    UserService,
    /// Takes the orders.
    OrderService,
}

impl ShopService {
    /// Its name, in the registry and on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UserService => guildhall_shop::users::NAME,
            Self::OrderService => guildhall_shop::orders::NAME,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_called_the_same_everywhere() {
        for service in ShopService::value_variants() {
            assert_eq!(
                service.to_possible_value().unwrap().get_name(),
                service.name()
            );
        }
    }
}
