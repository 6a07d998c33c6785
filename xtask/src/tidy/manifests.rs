//! Every crate says which rustc it needs, under which licence it stands, what it is, and takes the workspace's lints.

use super::Finding;
use super::tree::Tree;

/// Crate manifests that leave out what the workspace decides.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    tree.texts()
        .filter(|(path, _)| path.ends_with("/Cargo.toml") || *path == "Cargo.toml")
        .flat_map(|(path, text)| findings_of(path, text))
        .collect()
}

fn findings_of(path: &str, text: &str) -> Vec<Finding> {
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::file(path, format!("is not TOML: {error}"))],
    };
    let get = |keys: &[&str]| {
        let (first, rest) = keys.split_first()?;
        rest.iter()
            .try_fold(manifest.get(*first)?, |value, key| value.get(key))
            .cloned()
    };
    let mut findings = Vec::new();
    let mut want = |there: bool, message: &str| {
        if !there {
            findings.push(Finding::file(path, message));
        }
    };
    if path == "Cargo.toml" {
        want(
            get(&["workspace", "package", "rust-version"]).is_some(),
            "set `rust-version` under [workspace.package]",
        );
        return findings;
    }
    if !manifest.contains_key("package") {
        return findings;
    }
    let inherited = |key: &str| get(&["package", key, "workspace"]) == Some(true.into());
    want(
        inherited("rust-version"),
        "set `rust-version.workspace = true`",
    );
    want(inherited("edition"), "set `edition.workspace = true`");
    want(inherited("license"), "set `license.workspace = true`");
    want(
        get(&["package", "description"]).is_some(),
        "say what the crate is in `description`",
    );
    want(
        get(&["lints", "workspace"]) == Some(true.into()),
        "take the workspace's lints: `[lints]` with `workspace = true`",
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check(path: &str, text: &str, expect: &str) {
        assert_eq!(render(&findings(&Tree::of(&[(path, text)]))), expect);
    }

    #[test]
    fn a_full_manifest_passes() {
        check(
            "crates/a/Cargo.toml",
            "[package]\nname = 'a'\ndescription = 'A'\nrust-version.workspace = true\nedition.workspace = true\n\
             license.workspace = true\n[lints]\nworkspace = true\n",
            "",
        );
        check(
            "Cargo.toml",
            "[workspace.package]\nrust-version = '1.95'\n",
            "",
        );
    }

    #[test]
    fn each_missing_line_is_named() {
        check(
            "crates/a/Cargo.toml",
            "[package]\nname = 'a'\nrust-version = '1.70'\nedition.workspace = true\nlicense.workspace = true\n",
            "crates/a/Cargo.toml: set `rust-version.workspace = true`\n\
             crates/a/Cargo.toml: say what the crate is in `description`\n\
             crates/a/Cargo.toml: take the workspace's lints: `[lints]` with `workspace = true`",
        );
        check(
            "Cargo.toml",
            "[workspace]\n",
            "Cargo.toml: set `rust-version` under [workspace.package]",
        );
    }
}
