//! A document as a client sends it, before its kind's type has been applied.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{API_VERSION, Document, Kind, Metadata, Namespace, Problems, strict};

/// The API versions that are accepted; Gateway API's documents come as they are.
const API_VERSIONS: [&str; 3] = [
    API_VERSION,
    "gateway.networking.k8s.io/v1",
    "gateway.networking.k8s.io/v1beta1",
];

/// Metadata that Kubernetes' server owns: dropped with a warning rather than refused.
const KUBERNETES_OWNED: [&str; 10] = [
    "uid",
    "resourceVersion",
    "generation",
    "managedFields",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "ownerReferences",
    "finalizers",
];

/// A document whose outer shape is decoded and whose spec is still text.
#[derive(Debug)]
pub struct Body {
    /// The kind it says it is, if it says so.
    pub kind: Option<Kind>,
    /// Its metadata, as sent.
    pub metadata: Metadata,
    /// Whether `metadata.namespace` was given.
    pub names_namespace: bool,
    /// What was dropped and why; to be shown to the sender.
    pub warnings: Vec<String>,
    spec: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Outer {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    metadata: Option<serde_json::Map<String, serde_json::Value>>,
    spec: Box<RawValue>,
    #[serde(default)]
    status: Option<Box<RawValue>>,
}

impl Body {
    /// Decodes the outer shape of the JSON text `json`.
    pub fn parse(json: &str) -> Result<Self, Problems> {
        let outer: Outer = strict::decode(json, "")?;
        let mut problems = Problems::default();
        let mut warnings = Vec::new();
        if let Some(version) = outer
            .api_version
            .as_deref()
            .filter(|v| !API_VERSIONS.contains(v))
        {
            problems.add(
                "/apiVersion",
                format!("{version:?} is not served here; use {API_VERSION:?}"),
            );
        }
        let kind = match outer.kind.as_deref() {
            None => None,
            Some(word) => {
                let kind = Kind::ALL.iter().copied().find(|kind| kind.word() == word);
                if kind.is_none() {
                    problems.add("/kind", unknown_kind(word));
                }
                kind
            }
        };
        if outer.status.is_some() {
            warnings.push("status is the platform's to write; what was sent is ignored".to_owned());
        }
        let mut fields = outer.metadata.unwrap_or_default();
        for owned in KUBERNETES_OWNED {
            if fields.remove(owned).is_some() {
                warnings.push(format!(
                    "metadata.{owned} belongs to a Kubernetes server; it is ignored"
                ));
            }
        }
        let names_namespace = fields.contains_key("namespace");
        let metadata = serde_json::Value::Object(fields).to_string();
        match strict::decode::<Metadata>(&metadata, "/metadata") {
            Ok(metadata) => problems.into_result(Self {
                kind,
                metadata,
                names_namespace,
                warnings,
                spec: outer.spec,
            }),
            Err(mut more) => {
                problems.0.append(&mut more.0);
                Err(problems)
            }
        }
    }

    /// Applies `kind`'s type to the spec and validates it.
    ///
    /// `namespace` and `name` are those the request's path gives, if it gives them: they fill
    /// what the body leaves out and must agree with what it says. For an instance or a version,
    /// `name` is the key's, `{service}/{id}`.
    pub fn into_document(
        self,
        kind: Kind,
        namespace: Option<&Namespace>,
        name: Option<&str>,
    ) -> Result<Document, Problems> {
        if let Some(said) = self.kind.filter(|said| *said != kind) {
            return Err(Problems::one(
                "/kind",
                format!("the path asks for {kind}, the document is a {said}"),
            ));
        }
        let mut metadata = self.metadata;
        if let Some(namespace) = namespace {
            if self.names_namespace && metadata.namespace != *namespace {
                let detail = format!(
                    "the path says {namespace:?}, the document {:?}",
                    metadata.namespace
                );
                return Err(Problems::one("/metadata/namespace", detail));
            }
            metadata.namespace = namespace.clone();
        }
        Document::from_body(kind, metadata, name, self.spec.get())
    }
}

fn unknown_kind(word: &str) -> String {
    let known = Kind::ALL.iter().map(|kind| kind.word());
    match strict::nearest(word, known.clone()) {
        Some(near) => format!("unknown kind {word:?}; did you mean {near:?}?"),
        None => format!(
            "unknown kind {word:?}; known are: {}",
            known.collect::<Vec<_>>().join(", ")
        ),
    }
}
