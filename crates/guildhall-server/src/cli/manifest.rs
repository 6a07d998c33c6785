//! Documents from files: YAML with several documents, JSON, lists, whole directories, stdin.
//!
//! They are decoded and validated here with the same code as on the server, so that a mistake is named with its file
//! before anything is sent.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use guildhall_core::document::{Body, Document, DocumentKey, Kind, Namespace, Problems};
use serde::Deserialize;
use serde_json::Value;

use super::{Exit, Failure};
use crate::http::split;

/// One document of a file.
#[derive(Debug)]
pub(super) struct Manifest {
    /// Where it stands, for messages.
    pub(super) origin: String,
    /// Which document it is.
    pub(super) key: DocumentKey,
    /// As it is sent.
    pub(super) json: String,
    /// What it says: itself, and for a service that names its version that version, too.
    pub(super) documents: Vec<Document>,
    /// What is ignored in it.
    pub(super) warnings: Vec<String>,
}

/// Reads all documents of `paths`, in order; `-` is stdin, a directory all YAML and JSON files below it, by name, apart
/// from hidden ones and directories behind a symbolic link, which may lead in a circle or read the same file twice.
/// Documents that name no namespace get `namespace`.
pub(super) fn read(paths: &[PathBuf], namespace: &Namespace) -> Result<Vec<Manifest>, Failure> {
    let mut manifests = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Failure::new(Exit::Failure, "stdin cannot be read").why(error))?;
            parse(&text, "stdin", namespace, &mut manifests)?;
            continue;
        }
        let mut files = Vec::new();
        collect(path, true, &mut files)?;
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
            parse(
                &text,
                &file.display().to_string(),
                namespace,
                &mut manifests,
            )?;
        }
    }
    if manifests.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "there is no document in what -f names",
        ));
    }
    Ok(manifests)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failure, format!("{} cannot be read", path.display())).why(error)
}

fn collect(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
            .and_then(|entries| {
                entries
                    .map(|entry| entry.map(|entry| entry.path()))
                    .collect()
            })
            .map_err(|error| unreadable(path, &error))?;
        entries.sort();
        entries.retain(|entry| {
            let hidden = entry
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            !(hidden || entry.is_symlink() && entry.is_dir())
        });
        return entries
            .iter()
            .try_for_each(|entry| collect(entry, false, files));
    }
    let readable = path
        .extension()
        .is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending == *known));
    if named || readable {
        files.push(path.to_owned());
    }
    Ok(())
}

/// Reads all documents of one text, which is YAML or JSON.
pub(super) fn parse(
    text: &str,
    origin: &str,
    namespace: &Namespace,
    manifests: &mut Vec<Manifest>,
) -> Result<(), Failure> {
    let malformed = |at: usize, error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Invalid,
            format!("{origin}, document {at}: neither YAML nor JSON"),
        )
        .why(error)
    };
    let mut values: Vec<Value> = Vec::new();
    if text.trim_start().starts_with(['{', '[']) {
        for value in serde_json::Deserializer::from_str(text).into_iter() {
            values.push(value.map_err(|error| malformed(values.len() + 1, &error))?);
        }
    } else {
        for document in yaml_serde::Deserializer::from_str(text) {
            values.push(
                Value::deserialize(document)
                    .map_err(|error| malformed(values.len() + 1, &error))?,
            );
        }
    }
    // Empty documents come from separators at the beginning or the end.
    let values = values
        .into_iter()
        .filter(|value| !value.is_null())
        .flat_map(flatten);
    for (at, value) in values.enumerate() {
        let origin = format!("{origin}, document {}", at + 1);
        manifests.push(manifest(value, origin, namespace)?);
    }
    Ok(())
}

/// A list stands for its items.
fn flatten(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Object(mut fields)
            if fields.get("items").is_some_and(Value::is_array) && !fields.contains_key("spec") =>
        {
            match fields.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        value => vec![value],
    }
}

fn manifest(mut value: Value, origin: String, namespace: &Namespace) -> Result<Manifest, Failure> {
    let invalid = |problems: Problems| {
        problems.0.iter().fold(
            Failure::new(Exit::Invalid, format!("{origin} is not valid")),
            |failure, problem| {
                let at = if problem.pointer.is_empty() {
                    "the document"
                } else {
                    &problem.pointer
                };
                failure.why(format!("{at}: {}", problem.detail))
            },
        )
    };
    if let Some(fields) = value.as_object_mut() {
        let metadata = fields
            .entry("metadata")
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata
                .entry("namespace")
                .or_insert_with(|| Value::String(namespace.to_string()));
        }
        // What the platform owns is not sent back to it: what `get -o yaml` printed can be applied.
        fields.remove("status");
    }
    let json = value.to_string();
    let kind = Body::parse(&json).map_err(&invalid)?.kind;
    let Some(kind) = kind else {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        return Err(Failure::new(Exit::Invalid, format!("{origin} has no kind"))
            .why(format!("kind is one of {}", known.join(", "))));
    };
    let parts = match kind {
        Kind::Service => {
            split::service(&json).map_err(|problem| invalid(Problems(problem.errors)))?
        }
        _ => None,
    };
    let own = parts.as_ref().map_or(&json, |parts| &parts.service);
    let mut body = Body::parse(own).map_err(&invalid)?;
    let warnings = std::mem::take(&mut body.warnings);
    let document = body.into_document(kind, None, None).map_err(&invalid)?;
    let key = document.key();
    let mut documents = vec![document];
    if let Some(parts) = parts {
        let name = format!("{}/{}", key.name, parts.version_name);
        let version = Body::parse(&parts.version).and_then(|body| {
            body.into_document(Kind::ServiceVersion, Some(&key.namespace), Some(&name))
        });
        documents.push(version.map_err(&invalid)?);
    }
    Ok(Manifest {
        origin,
        key,
        json,
        documents,
        warnings,
    })
}

/// The same manifest with a label on its document.
pub(super) fn labelled(given: Manifest, key: &str, value: &str) -> Result<Manifest, Failure> {
    let malformed = |error| {
        Failure::new(
            Exit::Failure,
            format!("{} cannot be labelled", given.origin),
        )
        .why(error)
    };
    let mut json: Value = serde_json::from_str(&given.json).map_err(malformed)?;
    // Both are objects, or absent: it was read as a document.
    json["metadata"]["labels"][key] = Value::String(value.to_owned());
    let warnings = given.warnings;
    let labelled = manifest(json, given.origin, &given.key.namespace)?;
    Ok(Manifest {
        warnings,
        ..labelled
    })
}

/// `kind/name`, as messages name a document; with the namespace if it is not the default one.
pub(super) fn word(key: &DocumentKey) -> String {
    let kind = key.kind.word().to_ascii_lowercase();
    match key.namespace.as_str() {
        "default" => format!("{kind}/{}", key.name),
        namespace => format!("{kind}/{} in {namespace}", key.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        let mut manifests = Vec::new();
        parse(text, "test", &Namespace::default(), &mut manifests).unwrap();
        manifests
            .iter()
            .map(|manifest| word(&manifest.key))
            .collect()
    }

    #[test]
    fn several_documents_of_several_forms() {
        let yaml = "---\nkind: Service\nmetadata: {name: a}\nspec: {}\n---\nkind: Lock\nmetadata: {name: l, namespace: x}\nspec: {}\n---\n";
        assert_eq!(keys(yaml), ["service/a", "lock/l in x"]);
        let policy = DocumentKey::new(Kind::Policy, Namespace::default(), "p");
        assert_eq!(word(&policy), "policy/p");
        let json = r#"{"items": [{"kind": "Instance", "metadata": {"name": "i"}, "spec": {"service": "a", "host": "h", "port": 1}}]}"#;
        assert_eq!(keys(json), ["instance/a/i"]);
    }

    #[test]
    fn a_directory_that_leads_back_to_itself_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let deeper = folder.path().join("deeper");
        std::fs::create_dir_all(folder.path().join("..data")).unwrap();
        std::fs::create_dir_all(&deeper).unwrap();
        let document =
            |name: &str| format!("kind: Service\nmetadata: {{name: {name}}}\nspec: {{}}\n");
        std::fs::write(folder.path().join("..data/a.yaml"), document("a")).unwrap();
        std::fs::write(deeper.join("b.yml"), document("b")).unwrap();
        std::os::unix::fs::symlink(folder.path(), deeper.join("circle")).unwrap();
        // As Kubernetes mounts a ConfigMap.
        std::os::unix::fs::symlink("..data/a.yaml", folder.path().join("a.yaml")).unwrap();
        let read = read(&[folder.path().to_owned()], &Namespace::default()).unwrap();
        let names: Vec<String> = read.iter().map(|manifest| word(&manifest.key)).collect();
        assert_eq!(names, ["service/a", "service/b"]);
    }

    #[test]
    fn a_service_with_a_version_is_both() {
        let mut manifests = Vec::new();
        let text = "kind: Service\nmetadata: {name: a}\nspec: {version: '1', dependencies: [b]}";
        parse(text, "test", &Namespace::default(), &mut manifests).unwrap();
        let words: Vec<String> = manifests[0]
            .documents
            .iter()
            .map(|document| word(&document.key()))
            .collect();
        assert_eq!(words, ["service/a", "serviceversion/a/1"]);
    }

    #[test]
    fn a_mistake_names_its_document() {
        let failure = parse(
            "kind: Service\nspec: {}\n---\nkind: Sevice\nspec: {}",
            "f.yaml",
            &Namespace::default(),
            &mut Vec::new(),
        );
        assert!(
            failure
                .unwrap_err()
                .to_string()
                .contains("f.yaml, document 1")
        );
        let text = "kind: Service\nmetadata: {name: a}\nspec: {}\n---\nkind: Sevice\nmetadata: {name: a}\nspec: {}";
        let failure = parse(text, "f.yaml", &Namespace::default(), &mut Vec::new())
            .unwrap_err()
            .to_string();
        assert!(
            failure.contains("f.yaml, document 2") && failure.contains("did you mean \"Service\""),
            "{failure}"
        );
    }
}
