//! What each parameter means.

use serde_json::{Value, json};

use crate::http::params;

/// The parameters in a path's braces, in order.
pub(super) fn of_path(path: &str) -> Vec<Value> {
    let names = path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    let described = |name: &str| match name {
        "namespace" => "A namespace; `-` stands for all, where several can be read at once.",
        "name" => "The document's name.",
        "service" => "A service's name.",
        "id" => "An instance's id.",
        "version" => "A version's name.",
        "check" => "A check's name.",
        "environment" => "An environment (`prod`); `_` for what all share.",
        "file" => "A file's name (`app.yaml`).",
        "instance" => "An instance's id.",
        "number" => "A version's number, or a tag.",
        "tag" => "A tag: a name that is no number.",
        "draft" => "A draft's number.",
        "code" => "A problem's code.",
        _ => "",
    };
    names
        .map(|name| {
            let schema = json!({"type": "string", "minLength": 1, "maxLength": 253});
            json!({"name": name, "in": "path", "required": true, "description": described(name), "schema": schema})
        })
        .collect()
}

/// A query parameter.
pub(super) fn of_query(name: &str) -> Value {
    let text = json!({"type": "string"});
    let duration = json!({"$ref": "#/components/schemas/Duration"});
    let index = json!({"$ref": "#/components/schemas/Index"});
    let boolean = |default: bool| json!({"type": "boolean", "default": default});
    let (description, schema) = match name {
        params::MIN_INDEX => (
            "Waits until the answer covers this index, so that one reads one's own writes.",
            index,
        ),
        params::INDEX => (
            "Long poll: answers once something changed after this index, or at once if it is not of this history.",
            index,
        ),
        params::WAIT => (
            "How long a long poll waits at most; capped by the server.",
            duration,
        ),
        params::WATCH => (
            "Answers with an event stream: all there is, then every change.",
            boolean(false),
        ),
        params::DRY_RUN => (
            "Validates and shows the result without writing.",
            boolean(false),
        ),
        params::DRAFT => (
            "Makes a draft instead of a release, for others to approve (202); of configuration only.",
            boolean(false),
        ),
        params::SELECTOR => (
            "Only documents with such labels, as Kubernetes writes it: `a=b,c in (d,e),!f`.",
            text,
        ),
        params::LIMIT => (
            "The size of a page.",
            json!({"type": "integer", "minimum": 1, "maximum": 5000, "default": 5000}),
        ),
        params::CONTINUE => (
            "`metadata.continue` of the page before. 410 when its snapshot is gone.",
            text,
        ),
        params::KINDS => (
            "The kinds to watch, as in paths, separated by commas; all if absent.",
            text,
        ),
        params::FROM => (
            "The index to resume from; `Last-Event-ID` does the same.",
            index,
        ),
        params::SERVICE => ("Only what belongs to this service.", text),
        params::CALLER => (
            "Only what callers of this name tell: a service, or a gateway.",
            text,
        ),
        params::STATE => (
            "Only breakers in this state.",
            json!({"$ref": "#/components/schemas/BreakerState"}),
        ),
        params::REVEAL => (
            "Shows sealed values instead of `******`; takes the scope `reveal`.",
            boolean(false),
        ),
        params::ORIGINS => (
            "Answers with the values and where each was written, as JSON.",
            boolean(false),
        ),
        params::ROUTE => ("The HTTPRoute that the requests match.", text),
        params::RULE => ("The named rule of the route.", text),
        params::GATEWAY => ("The Gateway that takes the requests.", text),
        params::LISTENER => ("The listener of the Gateway.", text),
        "healthy" => (
            "`true`: healthy and warning instances. `false`: all, whatever their health.",
            boolean(true),
        ),
        "tag" => {
            return json!({
                "name": "tag", "in": "query", "description": "A tag the instances must have; all that are given.",
                "schema": {"type": "array", "items": {"type": "string"}}, "style": "form", "explode": true,
            });
        }
        "zone" => ("The instances of this zone.", text),
        "region" => ("The instances of this region.", text),
        "version" => ("The instances of this version.", text),
        "near" => (
            "Puts the instances of this zone (`zone` or `region/zone`) first, then those of its region.",
            text,
        ),
        "metadata." => {
            return json!({
                "name": "metadata.KEY", "in": "query",
                "description": "The instances whose metadata has this value under KEY; may stand for several keys.",
                "schema": {"type": "string"},
            });
        }
        other => (other, text),
    };
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

/// The headers that make a write conditional.
pub(super) fn conditions() -> Vec<Value> {
    let header = |name, description| json!({"name": name, "in": "header", "description": description, "schema": {"type": "string"}});
    vec![
        header(
            "If-Match",
            "Writes only if the document's ETag is this one; 412 otherwise.",
        ),
        header(
            "If-None-Match",
            "`*`: writes only if there is no such document; 412 otherwise.",
        ),
    ]
}

/// Why something is written.
pub(super) fn comment() -> Value {
    json!({
        "name": "Guildhall-Comment", "in": "header",
        "description": "Why, for the document's history: at most 1024 bytes, other letters than ASCII as RFC 8187 writes them.",
        "schema": {"type": "string"},
    })
}

/// A parameter that names a version, or any other.
pub(super) fn of_version(name: &str) -> Value {
    let description = match name {
        params::FROM => "A version, by its number or a tag; the one before `to` if absent.",
        params::TO => "A version, by its number or a tag; the last if absent.",
        params::VERSION => "A version, by its number or a tag; the live one if absent.",
        _ => return of_query(name),
    };
    json!({"name": name, "in": "query", "description": description, "schema": {"type": "string"}})
}

/// The header with which a configuration that one has is named.
pub(super) fn known_tag() -> Value {
    json!({
        "name": "If-None-Match", "in": "header",
        "description": "The ETag of the configuration one has: 304 as long as it is that one, and a stream begins with the next.",
        "schema": {"type": "string"},
    })
}

/// A parameter that says who reads a configuration, or any other.
pub(super) fn of_reader(name: &str) -> Value {
    let description = match name {
        params::INSTANCE => {
            "Which instance reads it: gray releases are told apart by it, and a watch is listed among the listeners."
        }
        params::ZONE => "The zone it runs in; that of its registration if absent.",
        params::LABEL => {
            "A label of it, `KEY=VALUE`, over those of its registration; may stand more than once."
        }
        _ => return of_query(name),
    };
    json!({"name": name, "in": "query", "description": description, "schema": {"type": "string"}})
}

/// The header with which browsers resume an event stream.
pub(super) fn last_event_id() -> Value {
    json!({
        "name": "Last-Event-ID", "in": "header", "description": "As `from`; wins over it.",
        "schema": {"$ref": "#/components/schemas/Index"},
    })
}
