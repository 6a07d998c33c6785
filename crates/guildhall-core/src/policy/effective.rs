//! What holds for some requests: all policies on their way merged field by field, and where each field is from.
//!
//! The most specific target wins a field; among policies of one target the older, then the one whose name comes first.
//! The loser among those is told ([`Conflict`]); one that a more specific target overrides has not lost anything that
//! was meant to be its. A policy that names several targets of one chain counts at the most specific.
//!
//! A policy in `DryRun` is merged into a second result, as though it were enforced.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use serde::Serialize;

use super::{
    spec::{Mode, Policy, Section, Sections, TargetKind},
    target::{Chain, Target},
};
use crate::document::{Metadata, Namespace, Timestamp};

/// A policy as the source of a field or a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The policy's namespace.
    pub namespace: Namespace,
    /// The policy's name.
    pub policy: String,
    /// The policy's revision.
    pub revision: u64,
    /// Its target by which it applies.
    pub target: Target,
    /// Whether it is only tried.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

impl Source {
    /// What gateway or SDK does by itself, for services of `namespace`: less specific than any policy.
    pub fn built_in(namespace: &Namespace) -> Self {
        Self {
            namespace: namespace.clone(),
            policy: String::new(),
            revision: 0,
            target: Target {
                kind: TargetKind::Namespace,
                namespace: namespace.clone(),
                name: namespace.to_string(),
                section_name: None,
            },
            dry_run: false,
        }
    }

    /// Whether it is no policy, but what gateway or SDK does by itself.
    pub fn is_built_in(&self) -> bool {
        self.policy.is_empty()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_built_in() {
            return f.write_str("the built-in defaults");
        }
        let Self {
            namespace,
            policy,
            revision,
            target,
            ..
        } = self;
        write!(
            f,
            "policy {namespace}/{policy} (revision {revision}, on {target})"
        )
    }
}

/// Where a field comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The policy whose value it is.
    #[serde(flatten)]
    pub source: Arc<Source>,
    /// The policies whose value it is not, the most specific first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<Arc<Source>>,
}

/// Two policies of one target state one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The field: `retry.attempts`.
    pub field: &'static str,
    /// Whose value holds.
    pub winner: Arc<Source>,
    /// Whose does not.
    pub loser: Arc<Source>,
}

/// The policies on the way of some requests, merged.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Effective {
    /// The merged fields; what is absent has its default.
    #[serde(flatten)]
    pub sections: Sections,
    /// Where each field (`retry.attempts`) and each section (`retry`: the most specific policy that has it) comes from.
    pub origins: BTreeMap<&'static str, Origin>,
    /// Fields that several policies of one target state.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
    /// Each section as the most specific policy that has it states it.
    #[serde(skip)]
    pub(super) nearest: Sections,
}

impl Effective {
    /// The most specific policy that has the section: the one that refusals by it name.
    pub fn source(&self, section: Section) -> Option<&Arc<Source>> {
        self.origins
            .get(section.name())
            .map(|origin| &origin.source)
    }

    /// Every policy that has a field in the section.
    pub fn sources(&self, section: Section) -> Vec<&Arc<Source>> {
        let mut sources: Vec<&Arc<Source>> = Vec::new();
        for (field, origin) in &self.origins {
            let inside = field.split('.').next() == Some(section.name());
            if inside && !sources.contains(&&origin.source) {
                sources.push(&origin.source);
            }
        }
        sources
    }

    /// The most specific policy in `DryRun` that has a field in the section.
    pub(super) fn tried(&self, section: Section) -> Option<&Arc<Source>> {
        self.sources(section)
            .into_iter()
            .filter(|source| source.dry_run)
            .min_by_key(|source| source.target.specificity())
    }

    fn add(&mut self, source: &Arc<Source>, sections: &Sections) {
        let Self {
            sections: merged,
            origins,
            conflicts,
            nearest,
        } = self;
        merged.fill(sections, &mut |field, taken| {
            if taken {
                let origin = Origin {
                    source: source.clone(),
                    over: Vec::new(),
                };
                origins.insert(field, origin);
                if let Some(section) = Section::ALL.iter().find(|section| section.name() == field) {
                    nearest.copy(*section, sections);
                }
                return;
            }
            let Some(origin) = origins.get_mut(field) else {
                return;
            };
            origin.over.push(source.clone());
            if origin.source.target == source.target && field.contains('.') {
                conflicts.push(Conflict {
                    field,
                    winner: origin.source.clone(),
                    loser: source.clone(),
                });
            }
        });
    }
}

/// What is enforced for some requests, and what would be.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// What is enforced.
    pub enforced: Effective,
    /// What would be if every policy in `DryRun` were enforced, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<Effective>,
}

/// All policies, by what they attach to.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// In each list the older first, then by name.
    by_target: HashMap<Target, Vec<Attached>>,
    /// What holds where no policy says anything.
    defaults: Option<Arc<Sections>>,
}

#[derive(Clone, Debug)]
struct Attached {
    created_at: Timestamp,
    source: Arc<Source>,
    sections: Arc<Sections>,
}

impl Policies {
    /// These policies; the order does not matter. Those that are off do not count, nor do sections that a target
    /// cannot have.
    pub fn new<'a>(policies: impl IntoIterator<Item = (&'a Metadata, &'a Policy)>) -> Self {
        let mut by_target: HashMap<Target, Vec<Attached>> = HashMap::new();
        for (metadata, policy) in policies {
            if policy.mode == Mode::Off {
                continue;
            }
            let all = Arc::new(policy.sections());
            let mut some = policy.sections();
            for section in Section::ALL
                .iter()
                .filter(|section| section.is_for_services())
            {
                some.clear(*section);
            }
            let some = Arc::new(some);
            for reference in &policy.target_refs {
                let Some(target) = Target::of(reference, &metadata.namespace) else {
                    continue;
                };
                let sections = if reference.kind.is_for_services() {
                    &all
                } else {
                    &some
                };
                let list = by_target.entry(target.clone()).or_default();
                if list
                    .iter()
                    .any(|attached| attached.source.policy == metadata.name)
                {
                    continue;
                }
                list.push(Attached {
                    // One that was never written is the youngest.
                    created_at: metadata.created_at.unwrap_or(Timestamp(u64::MAX)),
                    source: Arc::new(Source {
                        namespace: metadata.namespace.clone(),
                        policy: metadata.name.clone(),
                        revision: metadata.revision,
                        target,
                        dry_run: policy.mode == Mode::DryRun,
                    }),
                    sections: sections.clone(),
                });
            }
        }
        for list in by_target.values_mut() {
            list.sort_by(|a, b| {
                (a.created_at, &a.source.policy).cmp(&(b.created_at, &b.source.policy))
            });
        }
        Self {
            by_target,
            defaults: None,
        }
    }

    /// The same with `defaults` where no policy says anything: what gateway or SDK does by itself, as though a policy
    /// less specific than any other said so.
    #[must_use]
    pub fn with_defaults(self, defaults: Sections) -> Self {
        Self {
            defaults: Some(Arc::new(defaults)),
            ..self
        }
    }

    /// What holds for requests on this way.
    pub fn resolve(&self, chain: &Chain) -> Resolved {
        self.resolve_targets(&chain.targets())
    }

    pub(super) fn resolve_targets(&self, targets: &[Target]) -> Resolved {
        let mut resolved = Resolved::default();
        let mut with_tried = Effective::default();
        let mut tried = false;
        let mut seen: Vec<(&Namespace, &str)> = Vec::new();
        let lists = targets
            .iter()
            .filter_map(|target| self.by_target.get(target));
        for attached in lists.flatten() {
            let source = &attached.source;
            let name = (&source.namespace, source.policy.as_str());
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            with_tried.add(source, &attached.sections);
            if source.dry_run {
                tried = true;
            } else {
                resolved.enforced.add(source, &attached.sections);
            }
        }
        if let (Some(defaults), Some(nearest)) = (&self.defaults, targets.last()) {
            let source = Arc::new(Source::built_in(&nearest.namespace));
            resolved.enforced.add(&source, defaults);
            with_tried.add(&source, defaults);
        }
        resolved.dry_run = tried.then_some(with_tried);
        resolved
    }
}
