//! How figures are written: as many digits as they are good for.

use std::time::Duration;

/// A number with three digits that count; thousands are parted by commas.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "n/a".to_owned();
    }
    let magnitude = value.abs();
    if magnitude < 10.0 {
        format!("{value:.2}")
    } else if magnitude < 100.0 {
        format!("{value:.1}")
    } else {
        thousands(value)
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0
            && digit.is_ascii_digit()
            && (digits.len() - index).is_multiple_of(3)
            && !text.ends_with('-')
        {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A ratio, two digits after the point.
pub(crate) fn ratio(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.2} ×")
    } else {
        "n/a".to_owned()
    }
}

/// Bytes in MB (10^6).
pub(crate) fn megabytes(bytes: f64) -> String {
    format!("{} MB", number(bytes / 1e6))
}

/// Milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_count() {
        for (value, expect) in [
            (0.0, "0.00"),
            (15.64, "15.6"),
            (999.4, "999"),
            (1234.0, "1,234"),
            (-1234.0, "-1,234"),
            (123.0, "123"),
            (-123.0, "-123"),
            (1_234_567.0, "1,234,567"),
            (f64::NAN, "n/a"),
        ] {
            assert_eq!(number(value), expect);
        }
    }
}
