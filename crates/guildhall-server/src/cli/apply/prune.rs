//! What an earlier apply of the set created and its files do not have any more.

use std::collections::BTreeSet;

use guildhall_api::client::{ListQuery, Precondition};
use guildhall_core::document::{Document, DocumentKey, Namespace};

use super::set::{LABEL, OWNED};
use crate::cli::{Exit, Failure, context::Context, manifest::word, output};

/// Documents of the set, in `namespace` or in all of them, that are none of `kept`; in the order in which they can be
/// deleted.
pub(in crate::cli) async fn extra(
    context: &Context,
    set: &str,
    namespace: Option<&Namespace>,
    kept: &BTreeSet<DocumentKey>,
) -> Result<Vec<Document>, Failure> {
    let query = ListQuery {
        selector: Some(format!("{LABEL}={set}")),
        ..ListQuery::default()
    };
    let mut extra = Vec::new();
    for kind in OWNED {
        let listed = context.client.list(kind, namespace, &query).await;
        let listed = listed.map_err(|error| {
            Failure::call(
                format!("the {} of {set} cannot be listed", kind.plural()),
                &error,
            )
        })?;
        if let Some(why) = listed.skipped.first() {
            let what = format!("the {} of {set} cannot be told", kind.plural());
            return Err(Failure::new(Exit::Failure, what)
                .why(why)
                .next("use a newer guildhall"));
        }
        let is_extra = |document: &Document| !kept.contains(&document.key());
        extra.extend(listed.documents.into_iter().filter(is_extra));
    }
    Ok(extra)
}

/// Deletes these documents, or says that it would. The others are tried all the same when one stays; the first failure
/// decides.
pub(super) async fn delete(
    context: &Context,
    extra: &[Document],
    dry_run: bool,
) -> Result<(), Failure> {
    let mut first = Ok(());
    for document in extra {
        let key = document.key();
        if dry_run {
            output::text(&format!("{} pruned (dry run)\n", word(&key)))?;
            continue;
        }
        // What somebody changed meanwhile may be of another set by now.
        let seen = Precondition::Revision(document.metadata().revision);
        match context.client.delete(&key, seen).await {
            Ok(_) => output::text(&format!("{} pruned\n", word(&key)))?,
            // A version goes with its service.
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                let failure = Failure::call(format!("{} was not pruned", word(&key)), &error);
                failure.print();
                first = first.and(Err(failure.said()));
            }
        }
    }
    first
}
