//! Numbers, and YAML's plain scalars by the core schema of YAML 1.2.2 (section 10.3.2).

use serde_json::Number;

use super::Value;

/// What a number's text may be wrong by.
pub(super) const TOO_LONG: &str =
    "this integer does not fit into 64 bits; write it in quotes, as text";
pub(super) const TOO_LARGE: &str =
    "this number is too large for a float of 64 bits; write it in quotes, as text";
pub(super) const NOT_A_NUMBER: &str =
    "infinity and NaN have no like in JSON; leave the value out, or write it in quotes, as text";

/// An integer of decimal digits with an optional sign.
pub(super) fn integer(text: &str) -> Result<Number, &'static str> {
    let text = text.strip_prefix('+').unwrap_or(text);
    text.parse::<i64>()
        .map(Number::from)
        .or_else(|_| text.parse::<u64>().map(Number::from))
        .map_err(|_| TOO_LONG)
}

/// Digits in another base, behind an optional sign that the caller took.
pub(super) fn digits(text: &str, radix: u32, negative: bool) -> Result<Number, &'static str> {
    let value = i128::from_str_radix(text, radix).map_err(|_| TOO_LONG)?;
    let value = if negative { -value } else { value };
    i64::try_from(value)
        .map(Number::from)
        .or_else(|_| u64::try_from(value).map(Number::from))
        .map_err(|_| TOO_LONG)
}

/// A float that is finite.
pub(super) fn float(text: &str) -> Result<Number, &'static str> {
    let value: f64 = text.parse().map_err(|_| TOO_LARGE)?;
    Number::from_f64(value).ok_or(TOO_LARGE)
}

/// What a plain YAML scalar means.
pub(super) fn plain(text: &str) -> Result<Value, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    match number(text) {
        Some(number) => number.map(Value::Number),
        None => Ok(Value::String(text.to_owned())),
    }
}

/// A plain YAML scalar as a number, if it is written like one.
pub(super) fn number(text: &str) -> Option<Result<Number, &'static str>> {
    let all = |text: &str, allowed: fn(&u8) -> bool| {
        !text.is_empty() && text.bytes().all(|b| allowed(&b))
    };
    if let Some(octal) = text.strip_prefix("0o") {
        return all(octal, |b| matches!(b, b'0'..=b'7')).then(|| digits(octal, 8, false));
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return all(hexadecimal, u8::is_ascii_hexdigit).then(|| digits(hexadecimal, 16, false));
    }
    if text == ".nan" || text == ".NaN" || text == ".NAN" {
        return Some(Err(NOT_A_NUMBER));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == ".inf" || unsigned == ".Inf" || unsigned == ".INF" {
        return Some(Err(NOT_A_NUMBER));
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| all(text, u8::is_ascii_digit);
    let exponent_is_one =
        exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)));
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let mantissa_is_one = match (whole, fraction) {
        (whole, None) => digits(whole),
        ("", Some(fraction)) => digits(fraction),
        (whole, Some(fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
    };
    if !(exponent_is_one && mantissa_is_one) {
        return None;
    }
    if exponent.is_some() || fraction.is_some() {
        return Some(float(text));
    }
    // 0755 is 493 by YAML 1.1 and 755 by YAML 1.2: whoever wrote it meant one of them.
    if unsigned.len() > 1 && unsigned.starts_with('0') {
        return Some(Err(
            "a leading zero means octal to some readers and nothing to others; write 0o755 for octal, \
             leave the zero out, or write it in quotes, as text",
        ));
    }
    Some(integer(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, expect) in [
            ("", "null"),
            ("~", "null"),
            ("Null", "null"),
            ("nULL", r#""nULL""#),
            ("true", "true"),
            ("FALSE", "false"),
            ("no", r#""no""#),
            ("on", r#""on""#),
            ("y", r#""y""#),
            ("0", "0"),
            ("-19", "-19"),
            ("+12", "12"),
            ("0o17", "15"),
            ("0xFF", "255"),
            ("0o8", r#""0o8""#),
            ("-0x1", r#""-0x1""#),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "refused"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("0x1ffffffffffffffff", "refused"),
            ("1.5", "1.5"),
            ("1.", "1.0"),
            (".5", "0.5"),
            ("-.5e+3", "-500.0"),
            ("1e400", "refused"),
            (".inf", "refused"),
            ("-.INF", "refused"),
            (".nan", "refused"),
            ("0755", "refused"),
            ("00.5", "0.5"),
            (".", r#"".""#),
            ("+", r#""+""#),
            ("1e", r#""1e""#),
            ("e1", r#""e1""#),
            ("1_000", r#""1_000""#),
            ("12:30", r#""12:30""#),
            ("1.2.3", r#""1.2.3""#),
            ("2026-01-31", r#""2026-01-31""#),
        ] {
            let got = plain(text).map_or("refused".to_owned(), |value| {
                serde_json::to_string(&super::super::Node::of(value)).unwrap()
            });
            assert_eq!(got, expect, "{text}");
        }
    }
}
