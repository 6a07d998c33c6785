//! The hidden command `guildhall demo service`: one process of the shop.

use std::process::ExitCode;

use anyhow::Context as _;
use guildhall_shop::{orders, users};

use super::arguments::{Part, Service, ShopService};
use crate::cli::end_with_stdin;

/// Runs one service until it is told to stop.
pub(super) fn run(part: Part) -> anyhow::Result<ExitCode> {
    let Part::Service(Service {
        service,
        port,
        platform,
        instance,
        data_dir,
        until_stdin_closes,
    }) = part;
    guildhall::init_logging();
    if until_stdin_closes {
        end_with_stdin();
    }
    let mut options = match service {
        ShopService::UserService => users::options(),
        ShopService::OrderService => orders::options(),
    };
    if let Some(port) = port {
        options.listen.set_port(port);
    }
    options.platform = platform;
    options.instance = instance;
    options.data_dir = data_dir;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let served = runtime.block_on(async {
        match service {
            ShopService::UserService => users::run(options).await,
            ShopService::OrderService => orders::run(options).await,
        }
    });
    served.with_context(|| format!("{} does not run", service.name()))?;
    Ok(ExitCode::SUCCESS)
}
