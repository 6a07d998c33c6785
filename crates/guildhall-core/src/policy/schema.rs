//! The JSON schema of policies, made from the declarations of the fields, as the reference is.

use serde_json::{Map, Value, json};

use super::{
    described::{Described, Field},
    reference::words,
    spec::{DESCRIBED, Section},
};

/// What stands before each name, as the schemas stand among others.
const PREFIX: &str = "Policy";

/// The schemas of a policy's spec (`PolicySpec`), of the sections merged (`PolicySections`) and of every type in them, by
/// name. References point into `base`: `#/components/schemas/`.
pub fn schemas(base: &str) -> Map<String, Value> {
    let mut all = Map::new();
    let mut sections = Map::new();
    for described in DESCRIBED {
        all.insert(
            format!("{PREFIX}{}", described.name),
            schema(described, base),
        );
        if let Some(section) = described.section {
            sections.insert(section.to_owned(), reference(described.name, base));
        }
    }
    let mut spec = sections.clone();
    all.insert(
        format!("{PREFIX}Sections"),
        json!({"type": "object", "description": "The sections of a policy, or of several merged.", "properties": sections}),
    );
    let target = reference("TargetRef", base);
    spec.insert(
        "targetRefs".into(),
        json!({"type": "array", "minItems": 1, "maxItems": 16, "items": target}),
    );
    let modes =
        json!({"type": "string", "enum": ["Enforce", "DryRun", "Off"], "default": "Enforce"});
    spec.insert("mode".into(), modes);
    all.insert(
        format!("{PREFIX}Spec"),
        json!({
            "type": "object", "required": ["targetRefs"], "additionalProperties": false,
            "description": "What applies to some requests, and how they are treated.", "properties": spec,
        }),
    );
    all.insert(
        format!("{PREFIX}TargetRef"),
        json!({
            "type": "object", "required": ["kind", "name"], "additionalProperties": false,
            "description": "A target of a policy, in the policy's own namespace.",
            "properties": {
                "group": {"type": "string"},
                "kind": {"type": "string", "enum": ["Gateway", "GRPCRoute", "HTTPRoute", "Service", "Namespace"]},
                "name": {"type": "string"},
                "sectionName": {"type": "string", "description": "A Gateway's listener, or a route's named rule."},
            },
        }),
    );
    all
}

fn schema(described: &Described, base: &str) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in described.fields {
        if field.default.is_none() {
            required.push(field.name);
        }
        properties.insert(field.name.to_owned(), property(field, base));
    }
    let mut description = text(described.doc);
    let services = Section::ALL
        .iter()
        .any(|section| Some(section.name()) == described.section && section.is_for_services());
    if services && !description.contains("Service or Namespace") {
        description.push_str(" For targets of kind Service or Namespace only.");
    }
    let mut schema = json!({
        "type": "object", "additionalProperties": false, "description": description, "properties": properties,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(field: &Field, base: &str) -> Value {
    let list = field
        .rust_type
        .strip_prefix("Vec<")
        .and_then(|rest| rest.strip_suffix('>'));
    let mut property = match list {
        Some(item) => json!({"type": "array", "items": of_type(item, base)}),
        None => of_type(field.rust_type, base),
    };
    property["description"] = json!(text(field.doc));
    let default = field.default.filter(|default| *default != "none");
    if let Some(default) = default.and_then(|default| serde_json::from_str::<Value>(default).ok()) {
        property["default"] = default;
    }
    property
}

fn of_type(name: &str, base: &str) -> Value {
    match name {
        "bool" => json!({"type": "boolean"}),
        "u8" | "u16" | "u32" | "u64" => json!({"type": "integer", "minimum": 0}),
        "f64" => json!({"type": "number"}),
        "Period" => json!({"$ref": format!("{base}Duration")}),
        "Timestamp" => json!({"$ref": format!("{base}Timestamp")}),
        "String" | "ServiceName" | "Namespace" => json!({"type": "string"}),
        "BTreeMap<String, String>" => {
            json!({"type": "object", "additionalProperties": {"type": "string"}})
        }
        "StatusRange" => json!({"type": ["integer", "string"], "examples": [503, "500-599"]}),
        object => match words(object) {
            Some(words) => json!({"type": "string", "enum": words}),
            None => reference(object, base),
        },
    }
}

fn reference(name: &str, base: &str) -> Value {
    json!({"$ref": format!("{base}{PREFIX}{name}")})
}

fn text(doc: &[&str]) -> String {
    doc.iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_has_its_schema() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(fields) => {
                    found.extend(
                        fields
                            .get("$ref")
                            .and_then(Value::as_str)
                            .map(str::to_owned),
                    );
                    fields.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let schemas = schemas("#/");
        let mut found = Vec::new();
        references(&Value::Object(schemas.clone()), &mut found);
        for reference in found {
            let name = reference.trim_start_matches("#/");
            let known = schemas.contains_key(name) || ["Duration", "Timestamp"].contains(&name);
            assert!(known, "{name}");
        }
        assert_eq!(
            schemas["PolicyRetry"]["properties"]["attempts"]["type"],
            "integer"
        );
    }
}
