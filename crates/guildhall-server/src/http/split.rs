//! A PUT of a service may carry what its code says, too: this takes the two apart.

use guildhall_api::wire::Code;
use guildhall_core::document::Problems;
use serde_json::{Map, Value};

use super::problem::{Refusal, invalid, refuse};

/// The fields of a service's spec that belong to one of its versions.
const OF_VERSION: [&str; 3] = ["api", "contract", "dependencies"];

/// A service and its version, each as JSON text of a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The service without what belongs to the version.
    pub(crate) service: String,
    /// The version.
    pub(crate) version: String,
    /// The version's name.
    pub(crate) version_name: String,
}

/// Takes a service's document apart; `None` if it says nothing about a version.
pub(crate) fn service(json: &str) -> Result<Option<Parts>, Refusal> {
    // Most services say nothing about a version, and are spared a second reading.
    if !(json.contains("\"version\"")
        || OF_VERSION
            .iter()
            .any(|field| json.contains(&format!("\"{field}\""))))
    {
        return Ok(None);
    }
    let Ok(Value::Object(mut document)) = serde_json::from_str(json) else {
        return Ok(None);
    };
    let Some(Value::Object(spec)) = document.get_mut("spec") else {
        return Ok(None);
    };
    let name = spec.remove("version");
    let of_version: Map<String, Value> = OF_VERSION
        .iter()
        .filter_map(|field| Some(((*field).to_owned(), spec.remove(*field)?)))
        .collect();
    let version_name = match name {
        None if of_version.is_empty() => return Ok(None),
        None => {
            let field = of_version.keys().next().map_or("api", String::as_str);
            let detail = "belongs to a version of the service; give spec.version, too";
            return Err(invalid(Problems::one(format!("/spec/{field}"), detail)));
        }
        Some(Value::String(name)) if !name.contains('/') => name,
        Some(_) => {
            return Err(invalid(Problems::one(
                "/spec/version",
                "the version's name, as text without a slash",
            )));
        }
    };
    let version = serde_json::json!({"spec": of_version}).to_string();
    let service = serde_json::to_string(&document).map_err(|error| {
        refuse(
            Code::BadRequest,
            format!("the body cannot be taken apart: {error}"),
        )
    })?;
    Ok(Some(Parts {
        service,
        version,
        version_name,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_with_a_version_is_two_documents() {
        let json = r#"{"spec":{"owner":"shop","version":"1.0","dependencies":["users"]}}"#;
        let parts = service(json).unwrap().unwrap();
        assert_eq!(parts.service, r#"{"spec":{"owner":"shop"}}"#);
        assert_eq!(
            (&*parts.version, &*parts.version_name),
            (r#"{"spec":{"dependencies":["users"]}}"#, "1.0")
        );
        assert_eq!(service(r#"{"spec":{"owner":"shop"}}"#).unwrap(), None);
        assert_eq!(
            service(r#"{"spec":{"description":"no \"version\" here"}}"#).unwrap(),
            None
        );
    }

    #[test]
    fn what_belongs_to_a_version_needs_its_name() {
        let problem = service(r#"{"spec":{"dependencies":[]}}"#).unwrap_err();
        assert_eq!(problem.errors[0].pointer, "/spec/dependencies");
        assert_eq!(
            service(r#"{"spec":{"version":1}}"#).unwrap_err().errors[0].pointer,
            "/spec/version"
        );
    }
}
