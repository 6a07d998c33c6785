//! Durations in documents and settings.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration written as people write it: `250ms`, `30s`, `1h30m`.
///
/// The format is Gateway API's (GEP-2257: one to four of `h`, `m`, `s`, `ms`, each an integer of
/// at most five digits), except that parts may come in any order but not twice. All of them together are less than
/// 100,000 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

/// Text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a duration: write whole numbers with a unit, such as 250ms, 30s, 5m or 1h30m"
)]
pub struct PeriodError(String);

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest that can be written, in milliseconds: `99999h59m59s999ms`.
const MOST: u64 = 100_000 * 3_600_000 - 1;

impl Period {
    /// `n` milliseconds.
    pub const fn millis(n: u64) -> Self {
        Self(Duration::from_millis(n))
    }

    /// `n` seconds.
    pub const fn secs(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// As the standard library's duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, millis) in UNITS {
            if rest >= millis {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        parse(text).ok_or_else(|| PeriodError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Period> {
    let mut millis = 0u64;
    let mut seen = [false; UNITS.len()];
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let letters = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len() - digits);
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let at = UNITS.iter().position(|(name, _)| *name == unit)?;
        if number.is_empty() || number.len() > 5 || std::mem::replace(&mut seen[at], true) {
            return None;
        }
        millis += number.parse::<u64>().ok()? * UNITS[at].1;
        rest = &rest[digits + letters..];
    }
    // Parts add up, and what is written again must be read again.
    (seen.contains(&true) && millis <= MOST).then(|| Period::millis(millis))
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_reads_and_writes_the_gateway_api_format() {
        for (text, millis) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Period::millis(millis)), "{text}");
            assert_eq!(Period::millis(millis).to_string(), text);
        }
        let longest = "99999h59m59s999ms";
        assert_eq!(longest.parse::<Period>().unwrap().to_string(), longest);
        // Sums that could not be written in five digits.
        for bad in ["99999h60m", "99999h99999m"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
        for bad in ["", "5", "s", "1.5s", "-1s", "1s1s", "123456s", "1d", "1s "] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }
}
