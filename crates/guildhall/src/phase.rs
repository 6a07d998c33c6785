//! Where a service is in its life.

use tokio::sync::watch;

/// Where a service is in its life; it only ever moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It does not take requests yet.
    Starting,
    /// It takes requests.
    Running,
    /// It finishes what it has; nothing new should be sent.
    Stopping,
    /// It takes no requests any more.
    Stopped,
}

impl Phase {
    /// As in the health answer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// The phase, shared by all who need to know it.
#[derive(Clone, Debug)]
pub(crate) struct Phases(watch::Sender<Phase>);

impl Phases {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Phase::Starting))
    }

    pub(crate) fn get(&self) -> Phase {
        *self.0.borrow()
    }

    /// The phase, now and whenever it changes.
    #[cfg(feature = "grpc")]
    pub(crate) fn subscribe(&self) -> watch::Receiver<Phase> {
        self.0.subscribe()
    }

    /// Moves on to `phase`; back is not possible.
    pub(crate) fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|present| {
            let forward = phase > *present;
            if forward {
                *present = phase;
            }
            forward
        });
    }
}
