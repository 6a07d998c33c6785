//! Limits in a real Redis: exact however many ask, and no burden while it is away.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use guildhall_resilience::limiter::{
    Quota,
    exact::{Ask, Over},
    redis::{RedisConfig, RedisLimiter, RedisState},
};
use guildhall_testkit::redis::Redis;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{ms, quota};

const HOUR: Duration = Duration::from_secs(3600);
/// How long a test waits for what is to happen.
const SOON: Duration = Duration::from_secs(30);

/// A timeout that a busy machine keeps, for tests that are not about it.
fn patient(redis: &Redis) -> RedisConfig {
    let config = RedisConfig::new(&redis.url()).unwrap();
    let config = config.with_timeout(Duration::from_secs(10)).unwrap();
    config.with_connect_timeout(SOON)
}

async fn limiter(redis: &Redis) -> RedisLimiter {
    let limiter = RedisLimiter::start(patient(redis));
    soon(limiter.up()).await;
    limiter
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap()
}

/// Asks until it is `so`.
async fn until(mut so: impl FnMut() -> bool) {
    let mut pace = tokio::time::interval(ms(5));
    soon(async {
        while !so() {
            pace.tick().await;
        }
    })
    .await;
}

/// What one limit says.
async fn one(limiter: &RedisLimiter, ask: &Ask) -> Result<u32, Over> {
    let answer = limiter.ask(std::slice::from_ref(ask)).await.unwrap();
    answer.map(|allowed| allowed[0].remaining())
}

#[tokio::test]
async fn it_is_a_bucket_that_says_what_is_left_and_when_to_come_back() {
    let redis = Redis::start().unwrap();
    let limiter = limiter(&redis).await;
    let ask = Ask::new("a", quota(1, HOUR, 3));
    for left in [2, 1, 0] {
        assert_eq!(one(&limiter, &ask).await, Ok(left));
    }
    let over = one(&limiter, &ask).await.unwrap_err();
    let retry_after = over.limited.retry_after.unwrap();
    assert!(
        retry_after <= HOUR && retry_after > HOUR - SOON,
        "{retry_after:?}"
    );
    assert_eq!(over.limited.status.limit, 3);

    // Requests come back at the rate.
    let fast = Ask::new("b", quota(1, ms(20), 1));
    assert_eq!(one(&limiter, &fast).await, Ok(0));
    soon(async {
        while one(&limiter, &fast).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_ask_together_they_never_get_more_than_the_limit() {
    let redis = Redis::start().unwrap();
    let ask = Ask::new("shared", quota(100, HOUR, 100));
    let mut asking = JoinSet::new();
    for _ in 0..4 {
        let limiter = limiter(&redis).await;
        for _ in 0..60 {
            let (limiter, ask) = (limiter.clone(), ask.clone());
            asking.spawn(async move { one(&limiter, &ask).await.is_ok() });
        }
    }
    let passed = soon(asking.join_all()).await;
    assert_eq!(passed.into_iter().filter(|passed| *passed).count(), 100);
}

#[tokio::test]
async fn a_request_takes_from_all_limits_or_from_none() {
    let redis = Redis::start().unwrap();
    let limiter = limiter(&redis).await;
    let wide = Ask::new("wide", quota(1, HOUR, 10));
    let narrow = Ask::new("narrow", quota(1, HOUR, 2));
    let both = [wide.clone(), narrow.clone()];
    for left in [[9, 1], [8, 0]] {
        let allowed = limiter.ask(&both).await.unwrap().unwrap();
        assert_eq!([allowed[0].remaining(), allowed[1].remaining()], left);
    }
    for _ in 0..3 {
        assert_eq!(limiter.ask(&both).await.unwrap().unwrap_err().at, 1);
    }
    assert_eq!(one(&limiter, &wide).await, Ok(7));
}

#[tokio::test]
async fn each_key_has_the_limit_for_itself_under_a_name_that_hides_it_until_it_expires() {
    let redis = Redis::start().unwrap();
    let limiter = limiter(&redis).await;
    let limit = |key: &str| Ask::new("default/calm/each", quota(1, HOUR, 1)).with_key(key);
    assert_eq!(one(&limiter, &limit("ann")).await, Ok(0));
    assert!(one(&limiter, &limit("ann")).await.is_err());
    assert_eq!(one(&limiter, &limit("bob")).await, Ok(0));
    let keys = redis.command("KEYS guildhall:default*").unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        assert!(key.starts_with("guildhall:default/calm/each/"), "{key}");
        assert!(!key.contains("ann") && !key.contains("bob"), "{key}");
        let left: u64 = redis.command(&format!("PTTL {key}")).unwrap()[0]
            .parse()
            .unwrap();
        assert!(left > 0 && left <= 3_600_000, "{left}");
    }
    // Another prefix is another count.
    let other = RedisLimiter::start(patient(&redis).with_prefix("other").unwrap());
    assert_eq!(one(&other, &limit("ann")).await, Ok(0));
}

#[tokio::test]
async fn an_edit_keeps_the_requests_that_are_used_up() {
    let redis = Redis::start().unwrap();
    let limiter = limiter(&redis).await;
    let limit = |quota: Quota| Ask::new("edited", quota);
    for left in [9, 8, 7, 6] {
        assert_eq!(one(&limiter, &limit(quota(10, HOUR, 10))).await, Ok(left));
    }
    // Four are used up, whatever one costs now.
    assert_eq!(one(&limiter, &limit(quota(20, HOUR, 20))).await, Ok(15));
    assert_eq!(one(&limiter, &limit(quota(6, HOUR, 6))).await, Ok(0));
    let over = one(&limiter, &limit(quota(2, HOUR, 2))).await.unwrap_err();
    assert!(over.limited.retry_after.unwrap() <= HOUR / 2);
    // What came to be more than a full burst was cut.
    assert!(one(&limiter, &limit(quota(100, HOUR, 100))).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_was_set_back_and_keys_of_others_shut_nobody_out() {
    let redis = Redis::start().unwrap();
    let limiter = limiter(&redis).await;
    let limit = |name: &str| Ask::new(name, quota(1, ms(50), 2));
    // As if the server's clock had been far ahead.
    redis
        .command("SET guildhall:back \"9999999999 0 50000000\"")
        .unwrap();
    let over = one(&limiter, &limit("back")).await.unwrap_err();
    assert!(over.limited.retry_after.unwrap() <= ms(50));
    soon(async {
        while one(&limiter, &limit("back")).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    redis.command("LPUSH guildhall:list x").unwrap();
    assert_eq!(one(&limiter, &limit("list")).await, Ok(1));
    redis.command("SET guildhall:text hello").unwrap();
    assert_eq!(one(&limiter, &limit("text")).await, Ok(1));
    assert_eq!(limiter.state(), RedisState::Up);
}

#[tokio::test]
async fn scripts_that_were_flushed_are_loaded_again() {
    let redis = Redis::start().unwrap();
    let limiter = limiter(&redis).await;
    let ask = Ask::new("a", quota(1, HOUR, 3));
    assert_eq!(one(&limiter, &ask).await, Ok(2));
    redis.command("SCRIPT FLUSH").unwrap();
    assert_eq!(one(&limiter, &ask).await, Ok(1));
    assert_eq!(one(&limiter, &ask).await, Ok(0));
}

/// States as they were told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<RedisState>>>);

impl Told {
    fn of(config: RedisConfig) -> (RedisConfig, Self) {
        let told = Self::default();
        let list = told.0.clone();
        let config = config.on_change(move |state| list.lock().unwrap().push(state.clone()));
        (config, told)
    }

    fn words(&self) -> Vec<&'static str> {
        let told = self.0.lock().unwrap();
        let words = told.iter().map(|state| match state {
            RedisState::Connecting => "connecting",
            RedisState::Up => "up",
            RedisState::Away(_) => "away",
        });
        words.collect()
    }
}

#[tokio::test]
async fn a_server_that_dies_is_noticed_at_once_and_found_again_when_it_is_back() {
    let mut redis = Redis::start().unwrap();
    let (config, told) = Told::of(patient(&redis));
    let limiter = RedisLimiter::start(config);
    let ask = Ask::new("a", quota(1, HOUR, 3));
    // The first ask waits for the connection.
    assert_eq!(one(&limiter, &ask).await, Ok(2));
    redis.kill().unwrap();
    // Without anybody asking.
    until(|| limiter.state() != RedisState::Up).await;
    let began = Instant::now();
    for _ in 0..1000 {
        limiter.ask(std::slice::from_ref(&ask)).await.unwrap_err();
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "each answered at once"
    );
    redis.restart().unwrap();
    soon(limiter.up()).await;
    assert_eq!(one(&limiter, &ask).await, Ok(2));
    assert_eq!(told.words(), ["up", "away", "up"]);
    let stats = limiter.stats();
    assert_eq!((stats.answered, stats.unavailable), (2, 1000));
}

#[tokio::test]
async fn a_server_that_is_slow_holds_nobody_longer_than_the_timeout_and_only_once() {
    let redis = Redis::start().unwrap();
    let config = RedisConfig::new(&redis.url()).unwrap();
    let (config, told) = Told::of(config.with_timeout(ms(300)).unwrap());
    let limiter = RedisLimiter::start(config);
    soon(limiter.up()).await;
    let ask = Ask::new("a", quota(1, HOUR, 1000));
    redis.hold().unwrap();
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let (limiter, ask) = (limiter.clone(), ask.clone());
        asking.spawn(async move { limiter.ask(&[ask]).await.unwrap_err() });
    }
    let said = soon(asking.join_all()).await;
    let took = began.elapsed();
    assert!(took >= ms(300) && took < ms(2000), "{took:?}");
    assert!(
        said.iter()
            .any(|said| &*said.why == "no answer within 300ms")
    );
    until(|| limiter.state() != RedisState::Up).await;
    let began = Instant::now();
    for _ in 0..1000 {
        limiter.ask(std::slice::from_ref(&ask)).await.unwrap_err();
    }
    assert!(began.elapsed() < ms(2000), "{:?}", began.elapsed());
    redis.go_on().unwrap();
    soon(limiter.up()).await;
    assert!(one(&limiter, &ask).await.is_ok());
    assert_eq!(told.words(), ["up", "away", "up"]);
    // What was tried in vain is gone.
    until(|| redis.clients().unwrap() == 1).await;
}

#[tokio::test]
async fn whoever_cannot_connect_is_told_why_and_never_the_password() {
    let url = "unix:///nowhere/redis.sock?pass=secret";
    let config = RedisConfig::new(url).unwrap();
    let limiter = RedisLimiter::start(config);
    let ask = [Ask::new("a", quota(1, HOUR, 3))];
    let unavailable = limiter.ask(&ask).await.unwrap_err().to_string();
    assert!(unavailable.contains("No such file"), "{unavailable}");

    let redis = Redis::start().unwrap();
    redis.command("CONFIG SET requirepass other").unwrap();
    let config = RedisConfig::new(&format!("{}?pass=secret", redis.url())).unwrap();
    let limiter = RedisLimiter::start(config.with_timeout(Duration::from_secs(10)).unwrap());
    let unavailable = limiter.ask(&ask).await.unwrap_err().to_string();
    assert!(!unavailable.contains("secret"), "{unavailable}");
    assert!(unavailable.contains("authentication"), "{unavailable}");
    let config = RedisConfig::new(&format!("{}?pass=other", redis.url())).unwrap();
    let limiter = RedisLimiter::start(config.with_timeout(Duration::from_secs(10)).unwrap());
    assert!(limiter.ask(&ask).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_server_that_takes_no_writes_counts_as_away_until_it_does() {
    let redis = Redis::start().unwrap();
    let (config, told) = Told::of(patient(&redis));
    let limiter = RedisLimiter::start(config);
    let ask = Ask::new("a", quota(1, HOUR, 100));
    assert!(one(&limiter, &ask).await.is_ok());
    redis.command("CONFIG SET maxmemory 1").unwrap();
    let why = limiter
        .ask(std::slice::from_ref(&ask))
        .await
        .unwrap_err()
        .why;
    assert!(why.contains("OOM"), "{why}");
    until(|| limiter.state() != RedisState::Up).await;
    assert!(limiter.ask(std::slice::from_ref(&ask)).await.is_err());
    redis.command("CONFIG SET maxmemory 0").unwrap();
    soon(limiter.up()).await;
    assert!(one(&limiter, &ask).await.is_ok());
    assert_eq!(told.words(), ["up", "away", "up"]);
}

#[tokio::test]
async fn the_last_clone_takes_the_connection_with_it() {
    let redis = Redis::start().unwrap();
    let limiter = limiter(&redis).await;
    let other = limiter.clone();
    drop(limiter);
    assert!(one(&other, &Ask::new("a", quota(1, HOUR, 3))).await.is_ok());
    assert_eq!(redis.clients().unwrap(), 1);
    drop(other);
    until(|| redis.clients().unwrap() == 0).await;
}
