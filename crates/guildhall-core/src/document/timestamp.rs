//! Wall time in documents.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since the Unix epoch, written as RFC 3339 in UTC (`2026-11-23T14:46:01.123Z`).
///
/// Wall time decides only what a document states in wall time; it comes in as an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The wall time `time`; times before the epoch become the epoch.
    pub fn from_system(time: std::time::SystemTime) -> Self {
        let since = time
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Milliseconds since the Unix epoch.
    pub fn as_millis(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => f.write_str(std::str::from_utf8(&text).unwrap_or_default()),
            None => write!(f, "{}ms", self.0),
        }
    }
}

/// From the last hours of the year 9999 on nothing could be read back.
const END: u64 = 253_402_207_200_000;

impl Timestamp {
    /// As RFC 3339 writes it. By hand: a registration writes six of them, and a library that knows calendars took four
    /// percent of its CPU for that.
    fn text(self) -> Option<[u8; 24]> {
        if self.0 >= END {
            return None;
        }
        let (days, millis) = (self.0 / 86_400_000, self.0 % 86_400_000);
        // Days to a civil date, by eras of 400 years that begin in March (Hinnant, "chrono-compatible low-level date
        // algorithms").
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = 400 * era + year_of_era + u64::from(month <= 2);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut write = |at: std::ops::Range<usize>, mut number: u64| {
            for digit in text[at].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        write(0..4, year);
        write(5..7, month);
        write(8..10, day);
        write(11..13, millis / 3_600_000);
        write(14..16, millis / 60_000 % 60);
        write(17..19, millis / 1_000 % 60);
        write(20..23, millis % 1_000);
        Some(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(|_| {
            serde::de::Error::custom(format!(
                "{text:?} is not an RFC 3339 time such as 2026-01-31T08:00:00Z"
            ))
        })?;
        Ok(Self(u64::try_from(time.as_millisecond()).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_rfc_3339_and_reads_back() {
        let time = Timestamp(1_795_445_161_123);
        assert_eq!(time.to_string(), "2026-11-23T14:46:01.123Z");
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
        assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
    }

    #[test]
    fn every_week_until_the_year_9999_is_written_as_the_calendar_has_it() {
        for day in (0..END / 86_400_000)
            .step_by(7)
            .chain([END / 86_400_000 - 1])
        {
            let millis = day * 86_400_000 + day * 7_919 % 86_400_000;
            let expected = jiff::Timestamp::from_millisecond(millis as i64).unwrap();
            assert_eq!(Timestamp(millis).to_string(), format!("{expected:.3}"));
        }
        assert_eq!(Timestamp(END).to_string(), "253402207200000ms");
    }
}
