//! Log lines on stderr, as text or JSON.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::settings::{Log, LogFormat};

/// Why nothing could be set up for log lines.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoggingError {
    /// The level is not one.
    #[error(
        "log.level {level:?} is none: {detail}; write error, warn, info, debug or trace, or a list such as info,guildhall_control=debug"
    )]
    Level {
        /// As it was given.
        level: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The process has log lines already.
    #[error("log lines are set up already in this process")]
    Twice,
}

/// Sends every log line of the process to stderr.
pub(crate) fn start(log: &Log) -> Result<(), LoggingError> {
    // The audit file has these records already, and a fleet that registers writes many of them.
    let audit = if log.audit { "audit=info" } else { "audit=off" };
    let filter = EnvFilter::try_new(format!("{},{audit}", log.level)).map_err(|error| {
        LoggingError::Level {
            level: log.level.clone(),
            detail: error.to_string(),
        }
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let done = match log.format {
        LogFormat::Text => {
            let lines = fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal());
            registry.with(lines).try_init()
        }
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
    done.map_err(|_| LoggingError::Twice)
}
