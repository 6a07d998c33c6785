//! Where Redis is, and how long it may take.

use std::{fmt, sync::Arc, time::Duration};

use redis::{ConnectionInfo, IntoConnectionInfo};

use super::RedisState;
use crate::ConfigError;

/// Told of each change.
type OnChange = dyn Fn(&RedisState) + Send + Sync;

/// Where Redis is, how long it may take, and what keys are called. Shows no password.
#[derive(Clone)]
pub struct RedisConfig {
    pub(super) server: ConnectionInfo,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) prefix: Arc<str>,
    pub(super) on_change: Option<Arc<OnChange>>,
}

impl RedisConfig {
    /// A server's address: `redis://[user:password@]host[:port][/database]`, or the path of its socket as
    /// `unix:///path[?db=database&user=user&pass=password]`. Answers within 50 ms, keys that begin with `guildhall`.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let server = url.into_connection_info().map_err(|_| ConfigError {
            field: "url",
            remedy: "must be redis://[user:password@]host[:port][/database] or unix:///path; TLS is not spoken",
        })?;
        Ok(Self {
            server,
            timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(1),
            prefix: "guildhall".into(),
            on_change: None,
        })
    }

    /// How long an ask may take before Redis counts as away.
    ///
    /// # Errors
    /// If it is shorter than a millisecond or longer than ten seconds.
    pub fn with_timeout(self, timeout: Duration) -> Result<Self, ConfigError> {
        ConfigError::unless(
            (Duration::from_millis(1)..=Duration::from_secs(10)).contains(&timeout),
            "timeout",
            "must be from 1 ms to 10 s; requests wait that long when Redis has gone",
        )?;
        Ok(Self { timeout, ..self })
    }

    /// How long a connection may take to be made; 1 s. Nobody waits for that.
    #[must_use]
    pub fn with_connect_timeout(self, connect_timeout: Duration) -> Self {
        Self {
            connect_timeout,
            ..self
        }
    }

    /// What all keys begin with, before a colon: who shares a server without sharing limits gives each its own.
    ///
    /// # Errors
    /// If it is empty or longer than 128 bytes, or has other than visible ASCII characters.
    pub fn with_prefix(self, prefix: &str) -> Result<Self, ConfigError> {
        ConfigError::unless(
            (1..=128).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_graphic()),
            "prefix",
            "must be 1 to 128 visible ASCII characters",
        )?;
        Ok(Self {
            prefix: prefix.into(),
            ..self
        })
    }

    /// Is told of each change of [state](RedisState), once, by the task that keeps the connection: it must not block.
    #[must_use]
    pub fn on_change(self, told: impl Fn(&RedisState) + Send + Sync + 'static) -> Self {
        Self {
            on_change: Some(Arc::new(told)),
            ..self
        }
    }

    /// How long an ask may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("server", &self.server.addr().to_string())
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_and_passwords_are_not() {
        for url in [
            "",
            "127.0.0.1",
            "http://127.0.0.1",
            "rediss://127.0.0.1",
            "redis://:x:/",
        ] {
            let error = RedisConfig::new(url).unwrap_err();
            assert!(
                error.to_string().starts_with("url: must be redis://"),
                "{url}"
            );
        }
        let config = RedisConfig::new("redis://ann:secret@10.0.0.1:6380/2").unwrap();
        let shown = format!("{config:?}");
        assert!(
            shown.contains("10.0.0.1:6380") && !shown.contains("secret"),
            "{shown}"
        );
        let config = RedisConfig::new("unix:///run/redis.sock?pass=secret&db=1").unwrap();
        let shown = format!("{config:?}");
        assert!(
            shown.contains("/run/redis.sock") && !shown.contains("secret"),
            "{shown}"
        );
        assert!(config.clone().with_prefix("").is_err());
        assert!(config.clone().with_prefix("a b").is_err());
        assert!(config.with_timeout(Duration::ZERO).is_err());
    }
}
