//! Finds peers' programs and asks their versions. What is not there is left out of the run, and said so.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The path of a command: from `PATH`, or where Debian keeps servers.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// The version that a program prints when run with this argument.
pub(crate) fn version(program: &Path, argument: &str) -> String {
    let Ok(output) = Command::new(program).arg(argument).output() else {
        return "version unknown".to_owned();
    };
    let text = [output.stdout, output.stderr].concat();
    number(&String::from_utf8_lossy(&text)).unwrap_or_else(|| "version unknown".to_owned())
}

/// The first number of three parts; one of two where there is none, as paths that programs print hold such.
fn number(text: &str) -> Option<String> {
    let numbers = || {
        text.split(|c: char| !c.is_ascii_digit() && c != '.')
            .map(|word| word.trim_matches('.'))
            .filter(|word| word.contains('.'))
    };
    let full = numbers().find(|word| word.split('.').count() == 3);
    full.or_else(|| numbers().next()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_programs_print_them() {
        for (text, expect) in [
            ("nginx version: nginx/1.22.1\n", Some("1.22.1")),
            (
                "HAProxy version 2.6.12-1+deb12u4 2026/10/17",
                Some("2.6.12"),
            ),
            ("etcd Version: 3.4.23\nGit SHA", Some("3.4.23")),
            (
                "lib/python3.11/envoy  version: 5f1a/1.40.0/Clean",
                Some("1.40.0"),
            ),
            ("rnacos v0.8.8", Some("0.8.8")),
            ("no digits", None),
        ] {
            assert_eq!(number(text).as_deref(), expect, "{text}");
        }
    }
}
