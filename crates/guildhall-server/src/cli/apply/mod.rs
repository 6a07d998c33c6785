//! `guildhall apply`: makes the platform hold what files say.

pub(super) mod prune;
pub(super) mod set;

use std::{collections::BTreeSet, path::PathBuf};

use clap::Args;
use guildhall_api::client::{ClientError, PutOptions};
use guildhall_core::document::{Document, DocumentKey};

use super::{
    Exit, Failure,
    context::Context,
    diff, inline,
    manifest::{self, Manifest, word},
    output,
};

const EXAMPLES: &str = "\
Examples:
  guildhall apply -f shop.yaml               one file, with one or more documents
  guildhall apply -f routes/ -f gateway.json a directory and a file
  cat shop.yaml | guildhall apply -f -
  guildhall apply -f shop.yaml --dry-run     checks on the server, writes nothing
  guildhall apply -f shop.yaml --diff        shows what changes
  guildhall apply -f calm.yaml --comment 'checkout needs longer'
  guildhall apply -f shop/ --set shop --prune --dry-run
                                             what would be deleted: it was applied as shop, and is not in shop/ any more

Documents applied with --set carry the label guildhall/applied-from. --prune deletes documents of that set only, in this
namespace (-A: in all), after everything was applied; instances and locks never. A service's versions go with it.";

/// Create or change documents, as files say
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Apply {
    /// A file, a directory, or - for stdin
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
    /// Check on the server, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Show what changes
    #[arg(long)]
    diff: bool,
    /// Why; kept in the history of each document that changes
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// The set that these documents are of
    #[arg(long, value_name = "NAME", value_parser = set::name)]
    set: Option<String>,
    /// Take over documents that are of another set
    #[arg(long, requires = "set")]
    adopt: bool,
    /// Delete what was applied as this set and is not in the files any more
    #[arg(long, requires = "set")]
    prune: bool,
    /// Prune in all namespaces
    #[arg(short = 'A', long, requires = "prune")]
    all_namespaces: bool,
}

impl Apply {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let manifests = manifest::read(&self.files, &context.namespace)?;
        let documents = manifests.iter().flat_map(|manifest| &manifest.documents);
        let kept: BTreeSet<DocumentKey> = documents.map(Document::key).collect();
        let mut first = None;
        for manifest in manifests {
            // The others are tried all the same; the first failure decides the exit code.
            if let Err(failure) = self.one(&context, manifest).await {
                failure.print();
                first.get_or_insert(failure);
            }
        }
        if let Some(failure) = first {
            if self.prune {
                output::warn("nothing is pruned, since not everything was applied");
            }
            return Err(failure.said());
        }
        match &self.set {
            Some(set) if self.prune => self.prune(&context, set, &kept).await,
            _ => Ok(()),
        }
    }

    async fn prune(
        &self,
        context: &Context,
        set: &str,
        kept: &BTreeSet<DocumentKey>,
    ) -> Result<(), Failure> {
        let namespace = (!self.all_namespaces).then_some(&context.namespace);
        if let Some(namespace) = namespace
            && let Some(other) = kept.iter().find(|key| key.namespace != *namespace)
        {
            output::note(&format!(
                "only {namespace} is pruned, not {}; -A prunes everywhere",
                other.namespace
            ));
        }
        let extra = prune::extra(context, set, namespace, kept).await?;
        prune::delete(context, &extra, self.dry_run).await
    }

    async fn one(&self, context: &Context, manifest: Manifest) -> Result<(), Failure> {
        let (key, origin) = (manifest.key.clone(), manifest.origin.clone());
        let failed = |error: ClientError| {
            let what = format!("{} was not applied", word(&key));
            Failure::call(what, &error).why(format!("({origin})"))
        };
        let there = present(context, &manifest.key).await.map_err(failed)?;
        let manifest = set::settled(manifest, there.as_ref(), self.set.as_deref(), self.adopt)?;
        let mut changed = false;
        let mut changes = String::new();
        for document in &manifest.documents {
            let current = match document.key() == manifest.key {
                true => there.clone(),
                false => present(context, &document.key()).await.map_err(failed)?,
            };
            let current = comparable(context, current, document)
                .await
                .map_err(failed)?;
            if current
                .as_ref()
                .is_none_or(|current| !current.same_intent(document))
            {
                changed = true;
                changes.push_str(&diff::documents(current.as_ref(), Some(document))?);
            }
        }
        let mut words = Vec::new();
        if changed {
            let options = PutOptions {
                dry_run: self.dry_run,
                comment: self.comment.clone(),
                ..PutOptions::default()
            };
            let written = context
                .client
                .put_json(&manifest.key, manifest.json.clone().into(), options)
                .await
                .map_err(failed)?;
            words.push(if written.created {
                "created"
            } else {
                "changed"
            });
        } else {
            words.push("unchanged");
        }
        if self.dry_run {
            words.push("(dry run)");
        }
        let shown = if self.diff { changes } else { String::new() };
        // A reader that has gone away does not keep the rest from being applied.
        let _ = output::text(&format!(
            "{shown}{} {}\n",
            word(&manifest.key),
            words.join(" ")
        ));
        for warning in &manifest.warnings {
            output::warn(&format!("{}: {warning}", manifest.origin));
        }
        Ok(())
    }
}

/// The document as it is, if it is there.
pub(super) async fn present(
    context: &Context,
    key: &DocumentKey,
) -> Result<Option<Document>, ClientError> {
    match context.client.get(key).await {
        Ok(current) => Ok(Some(current)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same as it can be compared with `document`.
pub(super) async fn comparable(
    context: &Context,
    current: Option<Document>,
    document: &Document,
) -> Result<Option<Document>, ClientError> {
    match current {
        Some(current) => inline::like(context, current, document, None)
            .await
            .map(Some),
        None => Ok(None),
    }
}

impl Failure {
    /// The same, printed already.
    pub(super) fn said(self) -> Self {
        Self::silent(self.code())
    }
}

/// Nothing but the code of a comparison that found something.
pub(super) fn different() -> Failure {
    Failure::silent(Exit::Different as u8)
}
