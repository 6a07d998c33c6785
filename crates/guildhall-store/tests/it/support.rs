//! What the tests of the embedded engine share.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use guildhall_log::Zeroing;
use guildhall_store::embedded::{Directories, Options};
use guildhall_testkit::files::FaultyFiles;

/// A log and a blob directory on faulty disks.
#[derive(Clone, Default)]
pub(crate) struct Disks {
    pub(crate) log: FaultyFiles,
    pub(crate) blobs: FaultyFiles,
}

impl Disks {
    pub(crate) fn directories(&self) -> Directories {
        Directories {
            log: Arc::new(self.log.clone()),
            blobs: Arc::new(self.blobs.clone()),
        }
    }
}

/// Small segments, so that tests see many.
pub(crate) fn small() -> Options {
    Options {
        log: guildhall_log::Options {
            segment_size: 16 << 10,
            zeroing: Zeroing::Inline,
            ..guildhall_log::Options::default()
        },
        checkpoint_after: 8 << 10,
        ..Options::default()
    }
}

/// What something logs as errors on this thread, one event a line: message and fields.
pub(crate) fn heard<T>(what: impl FnOnce() -> T) -> (T, String) {
    let heard = Heard::default();
    let lines = Arc::clone(&heard.0);
    let output = tracing::subscriber::with_default(heard, what);
    let lines = lines.lock().unwrap().clone();
    (output, lines)
}

#[derive(Default)]
struct Heard(Arc<Mutex<String>>);

impl tracing::Subscriber for Heard {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut lines = self.0.lock().unwrap();
        let mut field = |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            let _ = write!(lines, "{field}={value:?} ");
        };
        event.record(&mut field);
        lines.push('\n');
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
