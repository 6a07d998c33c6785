//! How the health of an instance is known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CheckState;
use crate::document::{Period, Pointer, Problems};

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
        /// When it runs.
        schedule: Schedule,
    },
    /// The instance reports by itself; silence for `ttl` is critical.
    Ttl {
        /// The longest silence.
        ttl: Period,
    },
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

/// HTTP statuses from `first` to `last`, written `200` or `"200-299"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StatusForm", into = "StatusForm")]
pub struct StatusRange {
    /// The lowest status that passes.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StatusForm {
    One(u16),
    Range(String),
}

impl TryFrom<StatusForm> for StatusRange {
    type Error = &'static str;

    fn try_from(form: StatusForm) -> Result<Self, Self::Error> {
        let range = match form {
            StatusForm::One(status) => Some((status, status)),
            StatusForm::Range(text) => {
                let (first, last) = text.split_once('-').unwrap_or((&text, &text));
                first.trim().parse().ok().zip(last.trim().parse().ok())
            }
        };
        match range {
            Some((first, last)) if 100 <= first && first <= last && last <= 599 => {
                Ok(Self { first, last })
            }
            _ => Err("an HTTP status from 100 to 599 or a range such as \"200-299\""),
        }
    }
}

impl From<StatusRange> for StatusForm {
    fn from(range: StatusRange) -> Self {
        if range.first == range.last {
            Self::One(range.first)
        } else {
            Self::Range(format!("{}-{}", range.first, range.last))
        }
    }
}

/// As written: one flat object with a `type`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct CheckForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    r#type: CheckType,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_status: Option<Vec<StatusRange>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rise: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fall: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_status: Option<CheckState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deregister_after: Option<Period>,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CheckType {
    #[default]
    Http,
    Tcp,
    Grpc,
    Ttl,
}

impl CheckForm {
    /// The fields that the check's type has no use for, if any is given.
    fn misplaced(&self) -> Option<&'static str> {
        let http = [
            (self.path.is_some(), "path belongs to http checks"),
            (self.headers.is_some(), "headers belongs to http checks"),
            (
                self.expected_status.is_some(),
                "expectedStatus belongs to http checks",
            ),
            (
                self.expected_body.is_some(),
                "expectedBody belongs to http checks",
            ),
        ];
        let active = [
            (self.port.is_some(), "port does not apply to ttl checks"),
            (
                self.interval.is_some(),
                "interval does not apply to ttl checks; give ttl",
            ),
            (
                self.timeout.is_some(),
                "timeout does not apply to ttl checks; give ttl",
            ),
            (self.rise.is_some(), "rise does not apply to ttl checks"),
            (self.fall.is_some(), "fall does not apply to ttl checks"),
        ];
        let grpc = [(self.service.is_some(), "service belongs to grpc checks")];
        let ttl = [(
            self.ttl.is_some(),
            "ttl belongs to ttl checks; give interval",
        )];
        let wrong: &[&[(bool, &'static str)]] = match self.r#type {
            CheckType::Http => &[&grpc, &ttl],
            CheckType::Tcp => &[&http, &grpc, &ttl],
            CheckType::Grpc => &[&http, &ttl],
            CheckType::Ttl => &[&http, &grpc, &active],
        };
        wrong
            .iter()
            .copied()
            .flatten()
            .find(|(given, _)| *given)
            .map(|(_, why)| *why)
    }
}

impl TryFrom<CheckForm> for Check {
    type Error = &'static str;

    fn try_from(form: CheckForm) -> Result<Self, Self::Error> {
        if let Some(why) = form.misplaced() {
            return Err(why);
        }
        let usual = Schedule::default();
        let schedule = Schedule {
            interval: form.interval.unwrap_or(usual.interval),
            timeout: form.timeout.unwrap_or(usual.timeout),
            rise: form.rise.unwrap_or(usual.rise),
            fall: form.fall.unwrap_or(usual.fall),
        };
        let (word, probe) = match form.r#type {
            CheckType::Http => (
                "http",
                Probe::Http {
                    port: form.port,
                    path: form.path.unwrap_or_else(|| "/health".to_owned()),
                    headers: form.headers.unwrap_or_default(),
                    expected_status: form.expected_status.unwrap_or_default(),
                    expected_body: form.expected_body,
                    schedule,
                },
            ),
            CheckType::Tcp => (
                "tcp",
                Probe::Tcp {
                    port: form.port,
                    schedule,
                },
            ),
            CheckType::Grpc => {
                let service = form.service.unwrap_or_default();
                (
                    "grpc",
                    Probe::Grpc {
                        port: form.port,
                        service,
                        schedule,
                    },
                )
            }
            CheckType::Ttl => (
                "ttl",
                Probe::Ttl {
                    ttl: form.ttl.ok_or("a ttl check needs ttl, such as \"10s\"")?,
                },
            ),
        };
        Ok(Self {
            name: form.name.unwrap_or_else(|| word.to_owned()),
            probe,
            initial_status: form.initial_status,
            deregister_after: form.deregister_after,
        })
    }
}

impl From<Check> for CheckForm {
    fn from(check: Check) -> Self {
        let form = CheckForm {
            name: Some(check.name),
            initial_status: check.initial_status,
            deregister_after: check.deregister_after,
            ..CheckForm::default()
        };
        let (form, schedule) = match check.probe {
            Probe::Http {
                port,
                path,
                headers,
                expected_status,
                expected_body,
                schedule,
            } => {
                let headers = Some(headers).filter(|h| !h.is_empty());
                let expected_status = Some(expected_status).filter(|s| !s.is_empty());
                let r#type = CheckType::Http;
                (
                    CheckForm {
                        r#type,
                        port,
                        path: Some(path),
                        headers,
                        expected_status,
                        expected_body,
                        ..form
                    },
                    schedule,
                )
            }
            Probe::Tcp { port, schedule } => (
                CheckForm {
                    r#type: CheckType::Tcp,
                    port,
                    ..form
                },
                schedule,
            ),
            Probe::Grpc {
                port,
                service,
                schedule,
            } => {
                let service = Some(service).filter(|s| !s.is_empty());
                (
                    CheckForm {
                        r#type: CheckType::Grpc,
                        port,
                        service,
                        ..form
                    },
                    schedule,
                )
            }
            Probe::Ttl { ttl } => {
                return CheckForm {
                    r#type: CheckType::Ttl,
                    ttl: Some(ttl),
                    ..form
                };
            }
        };
        CheckForm {
            interval: Some(schedule.interval),
            timeout: Some(schedule.timeout),
            rise: Some(schedule.rise),
            fall: Some(schedule.fall),
            ..form
        }
    }
}

impl Check {
    /// The most checks one instance may have.
    pub const MAX: usize = 32;

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
        let many = format!("at most {} checks", Self::MAX);
        problems.check(checks.len() <= Self::MAX, at, many);
        for (n, check) in checks.iter().take(Self::MAX).enumerate() {
            let at = at.item(n);
            let twice = checks[..n].iter().any(|c| c.name == check.name);
            let detail = format!("two checks are named {:?}; give each a name", check.name);
            problems.check(!twice, at.field("name"), detail);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Result<Check, serde_json::Error> {
        serde_json::from_value(json)
    }

    #[test]
    fn the_flat_form_reads_back() {
        for json in [
            serde_json::json!({"type": "http", "path": "/h", "interval": "30s", "timeout": "5s", "expectedStatus": [200, "300-302"]}),
            serde_json::json!({"type": "tcp", "port": 5432}),
            serde_json::json!({"type": "grpc", "service": "shop.Users", "name": "users"}),
            serde_json::json!({"type": "ttl", "ttl": "10s", "deregisterAfter": "1m", "initialStatus": "passing"}),
        ] {
            let check = read(json).unwrap();
            assert_eq!(read(serde_json::to_value(&check).unwrap()).unwrap(), check);
        }
    }

    #[test]
    fn a_field_of_another_type_is_refused() {
        for json in [
            serde_json::json!({"type": "ttl"}),
            serde_json::json!({"type": "ttl", "ttl": "1s", "interval": "1s"}),
            serde_json::json!({"type": "tcp", "path": "/"}),
            serde_json::json!({"type": "http", "ttl": "1s"}),
            serde_json::json!({"type": "icmp"}),
        ] {
            assert!(read(json.clone()).is_err(), "{json}");
        }
    }
}
