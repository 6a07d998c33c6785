//! Faults on purpose: a filter of Guildhall's own, to rehearse what resilience is for. Field names are Envoy
//! Gateway's (`faultInjection` of its BackendTrafficPolicy).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::filter::{check_header_value, is_token};
use crate::document::{Period, Pointer, Problems};

/// What is done to some of a rule's requests instead of, or before, sending them on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Fault {
    /// Holds requests up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<FaultDelay>,
    /// Answers requests with an error; after the delay, for a request that gets both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort: Option<FaultAbort>,
    /// Only requests with this header; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<FaultHeader>,
}

/// How requests are held up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultDelay {
    /// For how long, up to 1h. The time counts against the request's timeout.
    pub fixed_delay: Period,
    /// The share of requests, 0 to 100; 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage: Option<f64>,
}

/// How requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultAbort {
    /// With which status, 400 to 599.
    pub http_status: u16,
    /// The share of requests, 0 to 100; 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage: Option<f64>,
}

/// A header that a request has to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultHeader {
    /// Its name, in any case.
    pub name: String,
    /// Its value, exactly; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

const LONGEST: Duration = Duration::from_secs(3600);

impl Fault {
    pub(super) fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let something = self.delay.is_some() || self.abort.is_some();
        problems.check(something, at, "give delay, abort or both");
        if let Some(delay) = &self.delay {
            let at = at.field("delay");
            let fits = (Duration::from_millis(1)..=LONGEST).contains(&delay.fixed_delay.get());
            problems.check(fits, at.field("fixedDelay"), "1ms to 1h");
            check_percentage(delay.percentage, &at, problems);
        }
        if let Some(abort) = &self.abort {
            let at = at.field("abort");
            let fits = (400..=599).contains(&abort.http_status);
            problems.check(fits, at.field("httpStatus"), "a status from 400 to 599");
            check_percentage(abort.percentage, &at, problems);
        }
        if let Some(header) = &self.header {
            let at = at.field("header");
            let name = is_token(&header.name);
            problems.check(name, at.field("name"), "a header's name");
            if let Some(value) = &header.value {
                check_header_value(value, &at.field("value"), problems);
            }
        }
    }
}

fn check_percentage(percentage: Option<f64>, at: &Pointer<'_>, problems: &mut Problems) {
    let fits = percentage.is_none_or(|share| (0.0..=100.0).contains(&share));
    problems.check(fits, at.field("percentage"), "0 to 100");
}
