//! A filter as it is written: one flat object, whose type says which field it has.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::filter::{
    Cors, ExternalAuth, Filter, HeaderModifier, Mirror, PathModifier, Redirect, UrlRewrite,
};
use super::reference::LocalRef;

/// As written: a `type` and the one field that belongs to it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct FilterForm {
    r#type: FilterType,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_header_modifier: Option<HeaderModifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_header_modifier: Option<HeaderModifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_mirror: Option<Mirror>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_redirect: Option<Redirect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url_rewrite: Option<UrlRewrite>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cors: Option<Cors>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_auth: Option<ExternalAuth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extension_ref: Option<LocalRef>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum FilterType {
    /// None was given; not a word that can be.
    #[default]
    #[serde(skip)]
    Missing,
    RequestHeaderModifier,
    ResponseHeaderModifier,
    RequestMirror,
    RequestRedirect,
    #[serde(rename = "URLRewrite")]
    UrlRewrite,
    #[serde(rename = "CORS")]
    Cors,
    ExternalAuth,
    Fault,
    ExtensionRef,
}

macro_rules! filters {
    ($($variant:ident $field:ident $word:literal,)*) => {
        impl TryFrom<FilterForm> for Filter {
            type Error = String;

            fn try_from(form: FilterForm) -> Result<Self, String> {
                let mut given: Option<Self> = None;
                $(
                    if let Some(value) = form.$field {
                        if form.r#type != FilterType::$variant {
                            return Err(concat!("the field of type ", $word, " does not belong to this filter's type").to_owned());
                        }
                        given = Some(Self::$variant(value));
                    }
                )*
                match (given, form.r#type) {
                    (Some(filter), _) => Ok(filter),
                    (None, FilterType::Missing) => Err("give the filter a type, such as RequestHeaderModifier".to_owned()),
                    $((None, FilterType::$variant) => Err(concat!("a filter of type ", $word, " needs its field").to_owned()),)*
                }
            }
        }

        impl From<Filter> for FilterForm {
            fn from(filter: Filter) -> Self {
                match filter {
                    $(Filter::$variant(value) => Self { r#type: FilterType::$variant, $field: Some(value), ..Self::default() },)*
                }
            }
        }

        impl Filter {
            /// Its `type`.
            pub fn word(&self) -> &'static str {
                match self { $(Self::$variant(_) => $word,)* }
            }
        }
    };
}

filters! {
    RequestHeaderModifier request_header_modifier "RequestHeaderModifier",
    ResponseHeaderModifier response_header_modifier "ResponseHeaderModifier",
    RequestMirror request_mirror "RequestMirror",
    RequestRedirect request_redirect "RequestRedirect",
    UrlRewrite url_rewrite "URLRewrite",
    Cors cors "CORS",
    ExternalAuth external_auth "ExternalAuth",
    Fault fault "Fault",
    ExtensionRef extension_ref "ExtensionRef",
}

/// As written: a `type` and the one field that belongs to it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct PathModifierForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<PathModifierType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replace_full_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replace_prefix_match: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum PathModifierType {
    ReplaceFullPath,
    ReplacePrefixMatch,
}

impl TryFrom<PathModifierForm> for PathModifier {
    type Error = &'static str;

    fn try_from(form: PathModifierForm) -> Result<Self, Self::Error> {
        match (
            form.r#type,
            form.replace_full_path,
            form.replace_prefix_match,
        ) {
            (Some(PathModifierType::ReplaceFullPath), Some(path), None) => {
                Ok(Self::ReplaceFullPath(path))
            }
            (Some(PathModifierType::ReplacePrefixMatch), None, Some(path)) => {
                Ok(Self::ReplacePrefixMatch(path))
            }
            _ => Err(
                "give type ReplaceFullPath with replaceFullPath, or ReplacePrefixMatch with replacePrefixMatch",
            ),
        }
    }
}

impl From<PathModifier> for PathModifierForm {
    fn from(modifier: PathModifier) -> Self {
        match modifier {
            PathModifier::ReplaceFullPath(path) => Self {
                r#type: Some(PathModifierType::ReplaceFullPath),
                replace_full_path: Some(path),
                ..Self::default()
            },
            PathModifier::ReplacePrefixMatch(path) => Self {
                r#type: Some(PathModifierType::ReplacePrefixMatch),
                replace_prefix_match: Some(path),
                ..Self::default()
            },
        }
    }
}
