//! What a rule asks of a request.

use serde::{Deserialize, Serialize};

use super::filter::is_token;
use crate::{
    document::{Pointer, Problems},
    route::pattern,
};

/// Conditions of which all must hold; a rule's matches are alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RouteMatch {
    /// The path; prefix `/` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathMatch>,
    /// Headers. Of several with one name only the first counts, as Gateway API says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<ValueMatch>,
    /// Query parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query_params: Vec<ValueMatch>,
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
}

/// What a path must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PathMatch {
    /// How the value is meant; a prefix if absent.
    #[serde(rename = "type")]
    pub match_type: PathMatchType,
    /// The path, prefix or expression; `/` if absent.
    pub value: String,
}

impl Default for PathMatch {
    fn default() -> Self {
        Self {
            match_type: PathMatchType::PathPrefix,
            value: "/".to_owned(),
        }
    }
}

/// How a path is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PathMatchType {
    /// It is the value, to the byte.
    Exact,
    /// Its first elements (between slashes) are the value's.
    #[default]
    PathPrefix,
    /// The whole of it matches the expression.
    RegularExpression,
}

/// What a header's or a query parameter's value must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValueMatch {
    /// How the value is meant.
    #[serde(rename = "type", default)]
    pub match_type: ValueMatchType,
    /// The name of the header (in any case) or the parameter.
    pub name: String,
    /// The value or expression.
    pub value: String,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueMatchType {
    /// To the byte.
    #[default]
    Exact,
    /// The whole of it matches the expression.
    RegularExpression,
}

/// A method that a rule may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the words are HTTP's")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
}

impl Method {
    /// As in a request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
        }
    }
}

impl RouteMatch {
    /// The path match, with Gateway API's default where there is none.
    pub fn path(&self) -> PathMatch {
        self.path.clone().unwrap_or_default()
    }

    pub(super) fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        if let Some(path) = &self.path {
            let at = at.field("path");
            path.validate(&at.field("value"), problems);
        }
        for (list, field) in [
            (&self.headers, "headers"),
            (&self.query_params, "queryParams"),
        ] {
            let at = at.field(field);
            problems.check(list.len() <= 16, at, "at most 16");
            for (n, test) in list.iter().enumerate() {
                let at = at.item(n);
                let name = if field == "headers" {
                    is_token(&test.name)
                } else {
                    !test.name.is_empty()
                };
                problems.check(
                    name,
                    at.field("name"),
                    "the name of a header or query parameter",
                );
                if test.match_type == ValueMatchType::RegularExpression
                    && let Err(detail) = pattern::compile(&test.value)
                {
                    problems.add(at.field("value"), detail);
                }
            }
        }
    }
}

impl PathMatch {
    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        if self.match_type == PathMatchType::RegularExpression {
            if let Err(detail) = pattern::compile(&self.value) {
                problems.add(at, detail);
            }
            return;
        }
        let path = self.value.as_str();
        problems.check(path.starts_with('/'), at, "a path that begins with /");
        problems.check(path.len() <= 1024, at, "at most 1024 bytes");
        let plain = path
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"#?\\".contains(&b));
        problems.check(
            plain,
            at,
            "printable ASCII without spaces, ?, # and \\; percent-encode what is not",
        );
        // Requests are matched in normal form, which none of these has.
        let upper = path.to_ascii_uppercase();
        let dots = path
            .split('/')
            .any(|element| element == "." || element == "..");
        let normal = !path.contains("//") && !upper.contains("%2F") && !dots;
        problems.check(
            normal,
            at,
            "without //, %2F and the elements . and ..: requests are matched in normal form",
        );
    }
}
