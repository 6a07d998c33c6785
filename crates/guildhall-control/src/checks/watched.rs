//! One instance on the board.

use std::sync::Arc;
use std::time::Instant;

use guildhall_core::document::Object;
use guildhall_core::registry::health::{Machine, Moment};
use guildhall_core::registry::status::effective_checks;
use guildhall_core::registry::{Check, CheckState, Instance, Probe, Service};

/// An instance with what is known of its checks.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) generation: u32,
    /// The revision of the instance's document: older ones are passed over.
    pub(super) revision: u64,
    pub(super) subject: Subject,
    pub(super) checks: Vec<WatchedCheck>,
}

/// What is checked: the documents as the view has them, so that they are in memory once.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) instance: Arc<Object<Instance>>,
    /// Its service, where the checks are the service's.
    pub(super) service: Option<Arc<Object<Service>>>,
}

/// One check.
#[derive(Debug)]
pub(super) struct WatchedCheck {
    pub(super) machine: Machine,
    /// For when the machine's deadline is in the queue.
    pub(super) queued: Option<Instant>,
    /// Whether it is running, or waiting to.
    pub(super) running: bool,
    /// Whether it has run since it was put on the board.
    pub(super) ran: bool,
}

impl Subject {
    pub(super) fn checks(&self) -> &[Check] {
        let of_service = self
            .service
            .as_ref()
            .map_or(&[][..], |service| &service.spec.checks);
        effective_checks(&self.instance.spec, of_service)
    }

    /// The state that is recorded of a check.
    fn kept(&self, check: &Check) -> Option<CheckState> {
        let status = self.instance.status.as_ref()?;
        status
            .checks
            .iter()
            .find(|status| status.name == check.name)
            .map(|status| status.state)
    }

    fn begin(&self, check: &Check, now: Moment) -> WatchedCheck {
        WatchedCheck {
            machine: Machine::new(check, self.kept(check), now),
            queued: None,
            running: false,
            ran: false,
        }
    }
}

impl Watched {
    pub(super) fn new(generation: u32, subject: Subject, now: Moment) -> Self {
        let checks = subject
            .checks()
            .iter()
            .map(|check| subject.begin(check, now))
            .collect();
        Self {
            generation,
            revision: subject.instance.metadata.revision,
            subject,
            checks,
        }
    }

    /// Takes in newer documents. Machines of checks that are as they were go on; whether all do.
    pub(super) fn renew(&mut self, subject: Subject, now: Moment) -> bool {
        self.revision = subject.instance.metadata.revision;
        if self.subject.checks() == subject.checks() {
            self.subject = subject;
            return true;
        }
        let known = self.subject.checks().to_vec();
        let mut old: Vec<(Check, WatchedCheck)> =
            known.into_iter().zip(self.checks.drain(..)).collect();
        self.checks = subject
            .checks()
            .iter()
            .map(
                |check| match old.iter().position(|(known, _)| known == check) {
                    Some(at) => WatchedCheck {
                        queued: None,
                        running: false,
                        ..old.swap_remove(at).1
                    },
                    None => subject.begin(check, now),
                },
            )
            .collect();
        self.subject = subject;
        false
    }

    /// The check `name`, if the instance has it: where, and whether it is a ttl check.
    pub(super) fn find(&self, name: &str) -> Option<(usize, bool)> {
        let at = self
            .subject
            .checks()
            .iter()
            .position(|check| check.name == name)?;
        Some((at, self.is_ttl(at)))
    }

    pub(super) fn is_ttl(&self, at: usize) -> bool {
        matches!(
            self.subject.checks().get(at).map(|check| &check.probe),
            Some(Probe::Ttl { .. })
        )
    }
}
