//! Waiting for a condition, never for a time.

use std::time::Duration;

/// How long anything may take that normally takes well under a second, on a machine that is busy with other things.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How long after a refusal the condition is looked at again.
const AGAIN: Duration = Duration::from_millis(40);

/// Why a condition does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Not {
    /// It may come to hold. What was seen instead.
    Yet(String),
    /// It will not. What was seen instead.
    Ever(String),
}

impl From<String> for Not {
    fn from(seen: String) -> Self {
        Self::Yet(seen)
    }
}

/// Looks until the condition holds, and answers what it found; or, once it cannot hold any more or `within` is over,
/// what was seen last.
pub(super) async fn until<T>(
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<T, Not>,
) -> Result<T, String> {
    let mut last = format!("nothing within {within:?}");
    let looking = async {
        loop {
            match look().await {
                Ok(found) => return Ok(found),
                Err(Not::Ever(seen)) => return Err(seen),
                Err(Not::Yet(seen)) => last = seen,
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    match tokio::time::timeout(within, looking).await {
        Ok(done) => done,
        Err(_) => Err(format!("after {within:?}: {last}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_condition_is_looked_at_until_it_holds_or_cannot() {
        let mut looks = 0;
        let third = until(PATIENCE, async || {
            looks += 1;
            if looks == 3 {
                Ok(looks)
            } else {
                Err(Not::Yet(format!("look {looks}")))
            }
        });
        assert_eq!(third.await, Ok(3));
        let never: Result<(), _> =
            until(PATIENCE, async || Err(Not::Ever("it has ended".to_owned()))).await;
        assert_eq!(never, Err("it has ended".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_deadline_the_last_thing_seen_is_told() {
        let late: Result<(), _> = until(Duration::from_secs(1), async || {
            Err("503".to_owned().into())
        })
        .await;
        assert_eq!(late, Err("after 1s: 503".to_owned()));
        let hangs: Result<(), _> = until(Duration::from_secs(1), std::future::pending).await;
        assert_eq!(hangs, Err("after 1s: nothing within 1s".to_owned()));
    }
}
