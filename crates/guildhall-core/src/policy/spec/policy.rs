//! The whole of a policy: what it is for, whether it bites, and its sections.

use serde::{Deserialize, Serialize};

use super::{
    AdaptiveConcurrency, Bulkhead, CircuitBreaker, Fallback, Hedging, LoadBalancer,
    OutlierDetection, RateLimit, Retry, TargetRef, Timeouts,
};
use crate::{
    document::{Kind, Name, NameError, Pointer, Problems, Remedies, Remedy, Spec},
    policy::{PolicyStatus, compile},
};

/// Whether a policy bites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// It does.
    #[default]
    Enforce,
    /// What it would do is counted beside what happens.
    DryRun,
    /// It does nothing.
    Off,
}

macro_rules! sections {
    ($($(#[doc = $doc:literal])+ $field:ident $name:literal: $section:ident, $targets:ident;)+) => {
        /// What applies to some requests, and how they are treated.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
        pub struct Policy {
            /// What it applies to: 1 to 16 targets in the policy's own namespace.
            pub target_refs: Vec<TargetRef>,
            /// Whether it bites; `Enforce` if absent.
            #[serde(skip_serializing_if = "is_default")]
            pub mode: Mode,
            $(
                $(#[doc = $doc])+
                #[serde(rename = $name, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$section>,
            )+
        }

        /// The sections of a policy, or of several merged.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Sections {
            $(
                $(#[doc = $doc])+
                #[serde(rename = $name, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$section>,
            )+
        }

        /// One section.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Section {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $section,)+
        }

        impl Section {
            /// Every section.
            pub const ALL: &[Section] = &[$(Section::$section,)+];

            /// Its field in a policy's spec.
            pub const fn name(self) -> &'static str {
                match self { $(Section::$section => $name,)+ }
            }

            /// Whether it is for targets of kind Service or Namespace only.
            pub const fn is_for_services(self) -> bool {
                match self { $(Section::$section => sections!(@$targets),)+ }
            }
        }

        impl Policy {
            /// Its sections.
            pub fn sections(&self) -> Sections {
                Sections { $($field: self.$field.clone(),)+ }
            }
        }

        impl Sections {
            /// Whether the section is there.
            pub fn has(&self, section: Section) -> bool {
                match section { $(Section::$section => self.$field.is_some(),)+ }
            }

            /// Takes the section away.
            pub fn clear(&mut self, section: Section) {
                match section { $(Section::$section => self.$field = None,)+ }
            }

            /// Takes the section over from `from`, as it is there.
            pub(in crate::policy) fn copy(&mut self, section: Section, from: &Self) {
                match section { $(Section::$section => self.$field.clone_from(&from.$field),)+ }
            }

            /// Takes every field that is absent here from the less specific `less`. `note` hears of every section and
            /// field that `less` has (`retry`, `retry.attempts`), and whether it was taken.
            pub(in crate::policy) fn fill(&mut self, less: &Self, note: &mut dyn FnMut(&'static str, bool)) {
                $(
                    if let Some(from) = &less.$field {
                        note($name, self.$field.is_none());
                        self.$field.get_or_insert_default().fill(from, note);
                    }
                )+
            }
        }
    };
    (@Any) => { false };
    (@Services) => { true };
}

sections! {
    /// Which endpoint takes a request.
    load_balancer "loadBalancer": LoadBalancer, Services;
    /// How long a request may take.
    timeouts "timeouts": Timeouts, Any;
    /// What is sent again.
    retry "retry": Retry, Any;
    /// Whether a service is called at all while it fails.
    circuit_breaker "circuitBreaker": CircuitBreaker, Services;
    /// Whether an endpoint is used while it fails.
    outlier_detection "outlierDetection": OutlierDetection, Services;
    /// How many requests in how much time.
    rate_limit "rateLimit": RateLimit, Any;
    /// How many requests at once.
    bulkhead "bulkhead": Bulkhead, Services;
    /// How many requests at once, found out by latency.
    adaptive_concurrency "adaptiveConcurrency": AdaptiveConcurrency, Services;
    /// What is answered when a request cannot be.
    fallback "fallback": Fallback, Any;
    /// What is sent twice.
    hedging "hedging": Hedging, Any;
}

fn is_default(mode: &Mode) -> bool {
    *mode == Mode::default()
}

impl Policy {
    /// What a reader makes of words that a newer version has added. A mode that is not known does nothing; an
    /// algorithm that is not known leaves its field to the default; an item of a list that is not known is left out.
    pub const UNKNOWN_WORDS: Remedies = &[
        ("/spec/mode", Remedy::Read("Off")),
        (
            "/spec/targetRefs/*/kind",
            Remedy::Omit("/spec/targetRefs/*"),
        ),
        (
            "/spec/loadBalancer/type",
            Remedy::Omit("/spec/loadBalancer/type"),
        ),
        (
            "/spec/loadBalancer/consistentHash/type",
            Remedy::Omit("/spec/loadBalancer/consistentHash"),
        ),
        (
            "/spec/retry/retryOn/*",
            Remedy::Omit("/spec/retry/retryOn/*"),
        ),
        (
            "/spec/circuitBreaker/slidingWindow/type",
            Remedy::Omit("/spec/circuitBreaker/slidingWindow"),
        ),
        (
            "/spec/circuitBreaker/recordErrors/*",
            Remedy::Omit("/spec/circuitBreaker/recordErrors/*"),
        ),
        (
            "/spec/circuitBreaker/ignoreErrors/*",
            Remedy::Omit("/spec/circuitBreaker/ignoreErrors/*"),
        ),
        (
            "/spec/circuitBreaker/force/state",
            Remedy::Omit("/spec/circuitBreaker/force"),
        ),
        (
            "/spec/rateLimit/rules/*/algorithm",
            Remedy::Read("TokenBucket"),
        ),
        (
            "/spec/rateLimit/rules/*/key/type",
            Remedy::Omit("/spec/rateLimit/rules/*"),
        ),
        (
            "/spec/adaptiveConcurrency/algorithm",
            Remedy::Omit("/spec/adaptiveConcurrency/algorithm"),
        ),
        (
            "/spec/fallback/causes/*",
            Remedy::Omit("/spec/fallback/causes/*"),
        ),
    ];

    /// Notes everything that decoding alone does not refuse; `at` points at the spec.
    pub fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let targets = at.field("targetRefs");
        problems.check(
            !self.target_refs.is_empty(),
            targets,
            "name at least one target, such as {\"kind\": \"Service\", \"name\": \"users\"}",
        );
        problems.check(self.target_refs.len() <= 16, targets, "at most 16 targets");
        for (n, target) in self.target_refs.iter().enumerate() {
            let at = targets.item(n);
            target.validate(&at, problems);
            let twice = self.target_refs[..n]
                .iter()
                .any(|earlier| earlier.same(target));
            problems.check(!twice, at, "this target is named twice");
        }
        let sections = self.sections();
        let other = self
            .target_refs
            .iter()
            .find(|target| !target.kind.is_for_services());
        for section in Section::ALL
            .iter()
            .filter(|section| sections.has(**section))
        {
            if let Some(target) = other.filter(|_| section.is_for_services()) {
                problems.add(
                    at.field(section.name()),
                    format!(
                        "applies to targets of kind Service or Namespace only, as its state belongs to the service; \
                         {} {:?} is none: put it into a policy of its own that targets the service",
                        target.kind.word(),
                        target.name
                    ),
                );
            }
        }
        compile::check(&sections, at, problems);
    }
}

impl Spec for Policy {
    const KIND: Kind = Kind::Policy;
    const UNKNOWN_WORDS: Remedies = Policy::UNKNOWN_WORDS;
    type Status = PolicyStatus;

    fn check_name(name: &str) -> Result<(), NameError> {
        // `…/policies/effective` is what policies come to.
        match name {
            "effective" => Err(NameError::Reserved("effective")),
            name => Name::new(name).map(drop),
        }
    }

    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        Policy::validate(self, at, problems);
    }
}
