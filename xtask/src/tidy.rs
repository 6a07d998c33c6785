//! `cargo xtask tidy`: rules with reasons that no compiler knows. Each rule is a pure function over what was read once;
//! this file reads, calls them in turn and prints what they found.
//!
//! A new rule is a new file here, with its tests through a `check(input, expect)` of its own, and one line in [`run`].

mod clocks;
mod dependencies;
mod features;
mod headers;
mod length;
mod manifests;
mod paths;
mod tree;
mod words;

use std::fmt;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::workspace;
use tree::Tree;

/// One broken rule, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, from the workspace's root.
    path: String,
    /// Its line, from 1; 0 where the whole file is meant.
    line: usize,
    /// What is wrong and the next move.
    message: String,
}

impl Finding {
    fn file(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::line(path, 0, message)
    }

    fn line(path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Runs every rule over the work tree and prints the findings, sorted by file.
pub(crate) fn run() -> Result<ExitCode> {
    let tree = Tree::read(workspace::root())?;
    let metadata = workspace::metadata()?;
    let clippy = tree
        .text("clippy.toml")
        .context("there is no clippy.toml")?;

    let mut findings = dependencies::findings(&dependencies::edges(&metadata));
    for name in features::LEAN {
        findings.extend(features::findings(name, &workspace::packages(name)?));
    }
    findings.extend(manifests::findings(&tree));
    findings.extend(headers::findings(&tree));
    findings.extend(length::findings(&tree, length::LONG_FILES));
    findings.extend(words::findings(&tree));
    findings.extend(clocks::findings(&tree, clippy));
    findings.extend(paths::findings(&tree));
    findings.sort();

    for finding in &findings {
        println!("{finding}");
    }
    let files = tree.texts().count();
    if findings.is_empty() {
        println!("tidy: {files} files, nothing to say");
        return Ok(ExitCode::SUCCESS);
    }
    println!("tidy: {files} files, {} findings", findings.len());
    Ok(ExitCode::FAILURE)
}

/// Renders findings one a line, as the rules' tests compare them.
#[cfg(test)]
fn render(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(Finding::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
