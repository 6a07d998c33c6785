//! The OpenAPI 3.1 document: operations from [`operations`]' table, schemas from `schemas.yaml`.
//!
//! Served at `/api/openapi.json` and committed as `docs/reference/openapi.json`, which a test compares. The documents'
//! types live in core, which knows nothing of HTTP, so their schemas are written here; a test checks them against
//! documents that use every field.

#[cfg(test)]
mod coverage;
mod operations;
mod parameters;

use guildhall_core::policy::schema;
use serde_json::{Map, Value, json};

use super::{
    params,
    routes::{Method, Resource},
};
use operations::{Answers, Operation};

/// The document.
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations::all() {
        let path = paths
            .entry(operation.path.clone())
            .or_insert_with(|| json!({}));
        path[operation.method.word().to_lowercase()] = described(&operation);
    }
    let mut schemas: Map<String, Value> =
        yaml_serde::from_str(include_str!("schemas.yaml")).unwrap_or_default();
    schemas.extend(schema::schemas("#/components/schemas/"));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Guildhall",
            "version": "v1",
            "summary": "Service registry, discovery and documents of a fleet of services.",
            "description": include_str!("about.md").trim(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "security": [{}, {"token": []}],
        "tags": [
            {"name": "documents", "description": "What users define, whatever its kind."},
            {"name": "history", "description": "The versions of the documents that operators write, and the way back."},
            {"name": "registry", "description": "Services, their versions and instances; discovery and the graph."},
            {"name": "configuration", "description": "Files that services read: released, laid over each other, watched."},
            {"name": "locks", "description": "Leases with fencing tokens, for leader election and the like."},
            {"name": "fleet", "description": "Breakers and limits of gateways and services, as they report them."},
            {"name": "watch", "description": "Changes as they happen."},
            {"name": "platform", "description": "The platform itself."},
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer",
                "description": "A token of the server's token file. Without such a file there is no authentication.",
            }},
            "headers": headers(),
            "responses": {"Problem": {
                "description": "What went wrong and what to do about it.",
                "content": {"application/problem+json": {"schema": reference("Problem")}},
            }},
            "schemas": schemas,
        },
    })
}

/// As committed: indented, with a line break at the end.
pub(crate) fn text() -> String {
    format!("{:#}\n", document())
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn headers() -> Value {
    json!({
        "Index": {
            "description": "`incarnation.revision`: on a write the index that covers it, on a read the one to poll with.",
            "schema": reference("Index"),
        },
        "ETag": {"description": "The revision of the document's spec, quoted.", "schema": {"type": "string"}},
        "Warning": {
            "description": "Something that was sent and is ignored. May stand more than once.",
            "schema": {"type": "string"},
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut parameters = parameters::of_path(&operation.path);
    for name in params::accepted(operation.resource, operation.method) {
        parameters.push(match operation.resource {
            Resource::EffectiveConfig => parameters::of_reader(name),
            Resource::VersionDiff | Resource::ConfigContent => parameters::of_version(name),
            _ => parameters::of_query(name),
        });
    }
    let written = match operation.resource {
        Resource::Document(kind) if operation.method != Method::Get => Some(kind.keeps_history()),
        Resource::Rollback => Some(true),
        Resource::Reseal
        | Resource::Gray
        | Resource::GrayPromotion
        | Resource::ConfigPromotion
        | Resource::DraftRelease => Some(true),
        Resource::ConfigContent if operation.method == Method::Put => Some(true),
        _ => None,
    };
    if let Some(keeps_history) = written {
        parameters.extend(parameters::conditions());
        if keeps_history {
            parameters.push(parameters::comment());
        }
    }
    if operation.resource == Resource::EffectiveConfig {
        parameters.push(parameters::known_tag());
    }
    if operation.resource == Resource::Watch {
        parameters.push(parameters::last_event_id());
    }
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": responses(operation),
    });
    if let Some(description) = &operation.description {
        described["description"] = json!(description);
    }
    if !parameters.is_empty() {
        described["parameters"] = json!(parameters);
    }
    if let Some(schema) = operation.body {
        described["requestBody"] = body(schema);
    }
    if operation.resource.is_public() {
        described["security"] = json!([{}]);
    }
    described
}

fn body(schema: &str) -> Value {
    match schema {
        "Content" => json!({"required": true, "content": {"*/*": {}}}),
        "Snapshot" => json!({"required": true, "content": {"application/octet-stream": {}}}),
        schema => json!({
            "required": true,
            "content": {
                "application/json": {"schema": reference(schema)},
                "application/yaml": {"schema": reference(schema)},
            },
        }),
    }
}

fn responses(operation: &Operation) -> Value {
    let json_answer = |description: &str, schema: &str, headers: &[&str]| {
        let named = |header: &&str| {
            match *header {
                "Index" => "Guildhall-Index",
                "Warning" => "Guildhall-Warning",
                other => other,
            }
            .to_owned()
        };
        let headers: Map<String, Value> = headers
            .iter()
            .map(|header| {
                (
                    named(header),
                    json!({"$ref": format!("#/components/headers/{header}")}),
                )
            })
            .collect();
        json!({
            "description": description,
            "headers": headers,
            "content": {"application/json": {"schema": reference(schema)}},
        })
    };
    let mut responses = json!({"default": {"$ref": "#/components/responses/Problem"}});
    match operation.answers {
        Answers::Document(schema) => {
            responses["200"] = json_answer("The document.", schema, &["Index", "ETag"]);
        }
        Answers::Written(schema) => {
            responses["200"] = json_answer(
                "The document as it is now.",
                schema,
                &["Index", "ETag", "Warning"],
            );
            responses["201"] = json_answer(
                "The document, which is new.",
                schema,
                &["Index", "ETag", "Warning"],
            );
        }
        Answers::Json(schema) => responses["200"] = json_answer("The answer.", schema, &["Index"]),
        Answers::Nothing => {
            responses["204"] = json!({
                "description": "Done.",
                "headers": {"Guildhall-Index": {"$ref": "#/components/headers/Index"}},
            });
        }
        Answers::Other(content_type) => {
            responses["200"] = json!({"description": "The answer.", "content": {content_type: {}}});
        }
    }
    let streams = params::accepted(operation.resource, operation.method).contains(&params::WATCH);
    if streams {
        responses["200"]["content"]["text/event-stream"] = json!({});
    }
    responses
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::routes::resolve;

    #[test]
    fn every_operation_is_served_at_its_path() {
        for operation in operations::all() {
            let path = operation
                .path
                .replace("{namespace}", "default")
                .replace(['{', '}'], "");
            let method = http::Method::from_bytes(operation.method.word().as_bytes()).unwrap();
            let target = resolve(&method, &path)
                .unwrap_or_else(|problem| panic!("{method} {path}: {problem}"));
            assert_eq!(
                (target.resource, target.method),
                (operation.resource, operation.method),
                "{path}"
            );
        }
    }

    #[test]
    fn every_resource_and_method_is_described() {
        let described: BTreeSet<String> = operations::all()
            .map(|operation| format!("{:?} {:?}", operation.resource, operation.method))
            .collect();
        let served = Resource::ALL.into_iter().flat_map(|resource| {
            resource
                .methods()
                .iter()
                .map(move |method| format!("{resource:?} {method:?}"))
        });
        assert_eq!(described, served.collect());
    }

    #[test]
    fn ids_are_unique_and_references_lead_somewhere() {
        let document = document();
        let ids: Vec<String> = operations::all().map(|operation| operation.id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        let text = document.to_string();
        for reference in text
            .split("\"#/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert!(
                document.pointer(&format!("/{reference}")).is_some(),
                "{reference} leads nowhere"
            );
        }
    }
}
