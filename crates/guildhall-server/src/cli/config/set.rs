//! `guildhall config set`: a release of a file's content.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use clap::Args;
use guildhall_api::client::{Precondition, PutOptions, Written};
use guildhall_core::document::DocumentKey;

use super::{File, drafted};
use crate::cli::{Exit, Failure, context::Context, manifest::word, output};

/// Release a file's content
#[derive(Debug, Args)]
pub(super) struct Set {
    #[command(flatten)]
    file: File,
    /// Where the content stands; - for stdin
    #[arg(short = 'f', long = "file", value_name = "PATH", default_value = "-")]
    from: PathBuf,
    /// The media type of a new file whose name does not tell its format, such as application/yaml
    #[arg(long, value_name = "TYPE")]
    media_type: Option<String>,
    #[command(flatten)]
    how: How,
}

/// How it is released
#[derive(Debug, Args)]
pub(super) struct How {
    /// Why; kept in the file's history
    #[arg(long, value_name = "TEXT")]
    pub(super) comment: Option<String>,
    /// Only if the file still stands at this revision; 0: only if there is none
    #[arg(long, value_name = "REVISION")]
    pub(super) if_revision: Option<u64>,
    /// Check on the server, write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Make a draft of it, for others to approve
    #[arg(long)]
    pub(super) draft: bool,
}

impl How {
    pub(super) fn options(self) -> PutOptions {
        PutOptions {
            precondition: match self.if_revision {
                None => Precondition::None,
                Some(0) => Precondition::Absent,
                Some(revision) => Precondition::Revision(revision),
            },
            dry_run: self.dry_run,
            comment: self.comment,
            draft: self.draft,
        }
    }
}

impl Set {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let key = self.file.key(&context)?;
        let content = content_of(&self.from)?;
        release(
            &context,
            &key,
            content,
            self.media_type.as_deref(),
            self.how.options(),
        )
        .await
    }
}

/// What stands at `path`; - for stdin.
pub(super) fn content_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().read_to_end(&mut content).map(drop),
        false => std::fs::read(path).map(|read| content = read),
    };
    read.map_err(|error| {
        let what = format!("{} cannot be read", path.display());
        Failure::new(Exit::Failure, what).why(error)
    })?;
    Ok(content)
}

/// Releases `content` and says what became of it.
pub(super) async fn release(
    context: &Context,
    key: &DocumentKey,
    content: Vec<u8>,
    media_type: Option<&str>,
    options: PutOptions,
) -> Result<(), Failure> {
    let failed = |error| Failure::call(format!("{} was not released", word(key)), &error);
    let before = match context.client.get(key).await {
        Ok(before) => Some(before.metadata().revision),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(failed(error)),
    };
    let released = context
        .client
        .release_content(key, content.into(), media_type, &options)
        .await;
    let written = released.map_err(failed)?;
    let Written {
        document, warnings, ..
    } = &written;
    for warning in warnings {
        output::warn(warning);
    }
    let version = document.metadata().version;
    let said = match (
        before == Some(document.metadata().revision),
        options.dry_run,
    ) {
        (true, _) => format!("unchanged: version {version}"),
        (false, true) => format!("would be version {version} (dry run)"),
        (false, false) => drafted(key, &written).unwrap_or_else(|| format!("version {version}")),
    };
    output::text(&format!("{} {said}\n", word(key)))
}
