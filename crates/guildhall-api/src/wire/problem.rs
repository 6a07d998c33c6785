//! Errors as RFC 9457 describes them.

use std::fmt;

use guildhall_core::{
    document::{FieldProblem, Namespace, Problems},
    policy::Source,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Code;

/// The content type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong and what to do about it. Causes inside the server do not stand here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The code's page, relative to the server: `/docs/errors/{code}`.
    #[serde(rename = "type", default)]
    pub page: String,
    /// The code's title.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What programs match on.
    pub code: Code,
    /// What happened this time, and the next move.
    #[serde(default)]
    pub detail: String,
    /// The request's id, as in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The policy that refused the request, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRef>,
    /// Each bad field of the document that was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

/// A policy, as a refusal names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
    /// Its revision when it refused.
    pub revision: u64,
}

impl PolicyRef {
    /// The policy that is the source of a refusal.
    pub fn of(source: &Source) -> Self {
        Self {
            namespace: source.namespace.clone(),
            name: source.policy.clone(),
            revision: source.revision,
        }
    }
}

impl Problem {
    /// A problem with the code's page, title and status.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            page: code.page(),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            code,
            detail: detail.into(),
            instance: None,
            policy: None,
            errors: Vec::new(),
        }
    }

    /// A document that is not valid, with each of its bad fields.
    pub fn invalid(problems: Problems) -> Self {
        let mut problem = Self::new(Code::InvalidDocument, problems.to_string());
        problem.errors = problems.0;
        problem
    }

    /// The same with the id of the request it answers.
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.instance = Some(id.into());
        self
    }

    /// Its status, or the code's if the number is none.
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(self.code.status())
    }

    /// As the body of an answer.
    pub fn to_json(&self) -> Vec<u8> {
        // A problem is strings and numbers: it always serialises.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.title, self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_rfc_9457() {
        let problem =
            Problem::invalid(Problems::one("/spec/host", "a host name")).with_request_id("r1");
        let json: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "/docs/errors/invalid-document",
                "title": "The document is not valid",
                "status": 422,
                "code": "invalid-document",
                "detail": "/spec/host: a host name",
                "instance": "r1",
                "errors": [{"pointer": "/spec/host", "detail": "a host name"}],
            })
        );
        assert_eq!(serde_json::from_value::<Problem>(json).unwrap(), problem);
    }
}
