//! A version of a service as its code describes it.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;

use super::contract::{self, VersionStatus};
use crate::document::{
    Kind, NameError, Pointer, Problems, Remedies, Remedy, ServiceName, Spec, VersionName,
};

/// The code's part of a service: written at registration, usually by the SDK.
///
/// The document's name is `{service}/{version}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServiceVersion {
    /// What the service answers to, for people and graphs.
    #[serde(skip_serializing_if = "Api::is_empty")]
    pub api: Api,
    /// What its consumers may rely on; compared when a version is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// The services it calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
}

/// The endpoints of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Api {
    /// One entry per method and path.
    pub endpoints: Vec<Endpoint>,
}

impl Api {
    fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// The path, with parameters as the author writes them (`/users/{id}`).
    pub path: String,
    /// The HTTP method.
    pub method: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What consumers may rely on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contract {
    /// How the document is written.
    pub format: ContractFormat,
    /// The contract itself: an OpenAPI 3 document, a JSON Schema, ….
    pub document: serde_json::Value,
}

/// How a contract is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ContractFormat {
    /// OpenAPI 3.0 or 3.1.
    #[serde(rename = "openapi")]
    OpenApi,
    /// JSON Schema of the messages.
    JsonSchema,
}

impl ContractFormat {
    /// As `format:` in a document.
    pub fn word(self) -> &'static str {
        match self {
            Self::OpenApi => "openapi",
            Self::JsonSchema => "jsonSchema",
        }
    }
}

/// A service that this version calls: a name, or a name with details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// The service called.
    pub service: ServiceName,
    /// Whether the caller waits.
    #[serde(rename = "type")]
    pub kind: DependencyType,
    /// Whether the caller works without it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// The version it needs, if it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionName>,
}

/// Whether a caller waits for the answer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum DependencyType {
    /// It waits.
    #[default]
    Synchronous,
    /// It sends and goes on.
    Asynchronous,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DependencyFields {
    service: ServiceName,
    #[serde(rename = "type", default)]
    kind: DependencyType,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    version: Option<VersionName>,
}

/// A visitor of its own rather than an untagged enum, so that a misspelt field is named.
impl<'de> Deserialize<'de> for Dependency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrFields;

        impl<'de> Visitor<'de> for NameOrFields {
            type Value = Dependency;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "the name of a service, or an object {service, type, optional, version}",
                )
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Dependency, E> {
                ServiceName::new(name)
                    .map(Dependency::from)
                    .map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Dependency, A::Error> {
                let fields = DependencyFields::deserialize(MapAccessDeserializer::new(map))?;
                let DependencyFields {
                    service,
                    kind,
                    optional,
                    version,
                } = fields;
                Ok(Dependency {
                    service,
                    kind,
                    optional,
                    version,
                })
            }
        }

        deserializer.deserialize_any(NameOrFields)
    }
}

impl Dependency {
    /// The most dependencies a version may have.
    pub const MAX: usize = 512;
}

impl From<ServiceName> for Dependency {
    fn from(service: ServiceName) -> Self {
        Self {
            service,
            kind: DependencyType::Synchronous,
            optional: false,
            version: None,
        }
    }
}

impl Spec for ServiceVersion {
    const KIND: Kind = Kind::ServiceVersion;
    type Status = VersionStatus;

    const UNKNOWN_WORDS: Remedies = &[
        ("/spec/contract/format", Remedy::Omit("/spec/contract")),
        (
            "/spec/dependencies/*/type",
            Remedy::Omit("/spec/dependencies/*/type"),
        ),
        (
            "/status/breaking/*/kind",
            Remedy::Omit("/status/breaking/*"),
        ),
    ];

    fn check_name(name: &str) -> Result<(), NameError> {
        let (service, version) = name.split_once('/').unwrap_or((name, ""));
        ServiceName::new(service)?;
        VersionName::new(version).map(drop)
    }

    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let dependencies = at.field("dependencies");
        let many = format!("at most {}", Dependency::MAX);
        problems.check(
            self.dependencies.len() <= Dependency::MAX,
            dependencies,
            many,
        );
        for (n, dependency) in self.dependencies.iter().take(Dependency::MAX).enumerate() {
            let twice = self.dependencies[..n]
                .iter()
                .any(|d| d.service == dependency.service && d.kind == dependency.kind);
            problems.check(
                !twice,
                dependencies.item(n),
                format!("{} stands here twice", dependency.service),
            );
        }
        if let Some(contract) = &self.contract {
            contract::validate(contract, &at.field("contract"), problems);
        }
    }
}
