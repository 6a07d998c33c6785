//! The work tree as the rules see it: every path, and the text of the files that people write. Read once; rules never
//! touch the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

/// Folders that hold nothing that is kept in the repository.
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];

/// File name endings whose text the rules read.
const READ: [&str; 7] = [".rs", ".md", ".toml", ".sh", ".c", ".py", ".yml"];

/// Paths and texts, both from the workspace's root with `/` between their parts.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Option<String>>,
    folders: BTreeSet<String>,
}

impl Tree {
    /// Reads the whole work tree under `root`.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        let mut pending = vec![root.to_path_buf()];
        while let Some(folder) = pending.pop() {
            let entries = std::fs::read_dir(&folder)
                .with_context(|| format!("cannot list {}", folder.display()))?;
            for entry in entries {
                let path = entry?.path();
                let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
                let last = name.rsplit('/').next().unwrap_or(&name);
                if path.is_dir() {
                    if !SKIPPED.contains(&last) {
                        pending.push(path);
                        tree.folders.insert(name);
                    }
                } else if READ.iter().any(|ending| last.ends_with(ending))
                    || name.starts_with("scripts/")
                {
                    let text = std::fs::read_to_string(&path)
                        .with_context(|| format!("cannot read {name}"))?;
                    tree.files.insert(name, Some(text));
                } else {
                    tree.files.insert(name, None);
                }
            }
        }
        Ok(tree)
    }

    /// A tree of these files alone, for tests.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.files
                .insert((*path).to_owned(), Some((*text).to_owned()));
            let mut folder = *path;
            while let Some((parent, _)) = folder.rsplit_once('/') {
                tree.folders.insert(parent.to_owned());
                folder = parent;
            }
        }
        tree
    }

    /// Every file that was read, with its text, in the order of their paths.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// Every Rust file.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// One file's text, if it is there and is read.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Whether this file or folder is there (a slash at the end asks for a folder).
    pub(crate) fn has(&self, path: &str) -> bool {
        match path.strip_suffix('/') {
            Some(folder) => self.folders.contains(folder),
            None => self.files.contains_key(path) || self.folders.contains(path),
        }
    }

    /// Whether some file or folder's path ends in these whole parts (a slash at the end asks for a folder).
    pub(crate) fn has_ending(&self, path: &str) -> bool {
        let ends = |whole: &String| {
            let wanted = path.trim_end_matches('/');
            whole
                .strip_suffix(wanted)
                .is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        self.folders.iter().any(ends) || (!path.ends_with('/') && self.files.keys().any(ends))
    }
}
