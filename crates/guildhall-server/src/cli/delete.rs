//! `guildhall delete`: documents by name, or those that files name.

use std::path::PathBuf;

use clap::Args;
use guildhall_api::client::Precondition;
use guildhall_core::document::{Document, DocumentKey};

use super::{
    Exit, Failure,
    context::Context,
    get::kind_and_name,
    manifest::{self, word},
    output,
};

const EXAMPLES: &str = "\
Examples:
  guildhall delete httproute shop
  guildhall delete instance user-service/u1
  guildhall delete -f shop.yaml                 everything the file defines, the last first
  guildhall delete service a --if-exists";

/// Delete documents
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Delete {
    /// What kind of document; or KIND/NAME
    #[arg(
        value_name = "KIND",
        required_unless_present = "files",
        conflicts_with = "files"
    )]
    kind: Option<String>,
    /// The documents' names
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// A file, a directory, or - for stdin
    #[arg(short, long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// What does not exist is no failure
    #[arg(long)]
    if_exists: bool,
}

impl Delete {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let mut keys = Vec::new();
        match &self.kind {
            Some(word) => {
                let (kind, name) = kind_and_name(word, None)?;
                let names: Vec<String> =
                    name.into_iter().chain(self.names.iter().cloned()).collect();
                if names.is_empty() {
                    return Err(Failure::new(
                        Exit::Usage,
                        format!("which of the {}?", kind.plural()),
                    )
                    .next("give a name"));
                }
                keys.extend(
                    names
                        .into_iter()
                        .map(|name| DocumentKey::new(kind, context.namespace.clone(), name)),
                );
            }
            None => {
                let manifests = manifest::read(&self.files, &context.namespace)?;
                keys.extend(
                    manifests
                        .iter()
                        .flat_map(|manifest| manifest.documents.iter().map(Document::key)),
                );
                // What was defined last may need what was defined first.
                keys.reverse();
            }
        }
        // A service takes its versions with it, so that a version may be gone by its turn.
        let lenient = self.if_exists || self.kind.is_none();
        for key in keys {
            match context.client.delete(&key, Precondition::None).await {
                Ok(_) => output::text(&format!("{} deleted\n", word(&key)))?,
                Err(error) if error.is_not_found() && lenient => {
                    output::text(&format!("{} is not there\n", word(&key)))?
                }
                Err(error) => {
                    return Err(Failure::call(
                        format!("{} was not deleted", word(&key)),
                        &error,
                    ));
                }
            }
        }
        Ok(())
    }
}
