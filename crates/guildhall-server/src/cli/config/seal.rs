//! `guildhall config seal`: values that are kept encrypted, and the keys for it.

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use guildhall_api::client::{ListQuery, PutOptions, Written};
use guildhall_core::document::{Document, DocumentKey, Kind, Object};
use ring::rand::{SecureRandom, SystemRandom};

use super::{drafted, set::How};
use crate::{
    cli::{Exit, Failure, context::Context, manifest::word, output},
    clock,
};

const EXAMPLES: &str = "\
Examples:
  guildhall config seal --new-key > seal.keys && chmod 600 seal.keys    then name it in config.seal_key_file
  guildhall config seal users/prod/app.yaml /db/password /smtp/token
  guildhall config seal users/prod/app.yaml                             which values are sealed?
  guildhall config seal users/prod/app.yaml --not /db/password          the next value there is not sealed any more
  guildhall config get users/prod/app.yaml --reveal

To change keys: write the new one above the old one in the file, then
  guildhall config seal --rotate                                        all files of the namespace
and take the old one away once no version that may be rolled back to was sealed with it.

What a file said before it was sealed stays readable in its history: change the secret itself, too.";

/// Keep values of a file encrypted
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Seal {
    /// SERVICE/ENVIRONMENT/FILE
    #[arg(value_name = "FILE", required_unless_present_any = ["new_key", "rotate"])]
    config: Option<String>,
    /// The values, as JSON Pointers such as /db/password; without any, those that are sealed are listed
    #[arg(value_name = "POINTER")]
    pointers: Vec<String>,
    /// Do not seal this value any more from the next release on; may stand more than once
    #[arg(long = "not", value_name = "POINTER")]
    not: Vec<String>,
    /// Seal with the platform's current key what another one sealed: in FILE, or in all files of the namespace
    #[arg(long, conflicts_with_all = ["pointers", "not", "new_key"])]
    rotate: bool,
    /// Print a new line for the key file
    #[arg(long, conflicts_with_all = ["config", "pointers", "not"])]
    new_key: bool,
    #[command(flatten)]
    how: How,
}

impl Seal {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        if self.new_key {
            return output::text(&new_key()?);
        }
        let key = self
            .config
            .map(|name| super::key(&name, &context))
            .transpose()?;
        match (key, self.rotate) {
            (Some(key), true) => rotate(&context, &key, &self.how.options()).await,
            (Some(key), false) => {
                list_or_seal(&context, &key, self.pointers, &self.not, self.how).await
            }
            (None, _) => rotate_all(&context, &self.how.options()).await,
        }
    }
}

/// A line of a key file: 32 random bytes under the day's name.
fn new_key() -> Result<String, Failure> {
    let mut key = zeroize::Zeroizing::new([0_u8; 32]);
    SystemRandom::new().fill(key.as_mut_slice()).map_err(|_| {
        Failure::new(
            Exit::Failure,
            "the system gives no random bytes; no key was made",
        )
    })?;
    let now = clock::wall();
    let seconds = now
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    Ok(format!("k{seconds}: {}\n", STANDARD.encode(key.as_slice())))
}

async fn list_or_seal(
    context: &Context,
    key: &DocumentKey,
    pointers: Vec<String>,
    not: &[String],
    how: How,
) -> Result<(), Failure> {
    let failed = |error| Failure::call(format!("{} was not changed", word(key)), &error);
    let document = context.client.get(key).await.map_err(failed)?;
    let Document::Config(config) = &document else {
        return Err(Failure::new(
            Exit::Failure,
            format!("{} is no file", word(key)),
        ));
    };
    if pointers.is_empty() && not.is_empty() {
        let lines = config
            .spec
            .sealed
            .iter()
            .map(|pointer| format!("{pointer}\n"));
        return output::text(&lines.collect::<String>());
    }
    let revision = config.metadata.revision;
    let mut changed = Object::clone(config);
    let sealed = &mut changed.spec.sealed;
    sealed.retain(|pointer| !not.contains(pointer));
    for pointer in pointers {
        if !sealed.contains(&pointer) {
            sealed.push(pointer);
        }
    }
    let changed = Document::from(changed).portable();
    let mut how = how;
    how.if_revision.get_or_insert(revision);
    let written = context.client.put(&changed, how.options()).await;
    let written = written.map_err(failed)?;
    said(&written, revision)
}

async fn rotate(context: &Context, key: &DocumentKey, options: &PutOptions) -> Result<(), Failure> {
    let failed = |error| Failure::call(format!("{} was not sealed anew", word(key)), &error);
    let before = context.client.get(key).await.map_err(failed)?;
    let written = context.client.reseal_config(key, options).await;
    said(&written.map_err(failed)?, before.metadata().revision)
}

/// All files of the namespace that say what is to be sealed.
async fn rotate_all(context: &Context, options: &PutOptions) -> Result<(), Failure> {
    let listed = context
        .client
        .list(
            Kind::Config,
            Some(&context.namespace),
            &ListQuery::default(),
        )
        .await
        .map_err(|error| Failure::call("files of configuration cannot be listed", &error))?;
    for document in &listed.documents {
        let Document::Config(config) = document else {
            continue;
        };
        if !config.spec.sealed.is_empty() {
            rotate(context, &config.key(), options).await?;
        }
    }
    Ok(())
}

fn said(written: &Written, before: u64) -> Result<(), Failure> {
    for warning in &written.warnings {
        output::warn(warning);
    }
    let (key, metadata) = (written.document.key(), written.document.metadata());
    if let Some(drafted) = drafted(&key, written) {
        return output::text(&format!("{} {drafted}\n", word(&key)));
    }
    let said = match metadata.revision == before {
        true => "unchanged",
        false => "sealed",
    };
    output::text(&format!(
        "{} {said}: version {}\n",
        word(&key),
        metadata.version
    ))
}
