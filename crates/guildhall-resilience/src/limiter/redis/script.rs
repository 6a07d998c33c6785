//! The script, loaded on one connection: what is asked of it, and what its replies mean.

use std::sync::Arc;

use redis::{Cmd, ErrorKind, RedisError, aio::MultiplexedConnection, cmd};

use super::super::{
    Limited, Quota,
    exact::{Answer, Ask, Over},
    gcra::Rate,
};

const SCRIPT: &str = include_str!("gcra.lua");

/// A connection on which the script can be asked.
#[derive(Clone, Debug)]
pub(super) struct Script {
    connection: MultiplexedConnection,
    digest: Arc<str>,
}

impl Script {
    /// Loads the script.
    pub(super) async fn load(mut connection: MultiplexedConnection) -> Result<Self, RedisError> {
        let load = cmd("SCRIPT").arg("LOAD").arg(SCRIPT).to_owned();
        let digest: String = load.query_async(&mut connection).await?;
        Ok(Self {
            connection,
            digest: digest.into(),
        })
    }

    /// Asks all limits at once.
    pub(super) async fn ask(&self, prefix: &str, asks: &[Ask]) -> Result<Answer, RedisError> {
        let mut connection = self.connection.clone();
        let reply = eval("EVALSHA", &self.digest, prefix, asks)
            .query_async(&mut connection)
            .await;
        let reply = match reply {
            // Somebody has flushed the server's scripts. The text loads it again.
            Err(error) if error.code() == Some("NOSCRIPT") => {
                eval("EVAL", SCRIPT, prefix, asks)
                    .query_async(&mut connection)
                    .await
            }
            reply => reply,
        };
        let reply: Vec<i64> = reply?;
        understood(&reply, asks).ok_or_else(|| {
            RedisError::from((
                ErrorKind::UnexpectedReturnType,
                "the script's reply is none of its own",
            ))
        })
    }

    /// An ask that limits nobody: whether the server would answer one that does, and how fast.
    pub(super) async fn rehearse(&self, prefix: &str, quota: Quota) -> Result<(), RedisError> {
        let ask = Ask::new("rehearsal", quota);
        self.ask(prefix, &[ask]).await.map(|_| ())
    }
}

fn eval(how: &str, script: &str, prefix: &str, asks: &[Ask]) -> Cmd {
    let mut command = cmd(how);
    command.arg(script).arg(asks.len());
    for ask in asks {
        command.arg(key(prefix, ask));
    }
    for ask in asks {
        let rate = Rate::new(&ask.quota);
        command.arg(rate.interval).arg(rate.window);
    }
    command
}

/// `{prefix}:{count}`, and the hash of what it counts by: outsiders choose that, so that it may be long, or secret, or
/// made to look like another's.
fn key(prefix: &str, ask: &Ask) -> String {
    match &ask.key {
        None => format!("{prefix}:{}", ask.count),
        Some(by) => {
            let hash = blake3::hash(by.as_bytes()).to_hex();
            // 128 bits: nobody finds two keys with the same.
            format!("{prefix}:{}/{}", ask.count, &hash[..32])
        }
    }
}

/// What a reply means; `None` if it is none of the script's.
fn understood(reply: &[i64], asks: &[Ask]) -> Option<Answer> {
    let (first, rest) = reply.split_first()?;
    let refused = usize::try_from(*first).ok()?;
    let nanos = |n: i64| u64::try_from(n).ok();
    let Some(at) = refused.checked_sub(1) else {
        if rest.len() != asks.len() {
            return None;
        }
        let allowed = rest
            .iter()
            .zip(asks)
            .map(|(ahead, ask)| Some(Rate::new(&ask.quota).allowed(nanos(*ahead)?, 0)));
        return allowed.collect::<Option<Vec<_>>>().map(Ok);
    };
    let rate = Rate::new(&asks.get(at)?.quota);
    let &[ahead, early] = rest else { return None };
    let limited: Limited = rate.limited(nanos(ahead)?, 0, Some(nanos(early)?));
    Some(Err(Over { at, limited }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asks() -> [Ask; 2] {
        let quota = Quota::per_second(10).unwrap();
        [
            Ask::new("a", quota),
            Ask::new("b", quota.with_burst(5).unwrap()).with_key("ann"),
        ]
    }

    #[test]
    fn replies_are_taken_as_they_are_meant_and_others_are_not() {
        let answer = understood(&[0, 100_000_000, 500_000_000], &asks()).unwrap();
        let left: Vec<u32> = answer.unwrap().iter().map(|it| it.remaining()).collect();
        assert_eq!(left, [9, 0]);
        let over = understood(&[2, 500_000_000, 30_000_000], &asks())
            .unwrap()
            .unwrap_err();
        assert_eq!(over.at, 1);
        assert_eq!(over.limited.retry_after, Some(Duration::from_millis(30)));
        assert_eq!(over.limited.status.remaining, 0);
        for reply in [
            &[][..],
            &[0],
            &[0, 1],
            &[0, 1, -1],
            &[1],
            &[3, 1, 1],
            &[-1, 1, 1],
            &[1, 1, 1, 1],
        ] {
            assert_eq!(understood(reply, &asks()), None, "{reply:?}");
        }
    }

    #[test]
    fn keys_name_the_limit_and_hide_what_it_counts_by() {
        let [all, each] = asks();
        assert_eq!(key("shop", &all), "shop:a");
        let named = key("shop", &each);
        assert!(named.starts_with("shop:b/") && named.len() == "shop:b/".len() + 32);
        assert_ne!(named, key("shop", &each.with_key("bob")));
    }
}
