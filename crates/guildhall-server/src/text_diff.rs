//! What leads from one document to another, as people read it: a unified diff of both as YAML.

use std::time::Duration;

use guildhall_core::document::Document;
use similar::TextDiff;

/// The name of a document that is not there.
pub(crate) const NOTHING: &str = "/dev/null";

/// After so long a longer diff is taken that is quicker to find.
const PATIENCE: Duration = Duration::from_millis(100);

/// The unified diff of what users say in two documents; empty if they say the same.
pub(crate) fn documents(
    before: Option<&Document>,
    after: Option<&Document>,
    from: &str,
    to: &str,
) -> String {
    let text = |document: Option<&Document>| {
        document.map_or(Ok(String::new()), |document| {
            yaml_serde::to_string(&document.portable())
        })
    };
    let (Ok(old), Ok(new)) = (text(before), text(after)) else {
        return String::new();
    };
    let diff = TextDiff::configure()
        .timeout(PATIENCE)
        .diff_lines(&old, &new);
    diff.unified_diff()
        .context_radius(3)
        .header(from, to)
        .to_string()
}
