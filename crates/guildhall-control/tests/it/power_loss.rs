//! Versions on disks that lose power: what was acknowledged has its version, and no version stands alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use guildhall_control::documents::WriteOptions;
use guildhall_control::{Control, Options};
use guildhall_core::config::seal::Sight;
use guildhall_core::document::{Document, DocumentKey, Kind};
use guildhall_core::history::VersionRef;
use guildhall_store::embedded::{self, Directories, Embedded};
use guildhall_testkit::files::{FaultyFiles, Mutant};
use serde_json::json;

use crate::world::*;

const SEED: u64 = 5;
/// Lives of one store, each ended by a power loss.
const LOSSES: u64 = 12;
const WRITERS: u64 = 3;
/// Fewer than versions are written, so that old ones are given up meanwhile.
const KEEP: u32 = 10;

/// What each acknowledged write said, by document and version.
type Acknowledged = BTreeMap<(DocumentKey, u32), String>;

fn options() -> Options {
    let mut options = Options::default();
    options.history.keep = KEEP;
    options
}

async fn start(log: &FaultyFiles, blobs: &FaultyFiles) -> Option<Control> {
    let directories = Directories {
        log: Arc::new(log.clone()),
        blobs: Arc::new(blobs.clone()),
    };
    let mut store = embedded::Options::default();
    store.log.segment_size = 32 << 10;
    store.checkpoint_after = 16 << 10;
    let store = Embedded::open_in(directories, store).ok()?;
    Control::start(Arc::new(store), options()).await.ok()
}

/// Writes two documents in turn, and goes back now and then, until the power is gone.
async fn work(control: Control, writer: u64, life: u64, told: Arc<Mutex<Acknowledged>>) {
    let caller = writer_named(writer);
    for n in 0_u64.. {
        let name = format!("p{}", n % 2);
        let key = key(Kind::Policy, &name);
        let comment = format!("life {life}, writer {writer}, write {n}");
        let because = WriteOptions {
            comment: Some(comment.clone()),
            ..WriteOptions::default()
        };
        let written = if n % 7 == 6 {
            let back = VersionRef::Number(1.max(n as u32 / 2));
            let history = control.history();
            match history.rollback(&caller, &key, &back, because).await {
                // That version was given up, or never was.
                Err(
                    guildhall_control::Error::NoVersion { .. }
                    | guildhall_control::Error::NotFound(_),
                ) => {
                    continue;
                }
                written => written,
            }
        } else {
            let spec = json!({
                "targetRefs": [{"kind": "Service", "name": "users"}],
                "timeouts": {"request": format!("{}m{n}s{writer}ms", 1 + life)},
            });
            let document = document(Kind::Policy, &name, spec);
            control.documents().write(&caller, document, because).await
        };
        match written {
            Ok(written) if written.changed => {
                let version = written.document.metadata().version;
                let before = told.lock().unwrap().insert((key, version), comment);
                assert_eq!(before, None, "a version acknowledged twice");
            }
            Ok(_) => {}
            Err(guildhall_control::Error::Contention(_)) => {}
            Err(_) => return,
        }
    }
}

/// What each acknowledged release had as its content, by version.
type Released = BTreeMap<u32, String>;

fn file() -> DocumentKey {
    key(Kind::Config, "users/prod/app.yaml")
}

/// Releases a file until the power is gone.
async fn release(control: Control, life: u64, told: Arc<Mutex<Released>>) {
    let caller = writer_named(WRITERS);
    for n in 0_u64.. {
        let content = format!("life: {life}\nrelease: {n}\n");
        let written = control
            .configs()
            .release(
                &caller,
                &file(),
                content.clone().into(),
                None,
                WriteOptions::default(),
            )
            .await;
        let Ok(written) = written else { return };
        let version = written.document.metadata().version;
        let before = told.lock().unwrap().insert(version, content);
        assert_eq!(before, None, "a version acknowledged twice");
    }
}

/// Whether every release that is kept has its content, and those that were acknowledged the one they had.
async fn check_releases(control: &Control, told: &Released) -> usize {
    let caller = writer();
    let Ok(versions) = control.history().list(&caller, &file(), None, 500).await else {
        assert!(told.is_empty(), "releases: acknowledged, and lost");
        return 0;
    };
    let newest = told.keys().last().copied();
    assert!(
        newest <= Some(versions.head.last),
        "releases: acknowledged, and lost"
    );
    let mut found = 0;
    for version in &versions.versions {
        let number = VersionRef::Number(version.version);
        let recorded = control.history().read(&caller, &file(), &number).await;
        let Some(Document::Config(config)) = recorded.unwrap().document else {
            panic!("version {number} has no document");
        };
        let content = control
            .configs()
            .content(&caller, &config, Sight::Masked)
            .await
            .unwrap_or_else(|error| panic!("acknowledged, and lost: {error}"));
        if let Some(told) = told.get(&version.version) {
            assert_eq!(content.bytes, told.as_bytes(), "version {number}");
            found += 1;
        }
    }
    found
}

fn drafted() -> DocumentKey {
    key(Kind::Config, "users/prod/drafted.yaml")
}

/// Makes drafts of a file and releases them until the power is gone; notes the last one that was released.
async fn draft(control: Control, life: u64, told: Arc<Mutex<u32>>) {
    let (caller, configs) = (writer_named(WRITERS + 1), control.configs());
    let key = drafted();
    for n in 0_u64.. {
        let content = format!("life: {life}\ndraft: {n}\n");
        let options = WriteOptions {
            draft: true,
            ..WriteOptions::default()
        };
        let made = configs.release(&caller, &key, content.into(), None, options);
        let Ok(made) = made.await else { return };
        let id = made.draft.unwrap();
        let options = WriteOptions::default();
        let released = configs.release_draft(&caller, &key, id, options);
        if released.await.is_err() {
            return;
        }
        *told.lock().unwrap() = id;
    }
}

/// Whether a draft is there, with its content, or was released: never both, never neither.
async fn check_drafts(control: &Control, told: u32) -> usize {
    let (caller, configs) = (writer(), control.configs());
    let rows = configs.drafts(&caller, &drafted()).await.unwrap();
    for row in &rows {
        let document = row.draft.document();
        configs
            .content(&caller, &document, Sight::Masked)
            .await
            .unwrap_or_else(|error| panic!("acknowledged, and lost: {error}"));
    }
    let history = control.history();
    let Ok(versions) = history.list(&caller, &drafted(), None, 500).await else {
        assert_eq!(told, 0, "drafts: acknowledged, and lost");
        return 0;
    };
    let provenances = versions.versions.iter().map(|one| &one.provenance);
    let released: Vec<u32> = provenances.flatten().filter_map(|one| one.draft).collect();
    let last = released.first().copied().unwrap_or_default();
    assert!(told <= last, "drafts: acknowledged, and lost");
    for row in &rows {
        let id = row.draft.id;
        assert!(!released.contains(&id), "draft {id} is there, and released");
    }
    released.len()
}

fn writer_named(writer: u64) -> guildhall_core::access::Caller {
    caller(
        &format!("writer-{writer}"),
        &[(guildhall_core::access::Verb::Admin, None)],
    )
}

/// Whether the history of `name` holds together, and holds what was acknowledged.
async fn check(control: &Control, name: &str, told: &Acknowledged) -> usize {
    let (caller, key) = (writer(), key(Kind::Policy, name));
    let live = control.documents().get(&caller, &key);
    let Ok(versions) = control.history().list(&caller, &key, None, 500).await else {
        assert!(live.is_err(), "{name} is there without a history");
        let is_told = told.keys().any(|(of, _)| *of == key);
        assert!(!is_told, "{name}: acknowledged, and lost");
        return 0;
    };
    let newest = told
        .keys()
        .filter(|(of, _)| *of == key)
        .map(|(_, version)| *version)
        .max();
    assert!(
        newest <= Some(versions.head.last),
        "{name}: acknowledged, and lost"
    );
    let live = live.unwrap();
    let numbers: Vec<u32> = versions.versions.iter().map(|one| one.version).collect();
    let dense: Vec<u32> = (versions.head.oldest..=versions.head.last).rev().collect();
    assert_eq!(numbers, dense, "{name}: a version is missing or alone");
    assert_eq!(live.metadata().version, versions.head.last, "{name}");
    let last = VersionRef::Number(versions.head.last);
    let last = control.history().read(&caller, &key, &last).await.unwrap();
    let recorded = last.document.unwrap();
    assert_eq!(
        spec(&recorded),
        spec(&live),
        "{name}: the last version is another"
    );
    let mut found = 0;
    for version in &versions.versions {
        if let Some(comment) = told.get(&(key.clone(), version.version)) {
            assert_eq!(
                version.comment.as_ref(),
                Some(comment),
                "{name} {}",
                version.version
            );
            found += 1;
        }
    }
    found
}

fn spec(document: &Document) -> serde_json::Value {
    serde_json::to_value(document).unwrap()["spec"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_versions_survive_power_losses_whole() {
    lives(None).await;
}

/// The test would notice a store that answers before its sync.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "acknowledged, and lost")]
async fn a_store_that_skips_its_syncs_is_noticed() {
    lives(Some(Mutant::SkipDataSync(""))).await;
}

async fn lives(mutant: Option<Mutant>) {
    let mut rng = fastrand::Rng::with_seed(SEED);
    let (mut log, mut blobs) = (FaultyFiles::new(), FaultyFiles::new());
    let told = Arc::new(Mutex::new(Acknowledged::new()));
    let released = Arc::new(Mutex::new(Released::new()));
    let last_draft = Arc::new(Mutex::new(0));
    let (mut found, mut releases, mut drafts) = (0, 0, 0);
    for life in 0..LOSSES {
        log.set_mutant(mutant);
        log.cut_power_after(rng.u64(20..400));
        if let Some(control) = start(&log, &blobs).await {
            let writers = (0..WRITERS)
                .map(|writer| tokio::spawn(work(control.clone(), writer, life, Arc::clone(&told))));
            let releaser = tokio::spawn(release(control.clone(), life, Arc::clone(&released)));
            let drafter = tokio::spawn(draft(control.clone(), life, Arc::clone(&last_draft)));
            for writer in writers.chain([releaser, drafter]).collect::<Vec<_>>() {
                soon(writer).await.unwrap();
            }
            soon(control.stop()).await;
        }
        (log, blobs) = (log.crash(rng.u64(..)), blobs.crash(rng.u64(..)));
        let control = start(&log, &blobs)
            .await
            .expect("acknowledged, and lost: nothing opens");
        let told = told.lock().unwrap().clone();
        for name in ["p0", "p1"] {
            found += check(&control, name, &told).await;
        }
        let released = released.lock().unwrap().clone();
        releases += check_releases(&control, &released).await;
        let last_draft = *last_draft.lock().unwrap();
        drafts += check_drafts(&control, last_draft).await;
        soon(control.stop()).await;
        drop(control);
    }
    let acknowledged = told.lock().unwrap().len();
    assert!(acknowledged > 50 && found > 50, "{acknowledged} {found}");
    assert!(releases > 20 && drafts > 20, "{releases} {drafts}");
}
