//! Strict decoding: an unknown field is an error that names it and the nearest known one.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::Problems;

/// Decodes the JSON text `json` as a `T`, or says which field is wrong and what it takes.
///
/// `T` and all it holds must be `deny_unknown_fields`; the pointer starts with `base`
/// (empty for a whole document, `/spec` for its spec).
pub fn decode<T: DeserializeOwned>(json: &str, base: &str) -> Result<T, Problems> {
    // Tracking the path costs as much as decoding: only what fails is decoded again with it.
    if let Ok(value) = serde_json::from_str(json) {
        return Ok(value);
    }
    let reader = &mut serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let mut pointer = base.to_owned();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
                Segment::Map { key } => {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                }
                Segment::Enum { .. } | Segment::Unknown => {}
            }
        }
        Problems::one(pointer, explain(&error.inner().to_string()))
    })
}

/// serde words an unknown field as ``unknown field `x`, expected one of `a`, `b` `` for every
/// format; this turns the list into a suggestion.
fn explain(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = ["unknown field", "unknown variant"]
        .iter()
        .find(|p| message.starts_with(**p));
    let (Some(what), Some(given)) = (unknown, quoted.next()) else {
        return message.to_owned();
    };
    let known: Vec<&str> = quoted.collect();
    let what = if *what == "unknown field" {
        "field"
    } else {
        "value"
    };
    match nearest(given, known.iter().copied()) {
        Some(near) => format!("unknown {what} {given:?}; did you mean {near:?}?"),
        None if known.is_empty() => format!("unknown {what} {given:?}; none is allowed here"),
        None => format!("unknown {what} {given:?}; known are: {}", known.join(", ")),
    }
}

/// The known word closest to `given`, if any is close enough to be what was meant.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (given.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|word| {
            (
                strsim::damerau_levenshtein(&given.to_lowercase(), &word.to_lowercase()),
                word,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only decoding is tested")]
    struct Outer {
        inner: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only decoding is tested")]
    struct Inner {
        port: u16,
        protocol: Option<String>,
    }

    fn problem(json: serde_json::Value) -> String {
        decode::<Outer>(&json.to_string(), "/spec")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_unknown_field_names_the_nearest_known_one() {
        let json = serde_json::json!({"inner": [{"port": 1}, {"port": 2, "protcol": "http"}]});
        assert_eq!(
            problem(json),
            r#"/spec/inner/1/protcol: unknown field "protcol"; did you mean "protocol"?"#
        );
        let json = serde_json::json!({"inner": [{"port": 1, "zzz": 1}]});
        assert_eq!(
            problem(json),
            r#"/spec/inner/0/zzz: unknown field "zzz"; known are: port, protocol"#
        );
    }

    #[test]
    fn a_wrong_type_is_pointed_at() {
        let json = serde_json::json!({"inner": [{"port": "http"}]});
        assert!(problem(json).starts_with("/spec/inner/0/port: invalid type: string"));
    }
}
