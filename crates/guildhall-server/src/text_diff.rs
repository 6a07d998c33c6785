//! What leads from one document to another, as people read it: a unified diff of both as YAML.

use guildhall_core::{config::unified, document::Document};

/// The name of a document that is not there.
pub(crate) const NOTHING: &str = "/dev/null";

/// The unified diff of what users say in two documents; empty if they say the same.
///
/// # Errors
/// A document cannot be written as YAML: a defect.
pub(crate) fn documents(
    before: Option<&Document>,
    after: Option<&Document>,
    from: &str,
    to: &str,
) -> Result<String, yaml_serde::Error> {
    let text = |document: Option<&Document>| {
        document.map_or(Ok(String::new()), |document| {
            yaml_serde::to_string(&document.portable())
        })
    };
    Ok(unified(&text(before)?, &text(after)?, (from, to)))
}
