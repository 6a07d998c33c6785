//! How the health of an instance is known.

mod form;
mod status_range;

pub use status_range::StatusRange;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CheckState;
use crate::document::{Period, Pointer, Problems};
use form::CheckForm;

/// One named check of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CheckForm", into = "CheckForm")]
pub struct Check {
    /// Unique among the instance's checks; its type if not given.
    pub name: String,
    /// What is done to know.
    pub probe: Probe,
    /// The state until the first result; none: the instance is `starting`.
    pub initial_status: Option<CheckState>,
    /// The instance is removed after it has been critical for this long without a break.
    pub deregister_after: Option<Period>,
}

/// What is done to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// GET; 2xx passes, 429 warns, anything else fails, unless `expected_status` says otherwise.
    Http {
        /// The port; the instance's default if absent.
        port: Option<u16>,
        /// The path with its query; `/health` if not given.
        path: String,
        /// Headers to send.
        headers: BTreeMap<String, String>,
        /// The statuses that pass; empty: 2xx.
        expected_status: Vec<StatusRange>,
        /// Text that the first 64 KiB of the body must contain.
        expected_body: Option<String>,
        /// How the instance's certificate is judged; none: by its host's name.
        tls: Option<Box<CheckTls>>,
        /// When it runs.
        schedule: Schedule,
    },
    /// A TCP connection is made and closed.
    Tcp {
        /// The port; the instance's default if absent.
        port: Option<u16>,
        /// When it runs.
        schedule: Schedule,
    },
    /// `grpc.health.v1.Health/Check`; SERVING passes.
    Grpc {
        /// The port; the instance's default if absent.
        port: Option<u16>,
        /// The gRPC service asked about; the whole server if empty.
        service: String,
        /// How the instance's certificate is judged; none: by its host's name.
        tls: Option<Box<CheckTls>>,
        /// When it runs.
        schedule: Schedule,
    },
    /// The instance reports by itself; silence for `ttl` is critical.
    Ttl {
        /// The longest silence.
        ttl: Period,
    },
}

/// How a check judges the certificate of a port whose protocol is `https`; on any other port it
/// speaks in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CheckTls {
    /// Whether any certificate will do. Off by default.
    pub skip_verify: bool,
    /// The name that is asked for (SNI) and that the certificate must be for; the instance's host
    /// if absent.
    pub server_name: Option<String>,
}

/// When an active check runs and how many results it takes to believe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From one start to the next; the first is put off by a random part of it.
    pub interval: Period,
    /// How long one check may take.
    pub timeout: Period,
    /// Passes in a row that make it passing.
    pub rise: u32,
    /// Failures in a row that make it critical.
    pub fall: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            interval: Period::secs(10),
            timeout: Period::secs(2),
            rise: 1,
            fall: 3,
        }
    }
}

impl Check {
    /// The most checks one instance may have.
    pub const MAX: usize = 32;

    /// How the check judges a certificate, if it says anything of that.
    pub fn tls(&self) -> Option<&CheckTls> {
        match &self.probe {
            Probe::Http { tls, .. } | Probe::Grpc { tls, .. } => tls.as_deref(),
            Probe::Tcp { .. } | Probe::Ttl { .. } => None,
        }
    }

    /// When the check runs; `None` for a ttl check.
    pub fn schedule(&self) -> Option<&Schedule> {
        match &self.probe {
            Probe::Http { schedule, .. }
            | Probe::Tcp { schedule, .. }
            | Probe::Grpc { schedule, .. } => Some(schedule),
            Probe::Ttl { .. } => None,
        }
    }

    /// What the check says until its first result.
    pub fn first_state(&self) -> CheckState {
        self.initial_status.unwrap_or(CheckState::Starting)
    }

    /// Validates the checks of one instance, or those a service gives to all of its instances.
    pub(super) fn validate_all(checks: &[Check], at: &Pointer<'_>, problems: &mut Problems) {
        problems.check(
            checks.len() <= Self::MAX,
            at,
            format_args!("at most {} checks", Self::MAX),
        );
        for (n, check) in checks.iter().take(Self::MAX).enumerate() {
            let at = at.item(n);
            let twice = checks[..n].iter().any(|c| c.name == check.name);
            problems.check(
                !twice,
                at.field("name"),
                format_args!("two checks are named {:?}; give each a name", check.name),
            );
            let name =
                (1..=253).contains(&check.name.len()) && !check.name.contains(char::is_control);
            problems.check(
                name,
                at.field("name"),
                "1 to 253 characters, no control characters",
            );
            check.validate(&at, problems);
        }
    }

    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        if let Some(schedule) = self.schedule() {
            let interval = schedule.interval >= Period::millis(10);
            problems.check(interval, at.field("interval"), "at least 10ms");
            let timeout = schedule.timeout >= Period::millis(1);
            problems.check(timeout, at.field("timeout"), "at least 1ms");
            problems.check(schedule.rise > 0, at.field("rise"), "at least 1");
            problems.check(schedule.fall > 0, at.field("fall"), "at least 1");
        }
        // A health port need not be among the traffic ports, so only 0 is refused.
        problems.check(
            self.port() != Some(0),
            at.field("port"),
            "a port is 1 to 65535",
        );
        if let Some(name) = self.tls().and_then(|tls| tls.server_name.as_ref()) {
            let known = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
            problems.check(
                (1..=253).contains(&name.len()) && name.chars().all(known),
                at.field("tlsServerName"),
                "a host name or an IP address of 1 to 253 characters",
            );
        }
        match &self.probe {
            Probe::Ttl { ttl } => {
                problems.check(*ttl >= Period::millis(10), at.field("ttl"), "at least 10ms");
            }
            Probe::Http { path, headers, .. } => {
                let blank = |c: char| c.is_whitespace() || c.is_control();
                let path = path.starts_with('/') && !path.contains(blank);
                problems.check(path, at.field("path"), "begins with / and has no spaces");
                for (name, value) in headers {
                    let token =
                        |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                    let good = !name.is_empty()
                        && name.chars().all(token)
                        && !value.contains(char::is_control);
                    problems.check(
                        good,
                        at.field("headers").field(name),
                        "not a header that HTTP can carry",
                    );
                }
            }
            Probe::Tcp { .. } | Probe::Grpc { .. } => {}
        }
    }

    /// The port the check names.
    pub fn port(&self) -> Option<u16> {
        match &self.probe {
            Probe::Http { port, .. } | Probe::Tcp { port, .. } | Probe::Grpc { port, .. } => *port,
            Probe::Ttl { .. } => None,
        }
    }
}
