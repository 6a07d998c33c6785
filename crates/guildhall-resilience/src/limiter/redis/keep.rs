//! The task that keeps a connection: makes it, rehearses, waits for trouble, and makes it again after a pause.

use std::{sync::Arc, time::Duration};

use redis::RedisError;
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use super::{
    RedisConfig, RedisState,
    connect::{Driver, connect},
    script::Script,
};
use crate::{limiter::Quota, retry::Backoff};

/// The longest pause between two attempts, and how long a connection has to hold until pauses begin short again.
const LONGEST: Duration = Duration::from_secs(5);

/// Where asks go at present.
#[derive(Clone, Debug)]
pub(super) enum Link {
    /// The first attempt to connect is under way: an ask waits for how it ends, as long as it may wait at all.
    Connecting,
    /// To this script.
    Up(Script, u64),
    /// Nowhere.
    Away(Arc<str>),
}

/// An ask on the connection of this number failed, or took too long.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) on: u64,
    pub(super) why: Arc<str>,
}

/// Keeps a connection until nobody looks at `links` any more.
pub(super) async fn keep(
    config: RedisConfig,
    links: watch::Sender<Link>,
    mut troubles: mpsc::Receiver<Trouble>,
) {
    // Checked when it was written.
    let backoff = Backoff::new(Duration::from_millis(50), LONGEST).unwrap_or_default();
    let mut random = fastrand::Rng::new();
    let (mut failed, mut number) = (0, 0);
    loop {
        let why = match open(&config).await {
            Ok((script, mut driver)) => {
                number += 1;
                tell(&config, &links, Link::Up(script, number));
                tokio::select! {
                    why = trouble(&mut driver, &mut troubles, number) => why,
                    () = links.closed() => return,
                    never = async {
                        sleep(LONGEST).await;
                        failed = 0;
                        std::future::pending().await
                    } => never,
                }
            }
            Err(why) => why,
        };
        tell(&config, &links, Link::Away(why));
        failed += 1;
        tokio::select! {
            () = sleep(backoff.pause(failed, &mut random)) => {}
            () = links.closed() => return,
        }
    }
}

/// Drives a connection until there is trouble with it.
async fn trouble(
    driver: &mut Driver,
    troubles: &mut mpsc::Receiver<Trouble>,
    number: u64,
) -> Arc<str> {
    loop {
        tokio::select! {
            () = &mut *driver => return "the server has closed the connection".into(),
            trouble = troubles.recv() => match trouble {
                // What is left of a connection before is no news.
                Some(trouble) if trouble.on != number => {}
                Some(trouble) => return trouble.why,
                // Nobody can ask any more; the links are closed, too.
                None => std::future::pending().await,
            },
        }
    }
}

/// Makes a connection that answers as fast as asks need it.
async fn open(config: &RedisConfig) -> Result<(Script, Driver), Arc<str>> {
    let opened = async {
        let (connection, mut driver) = connect(&config.server).await.map_err(failed)?;
        let loaded = async {
            let script = Script::load(connection).await.map_err(failed)?;
            let quota = Quota::per_second(1_000).map_err(|error| Arc::from(error.to_string()))?;
            let rehearsed = script.rehearse(&config.prefix, quota);
            match timeout(config.timeout, rehearsed).await {
                Ok(rehearsed) => rehearsed.map_err(failed)?,
                Err(_) => return Err(slow(config)),
            }
            Ok(script)
        };
        tokio::select! {
            loaded = loaded => Ok((loaded?, driver)),
            () = &mut driver => Err("the server has closed the connection".into()),
        }
    };
    match timeout(config.connect_timeout, opened).await {
        Ok(opened) => opened,
        Err(_) => Err(format!("no connection within {:?}", config.connect_timeout).into()),
    }
}

fn failed(error: RedisError) -> Arc<str> {
    error.to_string().into()
}

pub(super) fn slow(config: &RedisConfig) -> Arc<str> {
    format!("no answer within {:?}", config.timeout).into()
}

fn tell(config: &RedisConfig, links: &watch::Sender<Link>, link: Link) {
    let after = RedisState::of(&link);
    let before = RedisState::of(&links.send_replace(link));
    // Why it is away still is no change.
    let same = std::mem::discriminant(&before) == std::mem::discriminant(&after);
    if let Some(told) = config.on_change.as_ref().filter(|_| !same) {
        told(&after);
    }
}
