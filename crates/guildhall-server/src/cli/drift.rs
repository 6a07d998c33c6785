//! `guildhall diff --drift`: where the platform has moved away from the files, by whom and since when.

use std::collections::BTreeSet;

use guildhall_api::{client::ClientError, wire::TaggedVersion};
use guildhall_core::{
    document::{Document, DocumentKey, Namespace, Object, Timestamp},
    history::{Act, VersionRef},
};
use serde::Serialize;

use super::{
    Failure,
    apply::{self, prune, set},
    context::Context,
    inline,
    manifest::{Manifest, word},
    output, words,
};
use crate::{
    clock,
    table::{Table, Tone, plain, toned},
};

/// How many versions are looked at for the one that the files say.
const LOOKED_AT: usize = 20;

/// How a document differs from the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    /// It says something else.
    Changed,
    /// It is not there.
    Missing,
    /// It is of the set, and not in the files.
    Extra,
}

/// A document that differs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    kind: &'static str,
    namespace: String,
    name: String,
    state: State,
    /// Who did it; several, the last first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by: Vec<String>,
    /// Since when it differs, as far as that is known; else when it was changed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// The last version that said what the files do.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<u32>,
    /// The version that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    /// Why, in the words of who said why last.
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip)]
    key: DocumentKey,
}

impl Row {
    fn new(key: DocumentKey, state: State) -> Self {
        Self {
            kind: key.kind.word(),
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            state,
            by: Vec::new(),
            since: None,
            as_of: None,
            version: None,
            comment: None,
            key,
        }
    }

    /// What the document itself says of its last change.
    fn of(document: &Document, state: State) -> Self {
        let metadata = document.metadata();
        Self {
            by: metadata.updated_by.iter().cloned().collect(),
            since: metadata.updated_at.or(metadata.created_at),
            version: (metadata.version > 0).then_some(metadata.version),
            ..Self::new(document.key(), state)
        }
    }

    /// What these versions tell, the newest first.
    fn told(mut self, since: &[TaggedVersion]) -> Self {
        let Some(first) = since.last() else {
            return self;
        };
        self.by.clear();
        for version in since {
            if !self.by.contains(&version.version.by) {
                self.by.push(version.version.by.clone());
            }
        }
        self.since = Some(first.version.at);
        self.comment = reason(since);
        self
    }
}

/// Prints how the platform differs from the files; whether it does not.
pub(super) async fn report(
    context: &Context,
    manifests: &[Manifest],
    set: Option<&str>,
    namespace: Option<&Namespace>,
) -> Result<bool, Failure> {
    let mut rows = Vec::new();
    let mut kept = BTreeSet::new();
    for document in manifests.iter().flat_map(|manifest| &manifest.documents) {
        let failed = |error| {
            let what = format!("{} cannot be compared", word(&document.key()));
            Failure::call(what, &error)
        };
        kept.insert(document.key());
        rows.extend(drifted(context, document).await.map_err(failed)?);
    }
    if let Some(set) = set {
        let extra = prune::extra(context, set, namespace, &kept).await?;
        rows.extend(extra.iter().map(|document| Row::of(document, State::Extra)));
    }
    let whole = serde_json::json!({"items": rows});
    let names = || rows.iter().map(|row| row.key.name.to_string()).collect();
    output::value(context.output, &whole, || table(&rows), names)?;
    Ok(rows.is_empty())
}

/// How a document differs from what the files say, if it does.
async fn drifted(context: &Context, document: &Document) -> Result<Option<Row>, ClientError> {
    let key = document.key();
    let Some(there) = apply::present(context, &key).await? else {
        let row = Row::new(key.clone(), State::Missing);
        let versions = versions(context, &key).await?;
        // Deleted, or never there.
        let deletion = versions
            .get(..1)
            .filter(|last| last[0].version.action == Act::Deleted);
        return Ok(Some(row.told(deletion.unwrap_or_default())));
    };
    let wanted = lasting(document);
    if says(context, &there, document, &wanted, None).await? {
        return Ok(None);
    }
    let mut row = Row::of(&there, State::Changed);
    let versions = versions(context, &key).await?;
    row.comment = versions
        .first()
        .and_then(|last| last.version.comment.clone());
    for (at, version) in versions.iter().enumerate().skip(1) {
        let number = VersionRef::Number(version.version.version);
        let Some(before) = context.client.version(&key, &number).await?.document else {
            continue;
        };
        if says(context, &before, document, &wanted, Some(&number)).await? {
            row.as_of = Some(version.version.version);
            return Ok(Some(row.told(&versions[..at])));
        }
    }
    Ok(Some(row))
}

/// Whether a version of a document says what the files do.
async fn says(
    context: &Context,
    there: &Document,
    document: &Document,
    wanted: &Document,
    version: Option<&VersionRef>,
) -> Result<bool, ClientError> {
    let there = inline::like(context, there.clone(), document, version).await?;
    Ok(lasting(&there).same_intent(wanted))
}

/// A document without what is of the moment or only of the platform: its set, gray releases.
fn lasting(document: &Document) -> Document {
    match set::without(document) {
        Document::Config(config) if !config.spec.gray.is_empty() => {
            let mut config = Object::clone(&config);
            config.spec.gray.clear();
            config.into()
        }
        document => document,
    }
}

/// The last versions of a document, the newest first; none where no history is kept.
async fn versions(context: &Context, key: &DocumentKey) -> Result<Vec<TaggedVersion>, ClientError> {
    if !key.kind.keeps_history() {
        return Ok(Vec::new());
    }
    match context.client.history(key, Some(LOOKED_AT), None).await {
        Ok(list) => Ok(list.items),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Why, in the words of who said why last.
fn reason(versions: &[TaggedVersion]) -> Option<String> {
    let mut comments = versions
        .iter()
        .map(|version| version.version.comment.as_ref());
    comments.find_map(|comment| comment.cloned())
}

fn table(rows: &[Row]) -> Table {
    let columns = ["document", "is", "by", "for", "what"];
    let mut table = Table::new(&columns, "no drift: the platform says what the files do");
    let now = Timestamp::from_system(clock::wall());
    for row in rows {
        let (state, tone) = match row.state {
            State::Changed => ("changed", Tone::Doubtful),
            State::Missing => ("missing", Tone::Bad),
            State::Extra => ("extra", Tone::Doubtful),
        };
        let mut what: Vec<String> = Vec::new();
        if let (Some(version), Some(as_of)) = (row.version, row.as_of) {
            what.push(format!("version {version}; the files are version {as_of}"));
        }
        what.extend(row.comment.clone());
        table.row([
            plain(word(&row.key)),
            toned(state, tone),
            plain(row.by.join(", ")),
            plain(row.since.map_or_else(String::new, |at| words::age(at, now))),
            plain(what.join(": ")),
        ]);
    }
    table
}
