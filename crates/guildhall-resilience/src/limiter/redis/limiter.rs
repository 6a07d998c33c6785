//! Who asks.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    RedisConfig,
    keep::{Link, Trouble, keep, slow},
    script::Script,
};
use crate::limiter::exact::{Answer, Ask};

/// Limits that are counted in Redis; see [the module](super). Clones share one connection, which ends with the last of
/// them.
#[derive(Clone)]
pub struct RedisLimiter {
    config: RedisConfig,
    links: watch::Receiver<Link>,
    troubles: mpsc::Sender<Trouble>,
    counted: Arc<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    answered: AtomicU64,
    unavailable: AtomicU64,
}

/// How the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisState {
    /// The first one is being made.
    Connecting,
    /// Redis answers.
    Up,
    /// It does not, for this reason.
    Away(Arc<str>),
}

/// What was asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedisStats {
    /// Asks that Redis answered, with yes or no.
    pub answered: u64,
    /// Asks that it did not.
    pub unavailable: u64,
}

/// Redis gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis counts no limits at present: {why}; count locally until it is back")]
pub struct Unavailable {
    /// The reason.
    pub why: Arc<str>,
}

impl RedisState {
    pub(super) fn of(link: &Link) -> Self {
        match link {
            Link::Connecting => Self::Connecting,
            Link::Up(..) => Self::Up,
            Link::Away(why) => Self::Away(why.clone()),
        }
    }
}

impl RedisLimiter {
    /// Begins to connect, in a task of its own on the present runtime (whose IO and time must be enabled). Asks that
    /// come before the first attempt has ended wait for it, within their timeout.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(config: RedisConfig) -> Self {
        let (sender, links) = watch::channel(Link::Connecting);
        // One is enough: the first ends the connection.
        let (troubles, told) = mpsc::channel(1);
        tokio::spawn(keep(config.clone(), sender, told));
        Self {
            config,
            links,
            troubles,
            counted: Arc::default(),
        }
    }

    /// Whether a request may pass all these limits: it takes from all of them, or from none. Takes no longer than the
    /// timeout; dropped, it may be counted all the same.
    ///
    /// # Errors
    /// [`Unavailable`] if Redis does not say.
    pub async fn ask(&self, asks: &[Ask]) -> Result<Answer, Unavailable> {
        let asked = async {
            let (script, number) = self.script().await?;
            let result = script.ask(&self.config.prefix, asks).await;
            result.map_err(|error| self.trouble(number, error.to_string().into()))
        };
        let answer = match timeout(self.config.timeout, asked).await {
            Ok(answer) => answer,
            Err(_) => {
                let why = slow(&self.config);
                Err(match &*self.links.borrow() {
                    Link::Up(_, number) => self.trouble(*number, why),
                    _ => Unavailable { why },
                })
            }
        };
        let counter = match &answer {
            Ok(_) => &self.counted.answered,
            Err(_) => &self.counted.unavailable,
        };
        counter.fetch_add(1, Relaxed);
        answer
    }

    async fn script(&self) -> Result<(Script, u64), Unavailable> {
        let mut links = self.links.clone();
        let settled = links.wait_for(|link| !matches!(link, Link::Connecting));
        match settled.await.as_deref() {
            Ok(Link::Up(script, number)) => Ok((script.clone(), *number)),
            Ok(Link::Away(why)) => Err(Unavailable { why: why.clone() }),
            Ok(Link::Connecting) | Err(_) => Err(Unavailable {
                why: "the runtime that keeps the connection has ended".into(),
            }),
        }
    }

    /// An ask on that connection had no answer: it is given up.
    fn trouble(&self, on: u64, why: Arc<str>) -> Unavailable {
        // If there is no room, another's trouble ends the connection.
        let _ = self.troubles.try_send(Trouble {
            on,
            why: why.clone(),
        });
        Unavailable { why }
    }

    /// How the connection is.
    pub fn state(&self) -> RedisState {
        RedisState::of(&self.links.borrow())
    }

    /// Waits until Redis answers.
    pub async fn up(&self) {
        let mut links = self.links.clone();
        if links
            .wait_for(|link| matches!(link, Link::Up(..)))
            .await
            .is_err()
        {
            // Never, without its runtime.
            std::future::pending().await
        }
    }

    /// What was asked so far, by all clones.
    pub fn stats(&self) -> RedisStats {
        RedisStats {
            answered: self.counted.answered.load(Relaxed),
            unavailable: self.counted.unavailable.load(Relaxed),
        }
    }
}

impl fmt::Debug for RedisLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimiter")
            .field("config", &self.config)
            .field("state", &self.state())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
