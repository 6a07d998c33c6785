//! What only makes sense together: which combinations of settings are refused, and what to do instead.

use guildhall_control::history::HistoryOptions;
use guildhall_core::document::Period;
use guildhall_gateway::{ConfigError, RedisConfig};

use super::{Finding, Loaded, RateLimit, Role, Settings, Source};

/// Everything wrong with settings that parse.
pub(crate) fn findings(loaded: &Loaded) -> Vec<Finding> {
    let settings = &loaded.settings;
    let rules: [(&str, Option<String>); 20] = [
        ("server.roles", roles(settings)),
        ("server.control", control(settings)),
        ("api.listen", exposed(settings)),
        ("api.tls_key", tls_pair(settings)),
        ("config.seal_keys", seal_keys_once(settings)),
        ("api.max_body", body(settings)),
        (
            "api.max_connections",
            at_least_one(settings.api.max_connections),
        ),
        (
            "api.watch_keepalive",
            keepalive(settings.api.watch_keepalive),
        ),
        (
            "api.header_timeout",
            at_least(settings.api.header_timeout, Period::secs(1)),
        ),
        ("store.segment_size", segment(settings)),
        ("gateway.max_head", head(settings)),
        ("history.keep", versions(settings.history.keep)),
        (
            "fleet.silence",
            at_least(settings.fleet.silence, Period::secs(1)),
        ),
        ("rate_limit.redis_url", redis_url(&settings.rate_limit)),
        (
            "rate_limit.timeout",
            redis(|redis| redis.with_timeout(settings.rate_limit.timeout.get())),
        ),
        (
            "rate_limit.key_prefix",
            redis(|redis| redis.with_prefix(&settings.rate_limit.key_prefix)),
        ),
        ("watch.queue", at_least_one(settings.watch.queue)),
        (
            "checks.concurrency",
            at_least_one(settings.checks.concurrency),
        ),
        (
            "api.tls_reload",
            at_least(settings.api.tls_reload, Period::millis(10)),
        ),
        (
            "auth.reload",
            at_least(settings.auth.reload, Period::millis(10)),
        ),
    ];
    let wrong = rules.into_iter().filter_map(|(setting, detail)| {
        let source = loaded
            .sources
            .get(setting)
            .cloned()
            .unwrap_or(Source::Default);
        Some(Finding {
            setting: setting.to_owned(),
            source,
            detail: detail?,
        })
    });
    wrong.collect()
}

fn versions(keep: u32) -> Option<String> {
    let least = HistoryOptions::LEAST;
    (keep < least).then(|| {
        format!("{keep} is too few: at least {least}, the live version and the one it replaced")
    })
}

fn roles(settings: &Settings) -> Option<String> {
    settings.server.roles.is_empty().then(|| {
        let all: Vec<&str> = Role::ALL.iter().map(|role| role.word()).collect();
        format!("a node needs a role; there are: {}", all.join(", "))
    })
}

fn control(settings: &Settings) -> Option<String> {
    let urls = &settings.server.control;
    if let Some(bad) = urls
        .iter()
        .find(|url| !url.starts_with("http://") && !url.starts_with("https://"))
    {
        return Some(format!(
            "{bad:?} is not the URL of a control node, such as http://127.0.0.1:7420"
        ));
    }
    let authority = |url: &str| url.split('/').nth(2).is_some_and(|at| at.contains('@'));
    if urls.iter().any(|url| authority(url)) {
        return Some("a URL with a password is shown wherever the URL is; leave it out, and give server.control_token".to_owned());
    }
    match (settings.has(Role::Control), urls.is_empty()) {
        (false, true) => Some(
            "a node without the control role gets its documents from one that has it; \
             give --control URL, or add control to --role"
                .to_owned(),
        ),
        (true, false) => Some("this node has the control role itself; leave --control out, or leave control out of --role".to_owned()),
        _ => None,
    }
}

/// Invariant 11: beyond this machine only with authentication, unless someone insists.
fn exposed(settings: &Settings) -> Option<String> {
    let listen = settings.api.listen;
    let open = !listen.ip().to_canonical().is_loopback()
        && settings.auth.token_file.is_none()
        && !settings.server.insecure;
    open.then(|| {
        format!(
            "{listen} can be reached from other machines, and without authentication everyone there would be admin; \
             give --token-file FILE, or listen on 127.0.0.1, or accept it with --insecure"
        )
    })
}

fn seal_keys_once(settings: &Settings) -> Option<String> {
    let config = &settings.config;
    (config.seal_key_file.is_some() && config.seal_keys.is_some())
        .then(|| "give the keys here or in config.seal_key_file, not both".to_owned())
}

fn tls_pair(settings: &Settings) -> Option<String> {
    let api = &settings.api;
    (api.tls_certificate.is_some() != api.tls_key.is_some())
        .then(|| "TLS takes both: api.tls_certificate and api.tls_key".to_owned())
}

fn body(settings: &Settings) -> Option<String> {
    let max = settings.api.max_body.0;
    (!(1024..=64 << 20).contains(&max)).then(|| "from 1KiB to 64MiB".to_owned())
}

/// Clients take a watch for dead after three times the usual silence.
fn keepalive(given: Period) -> Option<String> {
    let allowed = Period::millis(100)..=Period(2 * guildhall_api::wire::sse::KEEP_ALIVE);
    (!allowed.contains(&given)).then(|| format!("from {} to {}", allowed.start(), allowed.end()))
}

fn head(settings: &Settings) -> Option<String> {
    (settings.gateway.max_head.0 < 8 << 10).then(|| "at least 8KiB".to_owned())
}

fn segment(settings: &Settings) -> Option<String> {
    (settings.store.segment_size.0 < 1 << 20).then(|| "at least 1MiB".to_owned())
}

fn redis_url(given: &RateLimit) -> Option<String> {
    let wrong = RedisConfig::new(given.redis_url.as_ref()?.reveal()).err()?;
    Some(wrong.remedy.to_owned())
}

/// What is wrong with one of Redis' settings, wherever that is.
fn redis(given: impl FnOnce(RedisConfig) -> Result<RedisConfig, ConfigError>) -> Option<String> {
    let wrong = RedisConfig::new("redis://localhost")
        .and_then(given)
        .err()?;
    Some(wrong.remedy.to_owned())
}

fn at_least_one(number: usize) -> Option<String> {
    (number == 0).then(|| "at least 1".to_owned())
}

fn at_least(given: Period, least: Period) -> Option<String> {
    (given < least).then(|| format!("at least {least}"))
}
