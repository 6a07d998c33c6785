//! Which targets there are: the binaries of `fuzz/Cargo.toml`, and where their inputs come from.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// One target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Its name, which is its binary's.
    pub(super) name: String,
    /// Folders of inputs beside its own corpus: fixtures that tests have.
    pub(super) seeds: Vec<PathBuf>,
}

/// All targets, by name.
pub(super) fn read(folder: &Path) -> Result<Vec<Target>> {
    let path = folder.join("Cargo.toml");
    let manifest = fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
    parse(&manifest, workspace::root()).with_context(|| path.display().to_string())
}

fn parse(manifest: &str, root: &Path) -> Result<Vec<Target>> {
    let manifest: Manifest = toml::from_str::<toml::Table>(manifest)?.try_into()?;
    let seeds = manifest.package.metadata.seeds;
    let mut targets: Vec<Target> = manifest
        .bin
        .into_iter()
        .map(|bin| Target {
            seeds: seeds
                .get(&bin.name)
                .map(|folders| folders.iter().map(|folder| root.join(folder)).collect())
                .unwrap_or_default(),
            name: bin.name,
        })
        .collect();
    targets.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(unknown) = seeds
        .keys()
        .find(|name| !targets.iter().any(|target| target.name == **name))
    {
        bail!("package.metadata.seeds names {unknown}, and there is no such target");
    }
    Ok(targets)
}

#[derive(serde::Deserialize)]
struct Manifest {
    package: Package,
    #[serde(default)]
    bin: Vec<Bin>,
}

#[derive(serde::Deserialize)]
struct Package {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, serde::Deserialize)]
struct Metadata {
    #[serde(default)]
    seeds: BTreeMap<String, Vec<String>>,
}

#[derive(serde::Deserialize)]
struct Bin {
    name: String,
}

/// Those that were named, in the order of all; all of them if none was.
pub(super) fn choose<'a>(all: &'a [Target], named: &[String]) -> Result<Vec<&'a Target>> {
    if let Some(unknown) = named
        .iter()
        .find(|name| !all.iter().any(|target| target.name == **name))
    {
        let known: Vec<&str> = all.iter().map(|target| target.name.as_str()).collect();
        bail!(
            "there is no target {unknown:?}; there are: {}",
            known.join(", ")
        );
    }
    let is_chosen = |target: &&Target| named.is_empty() || named.contains(&target.name);
    Ok(all.iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "
        [package]
        name = 'x'
        [package.metadata.seeds]
        b = ['fixtures/b', 'more']
        [[bin]]
        name = 'b'
        [[bin]]
        name = 'a'
    ";

    #[test]
    fn targets_are_the_binaries_with_their_seeds() {
        let targets = parse(MANIFEST, Path::new("/r")).unwrap();
        let target = |name: &str, seeds: &[&str]| Target {
            name: name.to_owned(),
            seeds: seeds.iter().map(PathBuf::from).collect(),
        };
        assert_eq!(
            targets,
            [target("a", &[]), target("b", &["/r/fixtures/b", "/r/more"])]
        );
        let chosen = choose(&targets, &["b".to_owned()]).unwrap();
        assert_eq!(chosen, [&targets[1]]);
        assert_eq!(choose(&targets, &[]).unwrap().len(), 2);
        let error = choose(&targets, &["c".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "there is no target \"c\"; there are: a, b");
    }

    #[test]
    fn seeds_of_no_target_are_a_mistake() {
        let manifest = MANIFEST.replace("b = ['fix", "c = ['fix");
        assert!(parse(&manifest, Path::new("/r")).is_err());
    }
}
