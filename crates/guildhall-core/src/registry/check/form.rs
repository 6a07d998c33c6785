//! A check as it is written: one flat object, whose type says which fields it may have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Check, CheckTls, Probe, Schedule, StatusRange};
use crate::{document::Period, registry::CheckState};

/// As written: one flat object with a `type`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct CheckForm {
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
    tls_skip_verify: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_server_name: Option<String>,
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
        let tls = [
            (
                self.tls_skip_verify.is_some(),
                "tlsSkipVerify belongs to http and grpc checks",
            ),
            (
                self.tls_server_name.is_some(),
                "tlsServerName belongs to http and grpc checks",
            ),
        ];
        let ttl = [(
            self.ttl.is_some(),
            "ttl belongs to ttl checks; give interval",
        )];
        let wrong: &[&[(bool, &'static str)]] = match self.r#type {
            CheckType::Http => &[&grpc, &ttl],
            CheckType::Tcp => &[&http, &grpc, &tls, &ttl],
            CheckType::Grpc => &[&http, &ttl],
            CheckType::Ttl => &[&http, &grpc, &tls, &active],
        };
        wrong
            .iter()
            .copied()
            .flatten()
            .find(|(given, _)| *given)
            .map(|(_, why)| *why)
    }

    /// What it says of TLS; defaults are none, as in the memory of most checks.
    fn take_tls(&mut self) -> Option<Box<CheckTls>> {
        let tls = CheckTls {
            skip_verify: self.tls_skip_verify.unwrap_or_default(),
            server_name: self.tls_server_name.take(),
        };
        (tls != CheckTls::default()).then(|| Box::new(tls))
    }

    fn with_tls(self, tls: Option<Box<CheckTls>>) -> Self {
        let tls = tls.map(|tls| *tls).unwrap_or_default();
        Self {
            tls_skip_verify: tls.skip_verify.then_some(true),
            tls_server_name: tls.server_name,
            ..self
        }
    }
}

impl TryFrom<CheckForm> for Check {
    type Error = &'static str;

    fn try_from(mut form: CheckForm) -> Result<Self, Self::Error> {
        if let Some(why) = form.misplaced() {
            return Err(why);
        }
        let tls = form.take_tls();
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
                    tls,
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
                        tls,
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
                tls,
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
                    }
                    .with_tls(tls),
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
                tls,
                schedule,
            } => {
                let service = Some(service).filter(|s| !s.is_empty());
                (
                    CheckForm {
                        r#type: CheckType::Grpc,
                        port,
                        service,
                        ..form
                    }
                    .with_tls(tls),
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
            serde_json::json!({"type": "grpc", "tlsSkipVerify": true}),
            serde_json::json!({"type": "http", "tlsServerName": "users.internal"}),
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
            serde_json::json!({"type": "tcp", "tlsSkipVerify": true}),
            serde_json::json!({"type": "ttl", "ttl": "1s", "tlsServerName": "a"}),
            serde_json::json!({"type": "icmp"}),
        ] {
            assert!(read(json.clone()).is_err(), "{json}");
        }
    }
}
