//! `guildhall config export`: files of configuration as a folder or an archive.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use guildhall_api::client::ListQuery;
use guildhall_core::{
    config::{
        Config, ConfigName,
        bundle::{self, INDEX, Index},
        seal::Sight,
    },
    document::{Document, Kind, Object},
};

use super::{progress::Progress, selection::Selection, zip};
use crate::cli::{Exit, Failure, context::Context, manifest::word, output};

/// How many contents are read at a time.
pub(super) const READS: usize = 8;

const EXAMPLES: &str = "\
Examples:
  guildhall config export --to configs/                       all files of the namespace
  guildhall config export users _/prod --to users.zip         the service's, and what all share in prod
  guildhall config export users/prod/app.yaml --to backup/

The files stand at SERVICE/ENVIRONMENT/FILE, byte for byte as they were written. guildhall.json beside them notes what
names and bytes do not say: labels, annotations, formats that cannot be told. Sealed values are masked; importing a mask
keeps the value that is there. Gray releases, drafts and history are not exported.";

/// Write files into a folder or an archive
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    /// SERVICE, SERVICE/ENVIRONMENT or SERVICE/ENVIRONMENT/FILE; all files if absent
    #[arg(value_name = "SELECTION")]
    selection: Vec<String>,
    /// A folder, or a file that ends with .zip
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
    /// Sealed values too, instead of ******: for a server that has none of these files. Takes the scope reveal
    #[arg(long)]
    reveal: bool,
}

/// A file with its content.
struct Exported {
    document: std::sync::Arc<Object<Config>>,
    content: Bytes,
}

impl Export {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let selection = Selection::parse(&self.selection)?;
        let is_zip = self
            .to
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("zip"));
        if !is_zip {
            refuse_other_folder(&self.to)?;
        }
        let sight = match self.reveal {
            true => Sight::Revealed,
            false => Sight::Masked,
        };
        let files = read(&context, &selection, sight).await?;
        let bundle = bundled(&context, &files)?;
        let to = self.to.display();
        let (count, are) = match files.len() {
            1 => (1, "file is"),
            count => (count, "files are"),
        };
        if is_zip {
            zip::write(&self.to, &bundle).map_err(|error| unwritable(&self.to, error))?;
            return output::text(&format!("{count} {are} in {to}\n"));
        }
        let written = bundle.iter().map(|(path, _)| self.to.join(path));
        let others = others(&self.to, &written.collect::<Vec<_>>());
        for (path, content) in &bundle {
            let path = self.to.join(path);
            write(&path, content).map_err(|error| unwritable(&path, error))?;
        }
        if let Some(first) = others.first() {
            output::warn(&format!(
                "{} files in {to} are not of this export, such as {}; they stay as they are",
                others.len(),
                first.display()
            ));
        }
        output::text(&format!("{count} {are} in {to}\n"))
    }
}

/// The selected files with their contents, by name.
async fn read(
    context: &Context,
    selection: &Selection,
    sight: Sight,
) -> Result<Vec<Exported>, Failure> {
    let listed = context
        .client
        .list(
            Kind::Config,
            Some(&context.namespace),
            &ListQuery::default(),
        )
        .await
        .map_err(|error| Failure::call("the files cannot be listed", &error))?;
    if let Some(why) = listed.skipped.first() {
        // A part that looks like the whole is worse than none.
        return Err(Failure::new(Exit::Failure, "not all files can be exported")
            .why(why)
            .next("use a newer guildhall"));
    }
    let mut found = Vec::new();
    for document in listed.documents {
        if let Document::Config(config) = document
            && selection.has(&config.metadata.name)
        {
            found.push(config);
        }
    }
    selection.all_found(found.iter().map(|config| config.metadata.name.as_str()))?;
    let progress = Progress::new("read", found.len());
    let contents = stream::iter(found).map(|document| async {
        let content = context.client.content(&document.key(), None, sight).await;
        progress.step();
        match content {
            Ok(content) => Ok(Some(Exported { document, content })),
            // Deleted since it was listed.
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => {
                let what = format!("{} cannot be exported", word(&document.key()));
                Err(Failure::call(what, &error))
            }
        }
    });
    let read: Vec<Option<Exported>> = contents.buffered(READS).try_collect().await?;
    Ok(read.into_iter().flatten().collect())
}

/// The files by path, with their index.
fn bundled(context: &Context, files: &[Exported]) -> Result<Vec<(String, Bytes)>, Failure> {
    let mut index = Index::new(context.namespace.as_str());
    let mut names = Vec::with_capacity(files.len());
    for file in files {
        // The server has no document of this kind with another name.
        let name = ConfigName::parse(&file.document.metadata.name).map_err(output::unwritable)?;
        let noted = index.note(name, &file.document, &file.content);
        noted.map_err(output::unwritable)?;
        names.push(name);
    }
    let mut paths = bundle::paths(names);
    let index = index.to_json().map_err(output::unwritable)?;
    let mut entries = vec![(INDEX.to_owned(), Bytes::from(index))];
    for file in files {
        if let Some(path) = paths.remove(&file.document.metadata.name) {
            entries.push((path, file.content.clone()));
        }
    }
    Ok(entries)
}

/// A folder with other things in it may be a slip of the hand.
fn refuse_other_folder(folder: &Path) -> Result<(), Failure> {
    let what = format!("nothing is exported to {}", folder.display());
    let mut entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::new(Exit::Failure, what).why(error)),
    };
    let is_exported = std::fs::read(folder.join(INDEX)).is_ok_and(|bytes| Index::is_one(&bytes));
    let is_other = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
    };
    if !is_exported && entries.any(is_other) {
        return Err(Failure::new(Exit::Usage, what)
            .why("there are other things in that folder, and no export")
            .next("name an empty folder, or one that does not exist"));
    }
    Ok(())
}

/// Files below `folder` that are none of `written`: of an earlier export, mostly.
fn others(folder: &Path, written: &[PathBuf]) -> Vec<PathBuf> {
    let written: std::collections::BTreeSet<&PathBuf> = written.iter().collect();
    let found = super::archive::below(folder).unwrap_or_default();
    found
        .into_iter()
        .filter(|path| !written.contains(path))
        .collect()
}

/// Writes a file such that it is never there in part.
pub(super) fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::{io::Write, os::unix::fs::PermissionsExt};
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    file.write_all(content)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

fn unwritable(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failure,
        format!("{} cannot be written", path.display()),
    )
    .why(error)
}
