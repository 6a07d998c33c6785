//! `guildhall get`: one document, or a list.

use clap::Args;
use guildhall_api::client::ListQuery;
use guildhall_core::document::{Document, DocumentKey, Kind, Timestamp};

use super::{
    Exit, Failure,
    context::Context,
    manifest::word,
    output::{self, Format},
    words,
};
use crate::{
    clock,
    table::{Table, plain, toned},
};

const EXAMPLES: &str = "\
Examples:
  guildhall get services
  guildhall get service user-service -o yaml
  guildhall get instance user-service/u1        instances and versions have names of two parts
  guildhall get httproutes -l team=shop -A";

/// Read documents of any kind
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Get {
    /// services, serviceversions, instances, locks, gateways, httproutes or policies; or KIND/NAME
    #[arg(value_name = "KIND")]
    kind: String,
    /// The document's name; all documents of the kind if absent
    name: Option<String>,
    /// Only documents with such labels, such as a=b,c in (d,e),!f
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

/// A kind as a person writes it.
pub(super) fn kind(word: &str) -> Result<Kind, Failure> {
    Kind::parse(word).ok_or_else(|| {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.plural()).collect();
        let failure = Failure::new(Exit::Usage, format!("there is no kind {word:?}"));
        match guildhall_core::document::nearest(word, known.iter().copied()) {
            Some(near) => failure.next(format!("did you mean {near}?")),
            None => failure.next(format!("the kinds are {}", known.join(", "))),
        }
    })
}

/// `KIND NAME`, or `KIND/NAME` in one word.
pub(super) fn kind_and_name(
    word: &str,
    name: Option<String>,
) -> Result<(Kind, Option<String>), Failure> {
    match (word.split_once('/'), name) {
        (Some((word, name)), None) => Ok((kind(word)?, Some(name.to_owned()))),
        (_, name) => Ok((kind(word)?, name)),
    }
}

impl Get {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let (kind, name) = kind_and_name(&self.kind, self.name)?;
        let now = Timestamp::from_system(clock::wall());
        if let Some(name) = name {
            let key = DocumentKey::new(kind, context.namespace.clone(), name);
            let document =
                context.client.get(&key).await.map_err(|error| {
                    Failure::call(format!("{} cannot be read", word(&key)), &error)
                })?;
            let documents = [document];
            return output::value(
                context.output,
                &documents[0],
                || table(&documents, false, now),
                || vec![key.name.to_string()],
            );
        }
        let query = ListQuery {
            selector: self.selector.clone(),
            ..ListQuery::default()
        };
        let namespace = (!self.all_namespaces).then_some(&context.namespace);
        let listed = context
            .client
            .list(kind, namespace, &query)
            .await
            .map_err(|error| {
                Failure::call(format!("{} cannot be listed", kind.plural()), &error)
            })?;
        for why in &listed.skipped {
            output::warn(why);
        }
        let documents = listed.documents;
        match context.output {
            // What is printed can be applied again.
            Format::Yaml | Format::Json => {
                let list = serde_json::json!({"items": documents});
                output::value(context.output, &list, || Table::new(&[], ""), Vec::new)
            }
            format => output::value(
                format,
                &documents,
                || table(&documents, self.all_namespaces, now),
                || {
                    documents
                        .iter()
                        .map(|document| document.key().name.to_string())
                        .collect()
                },
            ),
        }
    }
}

fn table(documents: &[Document], namespaces: bool, now: Timestamp) -> Table {
    let mut table = match namespaces {
        true => Table::new(
            &["namespace", "name", "summary", "revision", "age"],
            "none there",
        ),
        false => Table::new(&["name", "summary", "revision", "age"], "none there"),
    };
    for document in documents {
        let metadata = document.metadata();
        let age = metadata
            .created_at
            .map_or_else(String::new, |at| words::age(at, now));
        let (summary, tone) = words::summary(document);
        let name = plain(&document.key().name);
        let rest = [toned(summary, tone), plain(metadata.revision), plain(age)];
        let [summary, revision, age] = rest;
        match namespaces {
            true => table.row([plain(&metadata.namespace), name, summary, revision, age]),
            false => table.row([name, summary, revision, age]),
        }
    }
    table
}
