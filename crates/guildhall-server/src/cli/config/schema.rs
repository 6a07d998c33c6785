//! `guildhall config schema`: the JSON Schema that what readers of a file get must fit.

use clap::Args;
use guildhall_core::document::{Document, Object};

use super::{File, drafted, set::How};
use crate::cli::{Exit, Failure, context::Context, manifest::word, output};

const EXAMPLES: &str = "\
Examples:
  guildhall config set _/_/app.schema.json -f app.schema.json      a schema is a file like others; its name ends so
  guildhall config schema users/prod/app.yaml _/_/app.schema.json  from now on what does not fit is refused
  guildhall config schema users/prod/app.yaml                      which one?
  guildhall config schema users/prod/app.yaml --none

What is checked is what readers get: shared files laid under the file, each gray release over it. A write of a shared file,
or of the schema itself, is refused where it would break a file that refers to the schema.";

/// Attach a JSON Schema to a file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Schema {
    #[command(flatten)]
    file: File,
    /// The file with the schema; without it, the present one is printed
    #[arg(value_name = "SCHEMA")]
    schema: Option<String>,
    /// Detach it
    #[arg(long, conflicts_with = "schema")]
    none: bool,
    #[command(flatten)]
    how: How,
}

impl Schema {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let key = self.file.key(&context)?;
        let failed = |error| Failure::call(format!("{} was not changed", word(&key)), &error);
        let document = context.client.get(&key).await.map_err(failed)?;
        let Document::Config(config) = &document else {
            let what = format!("{} is no file of configuration", word(&key));
            return Err(Failure::new(Exit::Failure, what));
        };
        if self.schema.is_none() && !self.none {
            let schema = config.spec.schema_ref.as_deref().unwrap_or("none");
            return output::text(&format!("{schema}\n"));
        }
        let mut changed = Object::clone(config);
        changed.spec.schema_ref = self.schema;
        let mut how = self.how;
        how.if_revision.get_or_insert(config.metadata.revision);
        let changed = Document::from(changed).portable();
        let written = context.client.put(&changed, how.options()).await;
        let written = written.map_err(failed)?;
        for warning in &written.warnings {
            output::warn(warning);
        }
        let version = written.document.metadata().version;
        let said = drafted(&key, &written).unwrap_or_else(|| format!("version {version}"));
        output::text(&format!("{} {said}\n", word(&key)))
    }
}
