//! Logs as the environment asks for them, for services that have no subscriber of their own.

use tracing_subscriber::{EnvFilter, fmt};

/// Writes logs to standard error: `RUST_LOG` says which (`info` by default), `GUILDHALL_LOG=json`
/// makes each line a JSON object. Does nothing if there is a subscriber already.
pub fn init_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let builder = fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr);
    let json =
        std::env::var("GUILDHALL_LOG").is_ok_and(|format| format.eq_ignore_ascii_case("json"));
    // An error means that the author has set a subscriber, which is theirs to choose.
    let _ = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.try_init()
    };
}
