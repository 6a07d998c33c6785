//! `guildhall history`: who changed a document when, and why; what a version said; what changed between two.

use clap::Args;
use guildhall_api::wire::{TaggedVersion, VersionList};
use guildhall_core::{
    document::{DocumentKey, Namespace, Timestamp},
    history::{Act, VersionRef},
};

use super::{
    Exit, Failure,
    context::Context,
    diff,
    get::kind_and_name,
    manifest::word,
    output::{self, Format},
    words,
};
use crate::{
    clock,
    table::{Table, Tone, plain, toned},
};

const EXAMPLES: &str = "\
Examples:
  guildhall history policy calm                  its versions, the newest first
  guildhall history policy calm --version 3      what version 3 said
  guildhall history policy calm --diff           what the last change was
  guildhall history policy calm --diff 1..4      what changed between two; either may be a tag
  guildhall history policy calm --tag good=3     names version 3, which is then never given up
  guildhall history policy calm --untag good

Policies, Gateways, HTTPRoutes and files of configuration have a history. To go back: guildhall rollback policy calm --to 3";

/// See who changed a document when, and why
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct History {
    /// What kind of document; or KIND/NAME
    #[arg(value_name = "KIND")]
    kind: String,
    /// The document's name
    name: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

/// What is asked of a history
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// How many versions to list
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,
    /// Show what this version said
    #[arg(long, value_name = "VERSION", group = "what")]
    version: Option<String>,
    /// Show what changed from one version to another; without them, what the last change was
    #[arg(long, value_name = "FROM..TO", num_args = 0..=1, default_missing_value = "..", group = "what")]
    diff: Option<String>,
    /// Give a version a name
    #[arg(long, value_name = "TAG=VERSION", group = "what")]
    tag: Option<String>,
    /// Take a name away
    #[arg(long, value_name = "TAG", group = "what")]
    untag: Option<String>,
}

/// The one document that `KIND NAME` or `KIND/NAME` names.
pub(super) fn one(
    kind: &str,
    name: Option<String>,
    namespace: &Namespace,
) -> Result<DocumentKey, Failure> {
    let (kind, name) = kind_and_name(kind, name)?;
    if !kind.keeps_history() {
        let what = format!("no history is kept of {}", kind.plural());
        return Err(Failure::new(Exit::Usage, what)
            .next("it is of policies, gateways, httproutes and configs"));
    }
    let Some(name) = name else {
        let what = format!("which of the {}?", kind.plural());
        return Err(Failure::new(Exit::Usage, what).next("give a name"));
    };
    Ok(DocumentKey::new(kind, namespace.clone(), name))
}

impl History {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let key = one(&self.kind, self.name, &context.namespace)?;
        self.asked.run(context, key).await
    }
}

impl Asked {
    pub(super) async fn run(self, context: Context, key: DocumentKey) -> Result<(), Failure> {
        if let Some(version) = &self.version {
            return show(&context, &key, version).await;
        }
        if let Some(range) = &self.diff {
            return compare(&context, &key, range).await;
        }
        if let Some(pair) = &self.tag {
            return tag(&context, &key, pair).await;
        }
        if let Some(tag) = &self.untag {
            let gone = context.client.untag(&key, tag).await;
            gone.map_err(|error| Failure::call(format!("the tag {tag} was not removed"), &error))?;
            return output::text(&format!("{}: no version is {tag} any more\n", word(&key)));
        }
        list(&context, &key, self.limit).await
    }
}

fn unknown(key: &DocumentKey) -> impl Fn(guildhall_api::client::ClientError) -> Failure {
    let what = format!("the history of {} cannot be read", word(key));
    move |error| Failure::call(what.clone(), &error)
}

async fn list(context: &Context, key: &DocumentKey, limit: usize) -> Result<(), Failure> {
    let mut all: Option<VersionList> = None;
    loop {
        let known = all.as_ref().map_or(0, |all| all.items.len());
        let next = all.as_ref().and_then(|all| all.metadata.next.clone());
        let page = Some((limit - known).clamp(1, 500));
        let page = context.client.history(key, page, next.as_deref()).await;
        let page = page.map_err(unknown(key))?;
        let ends = page.metadata.next.is_none() || page.items.is_empty();
        let all = match &mut all {
            None => all.insert(page),
            Some(all) => {
                all.items.extend(page.items);
                all.metadata = page.metadata;
                all
            }
        };
        if ends || all.items.len() >= limit {
            break;
        }
    }
    let Some(all) = all else { return Ok(()) };
    let names = || {
        all.items
            .iter()
            .map(|one| one.version.version.to_string())
            .collect()
    };
    output::value(context.output, &all, || table(&all), names)
}

fn table(all: &VersionList) -> Table {
    let none = "none yet: its history begins with its next change";
    let mut table = Table::new(
        &[
            "version", "action", "by", "age", "tags", "revision", "comment",
        ],
        none,
    );
    let now = Timestamp::from_system(clock::wall());
    for TaggedVersion { version, tags } in &all.items {
        let (action, tone) = match version.action {
            Act::Created => ("created".to_owned(), Tone::Good),
            Act::Updated => ("updated".to_owned(), Tone::Plain),
            Act::Deleted => ("deleted".to_owned(), Tone::Bad),
            Act::RolledBack => {
                let to = version
                    .to
                    .map_or_else(String::new, |to| format!(" to {to}"));
                (format!("rolled back{to}"), Tone::Doubtful)
            }
        };
        // A comment of several lines is one in a table.
        let comment = version.comment.as_deref().unwrap_or_default();
        table.row([
            plain(version.version),
            toned(action, tone),
            plain(&version.by),
            plain(words::age(version.at, now)),
            plain(tags.join(", ")),
            plain(version.revision),
            plain(comment.split_whitespace().collect::<Vec<_>>().join(" ")),
        ]);
    }
    table
}

async fn show(context: &Context, key: &DocumentKey, version: &str) -> Result<(), Failure> {
    let version = VersionRef::of(version);
    let recorded = context.client.version(key, &version).await;
    let recorded = recorded.map_err(unknown(key))?;
    match (context.output, &recorded.document) {
        (Format::Json, _) => output::json(&recorded),
        (Format::Yaml, None) => output::yaml(&recorded),
        (_, Some(document)) => output::yaml(&document.portable()),
        (_, None) => output::text(&format!(
            "version {} of {} is its deletion\n",
            recorded.version.version.version,
            word(key)
        )),
    }
}

pub(super) async fn compare(
    context: &Context,
    key: &DocumentKey,
    range: &str,
) -> Result<(), Failure> {
    // One version alone is compared with the one before it.
    let (from, to) = range.split_once("..").unwrap_or(("", range));
    let named = |word: &str| (!word.is_empty()).then(|| VersionRef::of(word));
    let (from, to) = (named(from), named(to));
    let found = context
        .client
        .version_diff(key, from.as_ref(), to.as_ref())
        .await;
    let found = found.map_err(unknown(key))?;
    match context.output {
        Format::Json => output::json(&found),
        Format::Yaml => output::yaml(&found),
        _ if found.changes.is_empty() => output::text("both say the same\n"),
        _ => {
            // Of a file of configuration the content is what people want to see, if that is what changed.
            let content = found.content.and_then(|content| content.textual);
            let content = content.filter(|text| !text.is_empty());
            output::text(&diff::coloured(content.unwrap_or(found.text)))
        }
    }
}

async fn tag(context: &Context, key: &DocumentKey, pair: &str) -> Result<(), Failure> {
    let Some((tag, version)) = pair.split_once('=') else {
        let what = format!("{pair:?} names no version");
        return Err(Failure::new(Exit::Usage, what).next("write --tag TAG=VERSION"));
    };
    let version = VersionRef::of(version);
    let tagged = context.client.tag(key, tag, &version).await;
    let tagged =
        tagged.map_err(|error| Failure::call(format!("{} was not tagged", word(key)), &error))?;
    output::text(&format!(
        "{}: version {} is {tag}\n",
        word(key),
        tagged.version
    ))
}
