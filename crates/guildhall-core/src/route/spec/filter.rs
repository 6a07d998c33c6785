//! What a route does to requests and responses on their way.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::filter_form::{FilterForm, PathModifierForm};
use super::reference::check_hostname;
use super::{LocalRef, Method, ServiceRef};
use crate::document::{Pointer, Problems};

/// One filter of a rule or of a backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "FilterForm", into = "FilterForm")]
pub enum Filter {
    /// Changes the request's headers.
    RequestHeaderModifier(HeaderModifier),
    /// Changes the response's headers.
    ResponseHeaderModifier(HeaderModifier),
    /// Sends a copy of the request elsewhere.
    RequestMirror(Mirror),
    /// Answers with a redirect.
    RequestRedirect(Redirect),
    /// Changes the request's host or path.
    UrlRewrite(UrlRewrite),
    /// Answers cross-origin requests.
    Cors(Cors),
    /// Asks another service whether the request may pass.
    ExternalAuth(ExternalAuth),
    /// Delays or refuses requests on purpose; Guildhall's own.
    Fault(Fault),
    /// An implementation's own.
    ExtensionRef(LocalRef),
}

/// Changes to headers: first `set`, then `add`, then `remove`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HeaderModifier {
    /// Replaces all values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Header>,
    /// Adds a value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<Header>,
    /// Takes all values away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// Its name, in any case.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A copy of requests to another service, whose answer is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mirror {
    /// Where to.
    pub backend_ref: ServiceRef,
    /// The share of requests, 0 to 100; all if neither this nor `fraction` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// The share of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<Fraction>,
}

/// A share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fraction {
    /// Out of the denominator.
    pub numerator: u32,
    /// 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denominator: Option<u32>,
}

/// A redirect; what is absent stays as requested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Redirect {
    /// `http` or `https`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// The host to go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The path to go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathModifier>,
    /// The port to go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// 301, 302, 303, 307 or 308; 302 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
}

/// A change of host or path before the request goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UrlRewrite {
    /// The `Host` the backend sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The path the backend sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathModifier>,
}

/// How a path changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PathModifierForm", into = "PathModifierForm")]
pub enum PathModifier {
    /// The whole path becomes this.
    ReplaceFullPath(String),
    /// The matched prefix becomes this.
    ReplacePrefixMatch(String),
}

/// Which cross-origin requests are answered, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cors {
    /// Origins that may ask.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_origins: Vec<String>,
    /// Whether with credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_credentials: Option<bool>,
    /// Methods allowed, or `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_methods: Vec<CorsMethod>,
    /// Request headers allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_headers: Vec<String>,
    /// Response headers that scripts may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expose_headers: Vec<String>,
    /// How long, in seconds, a preflight's answer is kept; 5 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u32>,
}

/// A method, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CorsMethod {
    /// One.
    One(Method),
    /// `*`.
    Any(Wildcard),
}

/// `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wildcard {
    /// `*`.
    #[serde(rename = "*")]
    Any,
}

/// Another service that decides whether a request may pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalAuth {
    /// `GRPC` or `HTTP`.
    pub protocol: AuthProtocol,
    /// Who decides.
    pub backend_ref: ServiceRef,
    /// For `GRPC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcAuth>,
    /// For `HTTP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpAuth>,
    /// How much of the body is sent along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_body: Option<ForwardBody>,
}

/// What an authorizer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AuthProtocol {
    /// Envoy's ext_authz.
    Grpc,
    /// Plain HTTP.
    Http,
}

/// What a gRPC authorizer is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GrpcAuth {
    /// Headers of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_headers: Vec<String>,
}

/// What an HTTP authorizer is sent, and what is taken from its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpAuth {
    /// The path asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Headers of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_headers: Vec<String>,
    /// Headers of the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_response_headers: Vec<String>,
}

/// How much of the body an authorizer is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ForwardBody {
    /// Bytes.
    pub max_size: u32,
}

/// Headers that belong to a connection or to a message's framing, which no filter may touch.
const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
];

impl Filter {
    pub(super) fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        match self {
            Self::RequestHeaderModifier(m) => {
                m.validate(&at.field("requestHeaderModifier"), problems)
            }
            Self::ResponseHeaderModifier(m) => {
                m.validate(&at.field("responseHeaderModifier"), problems)
            }
            Self::RequestRedirect(redirect) => {
                let at = at.field("requestRedirect");
                let scheme = redirect.scheme.as_deref();
                let known = scheme.is_none_or(|s| s == "http" || s == "https");
                problems.check(known, at.field("scheme"), "http or https");
                let status = redirect.status_code.unwrap_or(302);
                let allowed = [301, 302, 303, 307, 308].contains(&status);
                problems.check(allowed, at.field("statusCode"), "301, 302, 303, 307 or 308");
                problems.check(
                    redirect.port != Some(0),
                    at.field("port"),
                    "a port is 1 to 65535",
                );
                rewrite(
                    redirect.hostname.as_deref(),
                    redirect.path.as_ref(),
                    &at,
                    problems,
                );
            }
            Self::UrlRewrite(change) => {
                let at = at.field("urlRewrite");
                rewrite(
                    change.hostname.as_deref(),
                    change.path.as_ref(),
                    &at,
                    problems,
                );
            }
            Self::RequestMirror(mirror) => {
                let at = at.field("requestMirror");
                let one = mirror.percent.is_none() || mirror.fraction.is_none();
                problems.check(one, at, "give percent or fraction, not both");
                problems.check(
                    mirror.percent.is_none_or(|p| p <= 100),
                    at.field("percent"),
                    "0 to 100",
                );
            }
            Self::Fault(fault) => fault.validate(&at.field("fault"), problems),
            Self::Cors(_) | Self::ExternalAuth(_) | Self::ExtensionRef(_) => {}
        }
    }
}

fn rewrite(
    hostname: Option<&str>,
    path: Option<&PathModifier>,
    at: &Pointer<'_>,
    problems: &mut Problems,
) {
    if let Some(hostname) = hostname {
        check_hostname(hostname, false, &at.field("hostname"), problems);
    }
    let Some(modifier) = path else { return };
    let at = at.field("path");
    let (field, path) = match modifier {
        PathModifier::ReplaceFullPath(path) => ("replaceFullPath", path),
        PathModifier::ReplacePrefixMatch(path) => ("replacePrefixMatch", path),
    };
    let at = at.field(field);
    let plain = path
        .bytes()
        .all(|b| b.is_ascii_graphic() && b != b'#' && b != b'?');
    problems.check(
        plain,
        at,
        "printable ASCII without spaces, ? and #; percent-encode what is not",
    );
    problems.check(path.len() <= 1024, at, "at most 1024 bytes");
    // An empty prefix is how Gateway API writes "take the prefix away".
    let rooted = path.starts_with('/') || (path.is_empty() && field == "replacePrefixMatch");
    problems.check(rooted, at, "a path that begins with /");
}

impl HeaderModifier {
    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        for (list, field) in [(&self.set, "set"), (&self.add, "add")] {
            let at = at.field(field);
            problems.check(list.len() <= 16, at, "at most 16 headers");
            for (n, header) in list.iter().enumerate() {
                let at = at.item(n);
                check_header_name(&header.name, &at.field("name"), problems);
                check_header_value(&header.value, &at.field("value"), problems);
                let twice = list[..n]
                    .iter()
                    .any(|h| h.name.eq_ignore_ascii_case(&header.name));
                problems.check(!twice, at.field("name"), "this header is named twice");
            }
        }
        let at = at.field("remove");
        problems.check(self.remove.len() <= 16, at, "at most 16 headers");
        for (n, name) in self.remove.iter().enumerate() {
            check_header_name(name, &at.item(n), problems);
        }
    }
}

/// Notes a name that is no header's or that no filter may touch.
fn check_header_name(name: &str, at: &Pointer<'_>, problems: &mut Problems) {
    problems.check(
        is_token(name),
        at,
        "a header's name: letters, digits and !#$%&'*+-.^_`|~",
    );
    let framing = FRAMING.iter().any(|f| name.eq_ignore_ascii_case(f));
    problems.check(
        !framing,
        at,
        "this header belongs to the connection; a filter cannot change it",
    );
}

pub(super) fn check_header_value(value: &str, at: &Pointer<'_>, problems: &mut Problems) {
    let clean = !value.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f);
    problems.check(
        clean && value.len() <= 4096,
        at,
        "at most 4096 bytes without control characters",
    );
}

/// Whether `text` is a token as RFC 9110 has it: a method's or a header's name.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 256
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
