//! `guildhall breakers force|disable|release|reset`: orders to the breakers of everyone who calls a service.
//!
//! An order is a field of a Policy document named `operator-SERVICE`, so that it is durable, audited, watched by every
//! gateway and service, and ends by itself. An existing document is edited where it stands; what else somebody wrote
//! into it stays.

use clap::{Args, Subcommand};
use guildhall_api::client::{ClientError, Precondition, PutOptions, Written};
use guildhall_api::wire::Code;
use guildhall_core::{
    document::{Document, DocumentKey, Kind, Metadata, Name, Object, Period, Timestamp},
    policy::{
        Mode, Policy,
        spec::{CircuitBreaker, Force, ForcedState, TargetKind, TargetRef},
    },
};

use crate::{
    cli::{Exit, Failure, context::Context, output},
    clock,
};

/// How often an edit is tried again because somebody else edited the document at the same time.
const ATTEMPTS: usize = 5;

#[derive(Debug, Subcommand)]
pub(super) enum Order {
    Force(ForceOpen),
    Disable(Disable),
    Release(Release),
    Reset(Reset),
}

/// Open every breaker for calls to a service: nobody calls it
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  guildhall breakers force user-service --for 5m --reason \"the database is being moved\"")]
pub(super) struct ForceOpen {
    #[command(flatten)]
    lasting: Lasting,
}

/// Close every breaker for calls to a service, whatever happens
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  guildhall breakers disable user-service --for 10m --reason \"its failures are a test\"")]
pub(super) struct Disable {
    #[command(flatten)]
    lasting: Lasting,
    /// Count calls meanwhile, as METRICS_ONLY: see what it would do
    #[arg(long)]
    keep_counting: bool,
}

/// What an order that lasts needs.
#[derive(Debug, Args)]
struct Lasting {
    /// The service that is called
    service: String,
    /// For how long, such as 5m; the order ends by itself
    #[arg(long = "for", value_name = "DURATION")]
    period: Period,
    /// Why; everyone who looks at the breakers reads it
    #[arg(long)]
    reason: String,
}

/// Take an order back: breakers begin anew, closed
#[derive(Debug, Args)]
pub(super) struct Release {
    /// The service that is called
    service: String,
}

/// Have every breaker for calls to a service begin anew, closed, with nothing counted; ends an order that holds
#[derive(Debug, Args)]
pub(super) struct Reset {
    /// The service that is called
    service: String,
}

/// What is to be done to the document.
#[derive(Clone, Debug, PartialEq)]
enum Edit {
    Force(Force),
    Release,
    Reset(Timestamp),
}

/// What becomes of the document.
#[derive(Clone, Debug, PartialEq)]
enum Next {
    Write(Box<Policy>),
    Delete,
    /// It is as it should be.
    Stay,
}

impl Order {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let wall = Timestamp::from_system(clock::wall());
        let (service, edit, done) = match self {
            Self::Force(ForceOpen { lasting }) => lasting.order(ForcedState::ForcedOpen, wall)?,
            Self::Disable(Disable {
                lasting,
                keep_counting,
            }) => {
                let state = match keep_counting {
                    true => ForcedState::MetricsOnly,
                    false => ForcedState::Disabled,
                };
                lasting.order(state, wall)?
            }
            Self::Release(Release { service }) => {
                (service, Edit::Release, "as their calls say".to_owned())
            }
            Self::Reset(Reset { service }) => (service, Edit::Reset(wall), "as new".to_owned()),
        };
        let (service, what) = (&*service, format!("{service}'s breakers cannot be told"));
        let key = DocumentKey::new(Kind::Policy, context.namespace.clone(), name(service)?);
        let policy = carry_out(context, &key, service, &edit, &what).await?;
        let exists = DocumentKey::new(Kind::Service, context.namespace.clone(), service);
        if let Err(error) = context.client.get(&exists).await
            && error.code() == Some(Code::NotFound)
        {
            output::warn(&format!(
                "there is no service {service}; what is ordered holds once there is"
            ));
        }
        output::text(&format!(
            "breakers for calls to {service}: {done}{policy}\n"
        ))
    }
}

impl Lasting {
    fn order(self, state: ForcedState, wall: Timestamp) -> Result<(String, Edit, String), Failure> {
        let Self {
            service,
            period,
            reason,
        } = self;
        let usage = |what: &str| Err(Failure::new(Exit::Usage, what));
        let millis = u64::try_from(period.get().as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return usage("--for is more than 0s; guildhall breakers release ends an order");
        }
        if reason.trim().is_empty() {
            return usage("--reason says why, for everyone who wonders");
        }
        let until = Timestamp(wall.0.saturating_add(millis));
        let word = serde_json::to_value(state).unwrap_or_default();
        let done = format!("{} until {until}", word.as_str().unwrap_or_default());
        let force = Force {
            state,
            until,
            reason: Some(reason),
        };
        Ok((service, Edit::Force(force), done))
    }
}

/// Edits the document, again if somebody else edited it meanwhile. Answers how it stands, in words.
async fn carry_out(
    context: &Context,
    key: &DocumentKey,
    service: &str,
    edit: &Edit,
    what: &str,
) -> Result<String, Failure> {
    let client = &context.client;
    let failed = |error: ClientError| Failure::call(what, &error);
    for _ in 0..ATTEMPTS {
        let known = match client.get(key).await {
            Ok(Document::Policy(policy)) => Some(policy),
            Ok(_) => None,
            Err(error) if error.code() == Some(Code::NotFound) => None,
            Err(error) => return Err(failed(error)),
        };
        let before = known.as_ref().map(|policy| &policy.spec);
        let next = edit.apply(before, service).map_err(|why| {
            Failure::new(Exit::Conflict, what).why(why).next(format!(
                "guildhall get policies {} -o yaml, and give it another name",
                key.name
            ))
        })?;
        let precondition = match &known {
            Some(policy) => Precondition::Revision(policy.metadata.revision),
            None => Precondition::Absent,
        };
        let written = match next {
            Next::Stay => return Ok(" (nothing was ordered)".to_owned()),
            Next::Delete => client
                .delete(key, precondition)
                .await
                .map(|_| format!(" (policy {} is gone)", key.name)),
            Next::Write(spec) => {
                let metadata = match &known {
                    Some(policy) => policy.metadata.clone(),
                    None => Metadata::named(key.namespace.clone(), &*key.name),
                };
                let options = PutOptions {
                    precondition,
                    ..PutOptions::default()
                };
                let document = Object::new(metadata, *spec).into();
                client
                    .put(&document, options)
                    .await
                    .map(|Written { document, .. }| {
                        let revision = document.metadata().revision;
                        format!(" (policy {}, revision {revision})", key.name)
                    })
            }
        };
        match written {
            Ok(said) => return Ok(said),
            Err(error) if error.code() == Some(Code::PreconditionFailed) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(Failure::new(Exit::Conflict, what)
        .why(format!("{key} keeps being edited by somebody else"))
        .next("try again"))
}

impl Edit {
    /// What becomes of the document that holds orders for `service`; an error says why it is not ours to edit.
    fn apply(&self, before: Option<&Policy>, service: &str) -> Result<Next, String> {
        let target = TargetRef {
            group: None,
            kind: TargetKind::Service,
            name: service.to_owned(),
            section_name: None,
        };
        if let Some(policy) = before {
            let [only] = policy.target_refs.as_slice() else {
                return Err("the document of that name has several targets".to_owned());
            };
            if !only.same(&target) {
                return Err(format!(
                    "the document of that name is for {} {}",
                    only.kind.word(),
                    only.name
                ));
            }
        }
        let mut policy = before.cloned().unwrap_or_else(|| Policy {
            target_refs: vec![target],
            ..Policy::default()
        });
        // An order that is only tried, or switched off, is none.
        policy.mode = Mode::Enforce;
        let breaker = policy.circuit_breaker.get_or_insert_default();
        match self {
            Self::Force(force) => breaker.force = Some(force.clone()),
            Self::Reset(at) => {
                breaker.force = None;
                breaker.reset = Some(*at);
            }
            Self::Release => {
                let Some(before) = before else {
                    return Ok(Next::Stay);
                };
                breaker.force = None;
                breaker.reset = None;
                if *breaker == CircuitBreaker::default() {
                    policy.circuit_breaker = None;
                }
                let nothing = Policy {
                    target_refs: policy.target_refs.clone(),
                    ..Policy::default()
                };
                if policy == nothing {
                    return Ok(Next::Delete);
                }
                policy.mode = before.mode;
            }
        }
        Ok(Next::Write(Box::new(policy)))
    }
}

/// The document's name. Services that came in through a foreign protocol may have names that no document has: what does
/// not fit becomes a dash; the document's target tells apart what that makes alike.
fn name(service: &str) -> Result<String, Failure> {
    let fitting = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' => c,
        _ => '-',
    };
    let name: String = service.chars().map(fitting).collect();
    let name = format!("operator-{}", name.trim_matches(['-', '.']));
    match Name::new(&name) {
        Ok(_) => Ok(name),
        Err(error) => Err(Failure::new(Exit::Usage, "SERVICE is no name of a service").why(error)),
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::document::decode;

    use super::*;

    fn force(until: u64) -> Edit {
        Edit::Force(Force {
            state: ForcedState::ForcedOpen,
            until: Timestamp(until),
            reason: Some("r".to_owned()),
        })
    }

    fn policy(json: &str) -> Policy {
        decode(json, "").unwrap()
    }

    fn written(next: Result<Next, String>) -> serde_json::Value {
        match next {
            Ok(Next::Write(policy)) => serde_json::to_value(policy).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_order_makes_a_document_that_its_end_takes_away() {
        let made = written(force(1).apply(None, "users"));
        assert_eq!(
            made,
            serde_json::json!({
                "targetRefs": [{"kind": "Service", "name": "users"}],
                "circuitBreaker": {"force": {
                    "state": "FORCED_OPEN", "until": "1970-01-01T00:00:00.001Z", "reason": "r",
                }},
            })
        );
        let made: Policy = serde_json::from_value(made).unwrap();
        assert_eq!(Edit::Release.apply(Some(&made), "users"), Ok(Next::Delete));
        assert_eq!(Edit::Release.apply(None, "users"), Ok(Next::Stay));
        let reset = written(Edit::Reset(Timestamp(5)).apply(Some(&made), "users"));
        assert_eq!(
            reset["circuitBreaker"],
            serde_json::json!({"reset": "1970-01-01T00:00:00.005Z"})
        );
    }

    #[test]
    fn what_else_stands_in_the_document_stays() {
        let before = policy(
            r#"{"targetRefs": [{"kind": "Service", "name": "users"}], "mode": "DryRun",
                "circuitBreaker": {"consecutiveFailures": 3}, "retry": {"attempts": 1}}"#,
        );
        let forced = written(force(1).apply(Some(&before), "users"));
        assert_eq!(forced["circuitBreaker"]["consecutiveFailures"], 3);
        assert_eq!(forced["retry"]["attempts"], 1);
        assert_eq!(forced.get("mode"), None, "an order is enforced");
        let released = written(Edit::Release.apply(Some(&before), "users"));
        assert_eq!(released, serde_json::to_value(&before).unwrap());
    }

    #[test]
    fn a_document_that_is_for_something_else_is_left_alone() {
        for refs in [
            r#"[{"kind": "Service", "name": "stock"}]"#,
            r#"[{"kind": "Namespace", "name": "users"}]"#,
            r#"[{"kind": "Service", "name": "users"}, {"kind": "Service", "name": "stock"}]"#,
        ] {
            let before = policy(&format!(r#"{{"targetRefs": {refs}}}"#));
            assert!(force(1).apply(Some(&before), "users").is_err(), "{refs}");
        }
    }

    #[test]
    fn foreign_names_become_names_of_documents() {
        assert_eq!(name("user-service").unwrap(), "operator-user-service");
        assert_eq!(name("Users#A@@b").unwrap(), "operator-users-a--b");
        assert!(name(&"x".repeat(250)).is_err());
    }
}
