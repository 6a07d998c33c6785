//! What holds for calls where no policy says otherwise. Pure.
//!
//! Every policy is more specific than these, field by field: one that sets `retry.attempts` leaves the rest of `retry`
//! as it is here, and one that says `enabled: false` takes the section away.

use guildhall_core::{
    document::{Pointer, Problems, decode},
    policy::{Policy, spec::Sections},
};
use serde_json::{Map, Value};

/// The SDK's own: each section with the defaults that docs/reference/policies.md tells, which are those of
/// guildhall-resilience. A caller that fails with its service, or makes its trouble worse, is never what is wanted.
const BUILT_IN: &str = r#"{"retry": {}, "circuitBreaker": {}, "outlierDetection": {}}"#;

/// The defaults, the author's over the SDK's, as they were written.
#[derive(Clone, Debug)]
pub(crate) struct Defaults(Result<Map<String, Value>, Vec<String>>);

impl Default for Defaults {
    fn default() -> Self {
        Self(serde_json::from_str(BUILT_IN).map_err(|error| vec![error.to_string()]))
    }
}

impl Defaults {
    /// These sections over what there is, field by field.
    pub(crate) fn with(&mut self, sections: Value) {
        let (Ok(known), Value::Object(sections)) = (&mut self.0, sections) else {
            self.0 = Err(vec![
                "give an object of sections, such as {\"retry\": {\"attempts\": 1}}".to_owned(),
            ]);
            return;
        };
        for (name, fields) in sections {
            match (known.get_mut(&name), fields) {
                (Some(Value::Object(known)), Value::Object(fields)) => known.extend(fields),
                (_, fields) => drop(known.insert(name, fields)),
            }
        }
    }

    /// Everything that is wrong with them.
    pub(crate) fn problems(&self) -> Vec<String> {
        match &self.0 {
            Ok(sections) => policy(sections).err().unwrap_or_default(),
            Err(problems) => problems.clone(),
        }
    }

    /// As policies are merged with them; none if anything is wrong.
    pub(crate) fn sections(&self) -> Sections {
        let policy = self.0.as_ref().ok().and_then(|known| policy(known).ok());
        policy.map(|policy| policy.sections()).unwrap_or_default()
    }
}

/// The sections as a policy that is for everything, checked as such.
fn policy(sections: &Map<String, Value>) -> Result<Policy, Vec<String>> {
    if let Some(other) = ["targetRefs", "mode"]
        .iter()
        .find(|name| sections.contains_key(**name))
    {
        return Err(vec![format!("/{other}: give sections alone")]);
    }
    let mut spec = sections.clone();
    let all = serde_json::json!([{"kind": "Namespace", "name": "default"}]);
    spec.insert("targetRefs".to_owned(), all);
    let told = |problems: Problems| -> Vec<String> {
        let problems = problems.0.iter();
        problems
            .map(|problem| format!("{}: {}", problem.pointer, problem.detail))
            .collect()
    };
    let policy: Policy = decode(&Value::Object(spec).to_string(), "").map_err(told)?;
    let mut problems = Problems::default();
    policy.validate(&Pointer::root(""), &mut problems);
    match problems.0.is_empty() {
        true => Ok(policy),
        false => Err(told(problems)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_authors_defaults_stand_over_ours_field_by_field() {
        let mut defaults = Defaults::default();
        defaults.with(json!({"retry": {"attempts": 3}, "bulkhead": {"maxConcurrentCalls": 5}}));
        defaults.with(json!({"retry": {"enabled": false}}));
        assert_eq!(defaults.problems(), Vec::<String>::new());
        let sections = defaults.sections();
        let retry = sections.retry.unwrap();
        assert_eq!((retry.attempts, retry.enabled), (Some(3), Some(false)));
        assert!(sections.bulkhead.is_some() && sections.circuit_breaker.is_some());
    }

    #[test]
    fn what_is_wrong_is_told_in_the_documents_words() {
        let told = |sections| {
            let mut defaults = Defaults::default();
            defaults.with(sections);
            defaults.problems().join("; ")
        };
        let table = [
            json!(7),
            json!({"retry": {"attempts": 1000}}),
            json!({"retries": {}}),
            json!({"mode": "Off"}),
        ];
        for bad in table {
            let problems = told(bad.clone());
            assert!(!problems.is_empty(), "{bad}");
        }
    }
}
