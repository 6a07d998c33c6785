//! Sets: which documents came from which files, so that what leaves the files can leave the platform.
//!
//! A document says itself, in a label, which set it was applied from. Nothing is pruned that does not say so, and no set
//! takes a document from another one unasked.

use guildhall_core::document::{Document, Kind, Name};

use crate::cli::{
    Exit, Failure,
    manifest::{self, Manifest, word},
};

/// The label that names a document's set.
pub(in crate::cli) const LABEL: &str = "guildhall/applied-from";

/// What a set can own, in the order in which it is deleted: what refers to others goes first. Instances and locks are of
/// the moment.
pub(in crate::cli) const OWNED: [Kind; 6] = [
    Kind::HttpRoute,
    Kind::Gateway,
    Kind::Policy,
    Kind::Config,
    Kind::ServiceVersion,
    Kind::Service,
];

/// A set's name, as `--set` takes it.
pub(in crate::cli) fn name(text: &str) -> Result<String, String> {
    match Name::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The set that a document is of.
pub(in crate::cli) fn of(document: &Document) -> Option<&str> {
    document.labels().get(LABEL).map(String::as_str)
}

/// The same document without its set: where it came from is nothing that files say.
pub(in crate::cli) fn without(document: &Document) -> Document {
    let mut metadata = document.metadata().clone();
    match metadata.labels.remove(LABEL) {
        Some(_) => document.with_metadata(metadata),
        None => document.clone(),
    }
}

/// The manifest with the set that its document is of: the one that is asked for, else the present one.
///
/// # Errors
/// It is of another set, and `adopt` is not given.
pub(in crate::cli) fn settled(
    manifest: Manifest,
    there: Option<&Document>,
    asked: Option<&str>,
    adopt: bool,
) -> Result<Manifest, Failure> {
    if !OWNED.contains(&manifest.key.kind) {
        return Ok(manifest);
    }
    let present = there.and_then(of);
    let says = manifest.documents.first().and_then(of);
    let set = match (asked, present) {
        (Some(asked), Some(present)) if asked != present && !adopt => {
            let what = format!("{} was not applied", word(&manifest.key));
            return Err(Failure::new(Exit::Conflict, what)
                .why(format!("it is of the set {present} ({})", manifest.origin))
                .next(format!(
                    "take it out of these files, or make it one of {asked}: --adopt"
                )));
        }
        (Some(asked), _) => asked.to_owned(),
        (None, Some(present)) if says.is_none() => present.to_owned(),
        (None, _) => return Ok(manifest),
    };
    manifest::labelled(manifest, LABEL, &set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_named_as_documents_are() {
        assert_eq!(name("shop.prod").as_deref(), Ok("shop.prod"));
        for bad in ["", "a,b", "a b", "a=b", "A"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
