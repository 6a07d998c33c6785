//! `fallback`.

use guildhall_resilience::fallback::{Cause, Causes, FallbackPlan, Source};

use super::At;
use crate::{
    document::{Namespace, Problems, ServiceName},
    policy::spec::{Fallback, FallbackCause, FallbackSource, StaticAnswer},
};

/// What is answered when a request cannot be.
#[derive(Clone, Debug, PartialEq)]
pub struct FallbackRule {
    /// Which source answers, for what.
    pub plan: FallbackPlan,
    /// The other service, if one is among the sources.
    pub service: Option<FallbackTarget>,
    /// The answer that is always the same, if it is among the sources.
    pub fixed: Option<FixedAnswer>,
    /// How many good answers are kept, if one may be a source.
    pub kept: Option<KeptAnswers>,
}

/// Another service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackTarget {
    /// Its namespace; that of the rule's policy if absent.
    pub namespace: Option<Namespace>,
    /// Its name.
    pub name: ServiceName,
}

/// An answer that is always the same; the headers' names and values are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedAnswer {
    /// Its status.
    pub status: http::StatusCode,
    /// Its headers.
    pub headers: http::HeaderMap,
    /// Its body.
    pub body: bytes::Bytes,
}

/// How many good answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptAnswers {
    /// At most so many.
    pub entries: usize,
    /// Of at most so many bytes together.
    pub bytes: usize,
}

const MOST_BODY: usize = 64 * 1024;
const MOST_HEADERS: usize = 32;

impl Fallback {
    pub(super) fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<FallbackRule> {
        let before = problems.0.len();
        let entries = self.max_entries.unwrap_or(1000);
        let bytes = self.max_bytes.unwrap_or(16 << 20);
        problems.check(
            (1..=1_000_000).contains(&entries),
            at.pointer.field("maxEntries"),
            "1 to 1000000",
        );
        problems.check(bytes > 0, at.pointer.field("maxBytes"), "1 or more");
        let specs = self.sources.as_deref().unwrap_or_default();
        let list = at.pointer.field("sources");
        let mut sources = Vec::with_capacity(specs.len());
        let (mut service, mut fixed, mut kept) = (None, None, None);
        for (n, source) in specs.iter().enumerate() {
            match source {
                FallbackSource {
                    cached: Some(cached),
                    service: None,
                    fixed: None,
                } => {
                    sources.push(Source::Cached {
                        oldest: cached.max_age.get(),
                    });
                    kept = Some(KeptAnswers {
                        entries: entries as usize,
                        bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
                    });
                }
                FallbackSource {
                    cached: None,
                    service: Some(other),
                    fixed: None,
                } => {
                    sources.push(Source::Service);
                    service = Some(FallbackTarget {
                        namespace: other.namespace.clone(),
                        name: other.name.clone(),
                    });
                }
                FallbackSource {
                    cached: None,
                    service: None,
                    fixed: Some(answer),
                } => {
                    sources.push(Source::Static);
                    let pointer = list.item(n);
                    let at = At {
                        pointer: pointer.field("static"),
                        attempt_timeout: None,
                    };
                    fixed = answer.compile(&at, problems);
                }
                _ => problems.add(list.item(n), "give one of cached, service and static"),
            }
        }
        if problems.0.len() > before || sources.is_empty() {
            return None;
        }
        let names = [(
            "sources",
            "sources",
            Some("each kind once, static last: nothing behind it is ever tried"),
        )];
        let mut plan = at.take(FallbackPlan::new(sources), &names, problems)?;
        if let Some(causes) = &self.causes {
            let causes: Vec<Cause> = causes.iter().map(|word| cause(*word)).collect();
            plan = plan.with_causes(Causes::of(&causes));
        }
        self.enabled.unwrap_or(true).then_some(FallbackRule {
            plan,
            service,
            fixed,
            kept,
        })
    }
}

impl StaticAnswer {
    fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<FixedAnswer> {
        let number = self.status.unwrap_or(200);
        let status = http::StatusCode::from_u16(number)
            .ok()
            .filter(|_| (200..=599).contains(&number));
        problems.check(status.is_some(), at.pointer.field("status"), "200 to 599");
        let given = self.headers.as_ref();
        let field = at.pointer.field("headers");
        problems.check(
            given.is_none_or(|given| given.len() <= MOST_HEADERS),
            field,
            "at most 32 headers",
        );
        let mut headers = http::HeaderMap::new();
        for (name, value) in given.into_iter().flatten() {
            let parsed = (
                http::HeaderName::try_from(name),
                http::HeaderValue::try_from(value),
            );
            match parsed {
                (Ok(name), Ok(value)) => drop(headers.insert(name, value)),
                _ => problems.add(field.field(name), "not a header's name and value"),
            }
        }
        let body = self.body.clone().unwrap_or_default();
        problems.check(
            body.len() <= MOST_BODY,
            at.pointer.field("body"),
            "at most 64 KiB",
        );
        Some(FixedAnswer {
            status: status?,
            headers,
            body: body.into(),
        })
    }
}

fn cause(word: FallbackCause) -> Cause {
    match word {
        FallbackCause::Rejected => Cause::Rejected,
        FallbackCause::Failed => Cause::Failed,
        FallbackCause::TimedOut => Cause::TimedOut,
        FallbackCause::Throttled => Cause::Throttled,
    }
}
