//! Any document, behind an `Arc`: what snapshots hold and watches carry.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{DocumentKey, Kind, Metadata, Object, Problems, Spec, lenient, strict};
use crate::{config, policy, registry, route};

macro_rules! documents {
    ($($kind:ident: $spec:ty,)*) => {
        /// A document of any kind. Cloning is cheap.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Document {
            $(
                #[doc = concat!("A document of kind `", stringify!($kind), "`.")]
                $kind(Arc<Object<$spec>>),
            )*
        }

        impl Document {
            /// Its kind.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }

            /// Its metadata.
            pub fn metadata(&self) -> &Metadata {
                match self { $(Self::$kind(object) => &object.metadata,)* }
            }

            /// Which document it is.
            pub fn key(&self) -> DocumentKey {
                match self { $(Self::$kind(object) => object.key(),)* }
            }

            /// The same document with other metadata.
            pub fn with_metadata(&self, metadata: Metadata) -> Self {
                match self {
                    $(Self::$kind(object) => Self::$kind(Arc::new(Object {
                        metadata,
                        spec: object.spec.clone(),
                        status: object.status.clone(),
                    })),)*
                }
            }

            /// Its metadata, to change; copied first where the document is shared.
            pub fn metadata_mut(&mut self) -> &mut Metadata {
                match self { $(Self::$kind(object) => &mut Arc::make_mut(object).metadata,)* }
            }

            /// Checks its name and its spec, as reading it from a client's body does.
            pub fn validate(&self) -> Result<(), Problems> {
                match self { $(Self::$kind(object) => object.validate(),)* }
            }

            /// The blobs that it needs, by their hashes.
            pub fn blobs(&self) -> Vec<[u8; 32]> {
                match self { $(Self::$kind(object) => object.spec.blobs(),)* }
            }

            /// The same without what the platform owns: what a user would write.
            pub fn portable(&self) -> Self {
                match self {
                    $(Self::$kind(object) => Self::$kind(Arc::new(Object::new(
                        object.metadata.portable(),
                        object.spec.clone(),
                    ))),)*
                }
            }

            /// Takes over the status of `other`, if that is of the same kind.
            pub fn copy_status(&mut self, other: &Self) {
                match (self, other) {
                    $((Self::$kind(object), Self::$kind(other)) => {
                        Arc::make_mut(object).status.clone_from(&other.status);
                    })*
                    _ => {}
                }
            }

            /// Whether both want the same: labels, annotations and spec.
            pub fn same_intent(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$kind(a), Self::$kind(b)) => {
                        a.spec == b.spec
                            && a.metadata.labels == b.metadata.labels
                            && a.metadata.annotations == b.metadata.annotations
                    })*
                    _ => false,
                }
            }

            /// Applies the kind's type to a spec that a client sent, and validates it.
            pub(super) fn from_body(
                kind: Kind,
                metadata: Metadata,
                name: Option<&str>,
                spec: &str,
            ) -> Result<Self, Problems> {
                match kind { $(Kind::$kind => typed::<$spec>(metadata, name, spec).map(Self::$kind),)* }
            }

            /// What the store keeps under the spec's key: metadata without revision, and spec.
            pub fn to_stored(&self) -> Result<Vec<u8>, serde_json::Error> {
                let metadata = match self.metadata() {
                    unnumbered if unnumbered.revision == 0 => Cow::Borrowed(unnumbered),
                    numbered => Cow::Owned(Metadata { revision: 0, ..numbered.clone() }),
                };
                let mut json = Vec::with_capacity(USUAL);
                match self {
                    $(Self::$kind(object) => {
                        serde_json::to_writer(&mut json, &Storing { metadata, spec: &object.spec })?;
                    })*
                }
                Ok(json)
            }

            /// Reads what [`Document::to_stored`] wrote, at the store's `revision`; lenient: what a newer
            /// version wrote is read as far as it is known here.
            pub fn from_stored(kind: Kind, revision: u64, stored: &[u8]) -> Result<Self, serde_json::Error> {
                match kind {
                    $(Kind::$kind => {
                        let Stored { mut metadata, spec } =
                            lenient::read_with::<Stored<$spec>>(stored, <$spec as Spec>::UNKNOWN_WORDS)?;
                        metadata.revision = revision;
                        Ok(Self::$kind(Arc::new(Object::new(metadata, spec))))
                    })*
                }
            }

            /// Reads a document as the API writes it, status included; lenient like
            /// [`Document::from_stored`].
            pub fn from_api(kind: Kind, json: &str) -> Result<Self, serde_json::Error> {
                match kind {
                    $(Kind::$kind => {
                        let Served { metadata, spec, status } = lenient::read_with::<
                            Served<$spec, <$spec as Spec>::Status>,
                        >(json.as_bytes(), <$spec as Spec>::UNKNOWN_WORDS)?;
                        Ok(Self::$kind(Arc::new(Object { metadata, spec, status })))
                    })*
                }
            }

            /// The same document with the status that the store keeps; `None` takes it away.
            pub fn with_stored_status(&self, status: Option<&[u8]>) -> Result<Self, serde_json::Error> {
                match self {
                    $(Self::$kind(object) => {
                        let status = status.map(serde_json::from_slice).transpose()?;
                        if status.is_none() && object.status.is_none() {
                            return Ok(self.clone());
                        }
                        Ok(Self::$kind(Arc::new(Object { status, ..Object::clone(object) })))
                    })*
                }
            }
        }

        $(
            impl From<Object<$spec>> for Document {
                fn from(object: Object<$spec>) -> Self {
                    Self::$kind(Arc::new(object))
                }
            }
        )*
    };
}

documents! {
    Service: registry::Service,
    ServiceVersion: registry::ServiceVersion,
    Instance: registry::Instance,
    Lock: registry::Lock,
    Gateway: route::Gateway,
    HttpRoute: route::HttpRoute,
    Policy: policy::Policy,
    Config: config::Config,
}

/// Nearly every document is shorter than this, in bytes.
const USUAL: usize = 1024;

/// What the store keeps of a document under its spec's key, as it is written.
#[derive(Serialize)]
struct Storing<'a, S> {
    metadata: Cow<'a, Metadata>,
    spec: &'a S,
}

/// The same as it is read.
#[derive(Deserialize)]
struct Stored<S> {
    metadata: Metadata,
    spec: S,
}

/// A document as the API writes it; `apiVersion` and `kind` are known by then.
#[derive(Deserialize)]
struct Served<S, T> {
    metadata: Metadata,
    spec: S,
    #[serde(default = "none")]
    status: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

impl Document {
    /// Its labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.metadata().labels
    }
}

/// Decodes and validates one spec; `name` is what the path says, in the key's form.
fn typed<S: Spec>(
    mut metadata: Metadata,
    name: Option<&str>,
    spec: &str,
) -> Result<Arc<Object<S>>, Problems> {
    let mut spec: S = strict::decode(spec, "/spec")?;
    if let Some(name) = name {
        spec.adopt(&mut metadata, name);
        let key = spec.key_name(&metadata);
        if key != name {
            return Err(Problems::one(
                "/metadata/name",
                format!("the path says {name:?}, the document {key:?}"),
            ));
        }
    }
    let object = Arc::new(Object::new(metadata, spec));
    object.validate().map(|()| object)
}
