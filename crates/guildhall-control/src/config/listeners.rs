//! Who reads which file, what they were sent, and what became of it. Pure: `now` is passed in.
//!
//! It is soft state in the memory of the process whose readers they are, and goes a while after its reader.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use guildhall_core::config::{Audience as Readership, ListenerRow, ListenerState, Running, Source};
use guildhall_core::document::{DocumentKey, Namespace, Timestamp};
use guildhall_core::registry::health::Moment;

/// How long a listener is shown after its watch ended.
pub(super) const KEPT: Duration = Duration::from_secs(60);

/// The most bytes of a listener's error.
pub(super) const MAX_ERROR: usize = 4096;

/// By file, then by instance.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    files: HashMap<DocumentKey, BTreeMap<Arc<str>, Known>>,
    count: usize,
}

/// One listener.
#[derive(Debug, Default)]
struct Known {
    /// How many watches it has open.
    watches: u32,
    /// When its last one ended.
    left: Option<Instant>,
    sent: Option<Running>,
    /// What it was sent before that: its report of it may still be under way.
    before: Option<Running>,
    state: ListenerState,
    error: Option<Box<str>>,
    running: Option<Running>,
}

/// Whoever has a gray release, as its judges see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Audience {
    /// The file that it asked for.
    pub(super) file: DocumentKey,
    /// Its id.
    pub(super) instance: Arc<str>,
    /// Since when it has it.
    pub(super) since: Timestamp,
    /// What became of it.
    pub(super) state: ListenerState,
    /// Why it could not be applied.
    pub(super) error: Option<String>,
}

impl Listeners {
    /// A listener begins to watch; `false` if there are `most` already.
    pub(super) fn enter(&mut self, file: &DocumentKey, instance: &Arc<str>, most: usize) -> bool {
        match self.known(file, instance, most) {
            Some(known) => {
                known.watches += 1;
                known.left = None;
                true
            }
            None => false,
        }
    }

    fn known(
        &mut self,
        file: &DocumentKey,
        instance: &Arc<str>,
        most: usize,
    ) -> Option<&mut Known> {
        let of_file = self.files.get(file);
        if of_file.is_none_or(|of_file| !of_file.contains_key(instance)) {
            if self.count >= most {
                return None;
            }
            self.count += 1;
        }
        let of_file = self.files.entry(file.clone()).or_default();
        Some(of_file.entry(Arc::clone(instance)).or_default())
    }

    fn find(&mut self, file: &DocumentKey, instance: &str) -> Option<&mut Known> {
        self.files.get_mut(file)?.get_mut(instance)
    }

    /// One of its watches ends.
    pub(super) fn leave(&mut self, file: &DocumentKey, instance: &str, now: Instant) {
        if let Some(known) = self.find(file, instance) {
            known.watches = known.watches.saturating_sub(1);
            known.left = (known.watches == 0).then_some(now);
        }
    }

    /// It is told what it is to run.
    pub(super) fn sent(
        &mut self,
        file: &DocumentKey,
        instance: &str,
        (tag, inputs): (&Arc<str>, &[Arc<Source>]),
        now: Timestamp,
    ) {
        let Some(known) = self.find(file, instance) else {
            return;
        };
        if known.sent.as_ref().is_some_and(|sent| sent.tag == *tag) {
            return;
        }
        known.before = known.sent.replace(Running {
            tag: Arc::clone(tag),
            inputs: inputs.to_vec(),
            since: now,
        });
        known.error = None;
        // It may have said that it runs this before this process knew what it is made of.
        known.state = match &mut known.running {
            Some(running) if running.tag == *tag => {
                running.inputs = inputs.to_vec();
                ListenerState::Applied
            }
            _ => ListenerState::Pending,
        };
    }

    /// It says what became of `tag`; `false` if there are `most` listeners already and it is none of them.
    pub(super) fn report(
        &mut self,
        (file, instance): (&DocumentKey, &Arc<str>),
        tag: &str,
        outcome: Result<(), &str>,
        most: usize,
        now: Moment,
    ) -> bool {
        let Some(known) = self.known(file, instance, most) else {
            return false;
        };
        if known.watches == 0 {
            known.left = Some(now.monotonic);
        }
        let is_last = known.sent.as_ref().is_none_or(|sent| *sent.tag == *tag);
        match outcome {
            Ok(()) => {
                let mut sent = known.sent.iter().chain(&known.before);
                let inputs = sent.find(|sent| *sent.tag == *tag);
                let inputs = inputs.map_or_else(Vec::new, |sent| sent.inputs.clone());
                let same = known
                    .running
                    .as_ref()
                    .filter(|running| *running.tag == *tag);
                if same.is_none() {
                    known.running = Some(Running {
                        tag: tag.into(),
                        inputs,
                        since: now.wall,
                    });
                }
                if is_last {
                    (known.state, known.error) = (ListenerState::Applied, None);
                }
            }
            Err(error) if is_last => {
                let end = error.floor_char_boundary(MAX_ERROR);
                known.error = error.get(..end).map(Into::into);
                known.state = ListenerState::Failed;
            }
            // What it says of something older is overtaken.
            Err(_) => {}
        }
        true
    }

    /// Forgets who left a while ago.
    pub(super) fn expire(&mut self, now: Instant) {
        let is_gone = |known: &Known| {
            let left = known.left;
            left.is_some_and(|left| now.saturating_duration_since(left) >= KEPT)
        };
        for of_file in self.files.values_mut() {
            let before = of_file.len();
            of_file.retain(|_, known| !is_gone(known));
            self.count -= before - of_file.len();
        }
        self.files.retain(|_, of_file| !of_file.is_empty());
    }

    /// The listeners of a file, by instance.
    pub(super) fn rows(&self, file: &DocumentKey) -> Vec<ListenerRow> {
        let of_file = self.files.get(file).into_iter().flatten();
        let row = |(instance, known): (&Arc<str>, &Known)| ListenerRow {
            instance: instance.to_string(),
            connected: known.watches > 0,
            sent: known.sent.clone(),
            state: known.state,
            error: known.error.as_deref().map(str::to_owned),
            running: known.running.clone(),
        };
        of_file.map(row).collect()
    }

    /// The files that somebody reads, in a namespace.
    pub(super) fn read_in(&self, namespace: &Namespace) -> Vec<Arc<str>> {
        let files = self.files.keys();
        let files = files.filter(|file| file.namespace == *namespace);
        files.map(|file| Arc::clone(&file.name)).collect()
    }

    /// How many watch a file, and the ids of the first `most` of them.
    pub(super) fn watching(&self, file: &DocumentKey, most: usize) -> Readership {
        let of_file = self.files.get(file).into_iter().flatten();
        let watching = of_file.filter(|(_, known)| known.watches > 0);
        let mut found = Readership::default();
        for (instance, _) in watching {
            found.count += 1;
            if found.instances.len() < most {
                found.instances.push(instance.to_string());
            }
        }
        found
    }

    /// Those who were sent the gray release `name` of `config`.
    pub(super) fn audience(&self, config: &DocumentKey, name: &str) -> Vec<Audience> {
        let mut audience = Vec::new();
        let in_namespace = self
            .files
            .iter()
            .filter(|(file, _)| file.namespace == config.namespace);
        for (file, of_file) in in_namespace {
            for (instance, known) in of_file {
                let Some(sent) = &known.sent else { continue };
                let has_it = sent.inputs.iter().any(|input| {
                    *input.config == *config.name && input.gray.as_deref() == Some(name)
                });
                if has_it {
                    audience.push(Audience {
                        file: file.clone(),
                        instance: Arc::clone(instance),
                        since: sent.since,
                        state: known.state,
                        error: known.error.as_deref().map(str::to_owned),
                    });
                }
            }
        }
        audience
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::document::Kind;

    use super::*;

    fn file() -> DocumentKey {
        DocumentKey::new(Kind::Config, Namespace::default(), "users/prod/app.yaml")
    }

    fn source(version: u64, gray: Option<&str>) -> Arc<Source> {
        Arc::new(Source {
            config: "users/prod/app.yaml".to_owned(),
            version,
            gray: gray.map(str::to_owned),
        })
    }

    struct Table {
        listeners: Listeners,
        began: Instant,
    }

    impl Table {
        fn at(&self, seconds: u64) -> Moment {
            Moment {
                monotonic: self.began + Duration::from_secs(seconds),
                wall: Timestamp(1000 * seconds),
            }
        }

        fn sent(&mut self, tag: &str, inputs: &[Arc<Source>], seconds: u64) {
            let now = self.at(seconds).wall;
            self.listeners
                .sent(&file(), "u1", (&tag.into(), inputs), now);
        }

        fn report(&mut self, tag: &str, outcome: Result<(), &str>, seconds: u64) -> bool {
            let now = self.at(seconds);
            let who = (&file(), &Arc::from("u1"));
            self.listeners.report(who, tag, outcome, 2, now)
        }

        /// State, what it was sent, what it runs.
        fn short(&self) -> (&'static str, Option<String>, Option<String>) {
            let row = self.listeners.rows(&file()).remove(0);
            let tag = |running: Option<Running>| running.map(|running| running.tag.to_string());
            (row.state.word(), tag(row.sent), tag(row.running))
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a moment to begin with")]
    fn table() -> Table {
        let mut listeners = Listeners::default();
        assert!(listeners.enter(&file(), &"u1".into(), 2));
        Table {
            listeners,
            began: Instant::now(),
        }
    }

    #[test]
    fn a_listener_runs_what_it_said_last_that_it_applied() {
        let mut table = table();
        let some = |tag: &str| Some(tag.to_owned());
        table.sent("a", &[source(1, None)], 1);
        assert_eq!(table.short(), ("pending", some("a"), None));
        assert!(table.report("a", Ok(()), 2));
        assert_eq!(table.short(), ("applied", some("a"), some("a")));
        table.sent("b", &[source(2, None)], 3);
        assert!(table.report("a", Err("late"), 4));
        assert_eq!(
            table.short(),
            ("pending", some("b"), some("a")),
            "of the old one"
        );
        assert!(table.report("b", Err("no such pool"), 5));
        assert_eq!(table.short(), ("failed", some("b"), some("a")));
        table.sent("b", &[source(2, None)], 6);
        assert_eq!(table.short().0, "failed", "the same again is nothing new");
        let row = table.listeners.rows(&file()).remove(0);
        assert_eq!(row.error.as_deref(), Some("no such pool"));
        let running = row.running.unwrap();
        assert_eq!(
            (running.inputs[0].version, running.since),
            (1, Timestamp(2000))
        );
        table.sent("d", &[source(4, None)], 8);
        table.sent("e", &[source(5, None)], 8);
        table.report("d", Ok(()), 9);
        let row = table.listeners.rows(&file()).remove(0);
        assert_eq!(
            row.running.unwrap().inputs[0].version,
            4,
            "late, of the one before"
        );
        let mut late = super::tests::table();
        late.report("c", Ok(()), 1);
        late.sent("c", &[source(3, None)], 2);
        assert_eq!(
            late.short(),
            ("applied", some("c"), some("c")),
            "it said so before"
        );
        let long = "ä".repeat(MAX_ERROR);
        table.report("e", Err(&long), 7);
        let error = table.listeners.rows(&file()).remove(0).error.unwrap();
        assert_eq!(error.len(), MAX_ERROR);
    }

    #[test]
    fn who_left_is_shown_for_a_while_and_the_table_is_bounded() {
        let mut table = table();
        assert!(table.listeners.enter(&file(), &"u1".into(), 2), "known");
        assert!(table.listeners.enter(&file(), &"u2".into(), 2));
        assert!(!table.listeners.enter(&file(), &"u3".into(), 2));
        let now = table.at(10).monotonic;
        table.listeners.leave(&file(), "u1", now);
        assert!(
            table.listeners.rows(&file())[0].connected,
            "another watch is open"
        );
        table.listeners.leave(&file(), "u1", now);
        assert!(!table.listeners.rows(&file())[0].connected);
        table.listeners.expire(table.at(69).monotonic);
        assert_eq!(table.listeners.count(), 2);
        table.listeners.expire(table.at(70).monotonic);
        assert_eq!(table.listeners.count(), 1);
        assert!(table.listeners.enter(&file(), &"u3".into(), 2));
    }

    #[test]
    fn the_audience_of_a_gray_release_has_been_sent_it() {
        let mut table = table();
        table.listeners.enter(&file(), &"u2".into(), 9);
        table.sent("a", &[source(3, None), source(3, Some("blue"))], 1);
        let now = Timestamp(1000);
        let plain = [source(3, None)];
        table
            .listeners
            .sent(&file(), "u2", (&"b".into(), &plain), now);
        let audience = table.listeners.audience(&file(), "blue");
        assert_eq!(audience.len(), 1);
        assert_eq!((&*audience[0].instance, audience[0].since), ("u1", now));
        assert!(table.listeners.audience(&file(), "green").is_empty());
    }
}
