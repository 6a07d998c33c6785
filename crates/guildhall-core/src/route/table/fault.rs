//! Faults on purpose, compiled.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::route::spec::Filter;

/// What is done to some of a rule's requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    delay: Option<(Duration, f64)>,
    abort: Option<(StatusCode, f64)>,
    header: Option<(HeaderName, Option<HeaderValue>)>,
}

/// What is done to one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    /// It is held up so long first.
    pub delay: Option<Duration>,
    /// Then it is answered so.
    pub abort: Option<StatusCode>,
}

impl Fault {
    /// `None` for another filter, and for one that was not validated.
    pub(super) fn of(filter: &Filter) -> Option<Self> {
        let Filter::Fault(spec) = filter else {
            return None;
        };
        let share = |percentage: Option<f64>| percentage.unwrap_or(100.0) / 100.0;
        let abort = match &spec.abort {
            Some(abort) => Some((
                StatusCode::from_u16(abort.http_status).ok()?,
                share(abort.percentage),
            )),
            None => None,
        };
        let header = match &spec.header {
            Some(header) => Some((
                HeaderName::try_from(&header.name).ok()?,
                match &header.value {
                    Some(value) => Some(HeaderValue::try_from(value).ok()?),
                    None => None,
                },
            )),
            None => None,
        };
        Some(Self {
            delay: spec
                .delay
                .map(|delay| (delay.fixed_delay.get(), share(delay.percentage))),
            abort,
            header,
        })
    }

    /// What is done to a request with these headers. `random` draws from 0 up to 1, for each of the two apart.
    pub fn inject(&self, headers: &HeaderMap, mut random: impl FnMut() -> f64) -> Injected {
        let meant = self.header.as_ref().is_none_or(|(name, value)| {
            let mut values = headers.get_all(name).iter();
            match value {
                None => values.next().is_some(),
                Some(value) => values.any(|given| given == value),
            }
        });
        if !meant {
            return Injected::default();
        }
        let mut falls = |share: f64| share >= 1.0 || random() < share;
        Injected {
            delay: self
                .delay
                .and_then(|(delay, share)| falls(share).then_some(delay)),
            abort: self
                .abort
                .and_then(|(status, share)| falls(share).then_some(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::decode;

    fn fault(json: &str) -> Fault {
        let filter: Filter = decode(json, "").unwrap();
        Fault::of(&filter).unwrap()
    }

    #[test]
    fn a_share_of_the_requests_fails() {
        let fault = fault(
            r#"{"type": "Fault", "fault": {"delay": {"fixedDelay": "1s", "percentage": 10}, "abort": {"httpStatus": 503, "percentage": 50}}}"#,
        );
        let second = Some(Duration::from_secs(1));
        let status = Some(StatusCode::SERVICE_UNAVAILABLE);
        for (draws, delay, abort) in [
            ([0.09, 0.49], second, status),
            ([0.1, 0.49], None, status),
            ([0.09, 0.5], second, None),
            ([0.1, 0.5], None, None),
        ] {
            let mut draws = draws.into_iter();
            let injected = fault.inject(&HeaderMap::new(), || draws.next().unwrap());
            assert_eq!(injected, Injected { delay, abort });
        }
    }

    #[test]
    fn only_requests_with_the_header_are_meant() {
        let all = |json: &str, headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            });
            fault(json)
                .inject(&headers.collect(), || panic!("all of them"))
                .abort
                .is_some()
        };
        let any = r#"{"type": "Fault", "fault": {"abort": {"httpStatus": 500}, "header": {"name": "X-Chaos"}}}"#;
        assert!(all(any, &[("x-chaos", "")]) && !all(any, &[]));
        let exact = r#"{"type": "Fault", "fault": {"abort": {"httpStatus": 500}, "header": {"name": "x-chaos", "value": "on"}}}"#;
        assert!(all(exact, &[("x-chaos", "off"), ("x-chaos", "on")]));
        assert!(!all(exact, &[("x-chaos", "off")]));
    }
}
