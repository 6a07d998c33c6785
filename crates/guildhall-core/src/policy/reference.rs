//! docs/reference/policies.md, made from the declarations of the fields.

use std::fmt::Write;

use super::{
    described::{Described, Field},
    spec::{DESCRIBED, Section},
};

/// The reference as Markdown.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    for section in DESCRIBED
        .iter()
        .filter(|described| described.section.is_some())
    {
        write_type(&mut page, section);
    }
    page.push_str("\n# Objects\n\nValues of the fields above; each is merged as a whole.\n");
    for object in DESCRIBED
        .iter()
        .filter(|described| described.section.is_none())
    {
        write_type(&mut page, object);
    }
    page
}

const HEAD: &str = include_str!("reference_head.md");

fn write_type(page: &mut String, described: &Described) {
    let services = Section::ALL
        .iter()
        .any(|section| Some(section.name()) == described.section && section.is_for_services());
    // Writing to a String does not fail.
    _ = writeln!(
        page,
        "\n## {}\n\n{}",
        described.section.unwrap_or(described.name),
        text(described.doc)
    );
    if services {
        page.push_str("\nTargets: Service, Namespace.\n");
    }
    let keeps = described.section.is_some();
    page.push_str("\n| field | type | default | what it says | name and default from |");
    page.push_str(if keeps { " an edit keeps |\n" } else { "\n" });
    page.push_str("|---|---|---|---|---|");
    page.push_str(if keeps { "---|\n" } else { "\n" });
    for field in described.fields {
        _ = write!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            field.name,
            kind(field),
            default(field),
            cell(&text(field.doc)),
            cell(field.source)
        );
        if keeps {
            _ = write!(page, " {} |", cell(field.keeps));
        }
        page.push('\n');
    }
}

fn text(doc: &[&str]) -> String {
    doc.iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn default(field: &Field) -> String {
    match field.default {
        None => "must be given".to_owned(),
        Some("none") => "none".to_owned(),
        Some(text) => match text
            .strip_prefix('(')
            .and_then(|text| text.strip_suffix(')'))
        {
            Some(words) => words.to_owned(),
            None => format!("`{text}`"),
        },
    }
}

/// The type in a reader's words. Types of one word are enumerations (told by what they take) or objects (linked).
fn kind(field: &Field) -> String {
    let (list, name) = match field
        .rust_type
        .strip_prefix("Vec<")
        .and_then(|rest| rest.strip_suffix('>'))
    {
        Some(item) => (true, item),
        None => (false, field.rust_type),
    };
    let word = match name {
        "bool" => "true or false".to_owned(),
        "u8" | "u16" | "u32" | "u64" => "whole number".to_owned(),
        "f64" => "number".to_owned(),
        "Period" => "duration".to_owned(),
        "Timestamp" => "time".to_owned(),
        "String" | "ServiceName" | "Namespace" => "text".to_owned(),
        "BTreeMap<String, String>" => "texts by name".to_owned(),
        "StatusRange" => "status (`503`) or range (`\"500-599\"`)".to_owned(),
        object => match words(object) {
            Some(words) => words
                .iter()
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(", "),
            None => format!("[{object}](#{})", object.to_lowercase()),
        },
    };
    if list {
        format!("list of {word}")
    } else {
        word
    }
}

/// What an enumeration takes.
pub(super) fn words(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "BalancerType" => &[
            "LeastRequest",
            "PeakEwma",
            "RoundRobin",
            "Random",
            "RingHash",
            "Maglev",
        ],
        "KeyType" => &[
            "SourceIP",
            "Caller",
            "Header",
            "Cookie",
            "QueryParam",
            "PathSegment",
        ],
        "RetryOn" => &[
            "connect",
            "refused",
            "reset",
            "attempt-timeout",
            "bad-gateway",
            "unavailable",
            "gateway-timeout",
            "throttled",
            "server-error",
        ],
        "WindowType" => &["TimeBased", "CountBased"],
        "CallError" => &[
            "connect",
            "reset",
            "protocol",
            "attempt-timeout",
            "deadline-exceeded",
            "other",
        ],
        "ForcedState" => &["FORCED_OPEN", "DISABLED", "METRICS_ONLY"],
        "RateLimitAlgorithm" => &["TokenBucket", "SlidingWindow", "LeakyQueue", "WarmUp"],
        "RateLimitScope" => &["Local", "Shared", "Exact"],
        "AdaptiveAlgorithm" => &["Gradient", "Aimd", "Vegas"],
        "FallbackCause" => &["rejected", "failed", "timed-out", "throttled"],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::policy::spec::*;

    /// What serde says the type takes.
    fn taken<T: DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
        let refused = serde_json::from_str::<T>("\"\"").unwrap_err().to_string();
        refused
            .split('`')
            .skip(3)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_words_are_those_of_the_types() {
        let types = [
            ("BalancerType", taken::<BalancerType>()),
            ("KeyType", taken::<KeyType>()),
            ("RetryOn", taken::<RetryOn>()),
            ("WindowType", taken::<WindowType>()),
            ("CallError", taken::<CallError>()),
            ("ForcedState", taken::<ForcedState>()),
            ("RateLimitAlgorithm", taken::<RateLimitAlgorithm>()),
            ("RateLimitScope", taken::<RateLimitScope>()),
            ("AdaptiveAlgorithm", taken::<AdaptiveAlgorithm>()),
            ("FallbackCause", taken::<FallbackCause>()),
        ];
        for (name, taken) in types {
            assert_eq!(words(name).unwrap(), taken, "{name}");
        }
    }

    #[test]
    fn every_type_that_is_linked_has_its_table() {
        for field in DESCRIBED.iter().flat_map(|described| described.fields) {
            let word = kind(field);
            if let Some((_, link)) = word.split_once("](#") {
                let link = link.trim_end_matches(')');
                let tables = DESCRIBED
                    .iter()
                    .filter(|described| described.section.is_none());
                assert!(
                    tables
                        .map(|table| table.name.to_lowercase())
                        .any(|name| name == link),
                    "{field:?}"
                );
            }
        }
        for section in Section::ALL {
            assert!(
                DESCRIBED
                    .iter()
                    .any(|described| described.section == Some(section.name())),
                "{section:?}"
            );
        }
    }

    /// UPDATE_REFERENCE=1 writes it.
    #[test]
    fn the_policies_reference_is_up_to_date() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/reference/policies.md"
        );
        let page = markdown();
        for described in DESCRIBED {
            for field in described.fields {
                assert!(
                    page.contains(&format!("| `{}` |", field.name)),
                    "{}.{}",
                    described.name,
                    field.name
                );
            }
        }
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == page,
            "docs/reference/policies.md is out of date: its first line says how to write it"
        );
    }
}
