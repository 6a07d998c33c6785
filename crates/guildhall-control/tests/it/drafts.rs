//! Drafts and approval: what is guarded changes only by what others agreed on, whichever way it is written.

use bytes::Bytes;
use guildhall_control::config::Promote;
use guildhall_control::documents::{WriteOptions, Written};
use guildhall_control::{Error, Options};
use guildhall_core::access::{Caller, Verb};
use guildhall_core::config::seal::{KeyRing, Sight};
use guildhall_core::config::{Approval, Config, DraftRow, GrayRelease, gray::Match};
use guildhall_core::document::{Document, DocumentKey, Kind, Metadata, Object};
use guildhall_core::history::{Act, VersionRef};

use crate::world::*;

const APP: &str = "users/prod/app.yaml";
const STAGING: &str = "users/staging/app.yaml";

fn file(name: &str) -> DocumentKey {
    key(Kind::Config, name)
}

fn anna() -> Caller {
    caller("anna", &[(Verb::Write, None)])
}

fn bob() -> Caller {
    caller("bob", &[(Verb::Write, None)])
}

fn draft() -> WriteOptions {
    WriteOptions {
        draft: true,
        ..WriteOptions::default()
    }
}

impl World {
    /// A file that changes once `required` others approve.
    async fn guarded(&self, required: u32) -> Object<Config> {
        let spec = Config {
            content: Some("pool: 1\n".to_owned()),
            approval: Some(Approval { required }),
            ..Config::default()
        };
        let file = Object::new(Metadata::named(namespace(), APP), spec);
        self.seen(file.into()).await;
        self.present()
    }

    fn present(&self) -> Object<Config> {
        match self.control.documents().get(&self.caller, &file(APP)) {
            Ok(Document::Config(config)) => Object::clone(&config),
            other => panic!("{other:?}"),
        }
    }

    async fn write_as(
        &self,
        by: &Caller,
        name: &str,
        content: &str,
        options: WriteOptions,
    ) -> Result<Written, Error> {
        let content = Bytes::from(content.to_owned());
        let configs = self.control.configs();
        let written = configs
            .release(by, &file(name), content, None, options)
            .await?;
        self.control.wait_for(written.index).await?;
        Ok(written)
    }

    /// The number of a draft of `content`.
    async fn drafted(&self, by: &Caller, content: &str) -> u32 {
        let written = self.write_as(by, APP, content, draft()).await.unwrap();
        written.draft.unwrap()
    }

    async fn approve(&self, by: &Caller, id: u32) -> Result<DraftRow, Error> {
        let configs = self.control.configs();
        let approved = configs.approve_draft(by, &file(APP), id).await;
        approved.map(|(row, _)| row)
    }

    async fn make(&self, by: &Caller, id: u32) -> Result<Written, Error> {
        let configs = self.control.configs();
        let written = configs
            .release_draft(by, &file(APP), id, WriteOptions::default())
            .await?;
        self.control.wait_for(written.index).await?;
        Ok(written)
    }

    async fn drafts(&self) -> Vec<DraftRow> {
        let configs = self.control.configs();
        configs.drafts(&self.caller, &file(APP)).await.unwrap()
    }

    async fn shown(&self, document: &Object<Config>, sight: Sight) -> String {
        let configs = self.control.configs();
        let content = configs.content(&self.caller, document, sight).await;
        String::from_utf8(content.unwrap().bytes.to_vec()).unwrap()
    }
}

fn is_refused<T: std::fmt::Debug>(what: &str, result: Result<T, Error>) {
    match result {
        Err(Error::ApprovalRequired {
            required: 1,
            approved: 0,
            ..
        }) => {}
        other => panic!("{what}: {other:?}"),
    }
}

#[tokio::test]
async fn no_way_of_writing_goes_past_approval() {
    let world = World::with(with_keys()).await;
    world.guarded(0).await;
    world
        .write_as(&anna(), APP, "pool: 2\n", WriteOptions::default())
        .await
        .unwrap();
    let gray = |percentage| GrayRelease {
        name: "blue".to_owned(),
        content: Some("pool: 3\n".to_owned()),
        rule: Match {
            percentage: Some(percentage),
            ..Match::default()
        },
        ..GrayRelease::default()
    };
    let (configs, history) = (world.control.configs(), world.control.history());
    let (by, key, options) = (&anna(), &file(APP), WriteOptions::default);
    let begun = configs.start_gray(by, key, &gray(10.0), options()).await;
    world.control.wait_for(begun.unwrap().index).await.unwrap();
    let mut guarded = world.present();
    guarded.spec.approval = Some(Approval { required: 1 });
    let documents = world.control.documents();
    let to_live = |spec: Config| {
        let metadata = world.present().metadata.portable();
        let document = Document::from(Object::new(metadata, spec));
        documents.write(by, document, options())
    };
    let written = to_live(guarded.spec).await.unwrap();
    world.control.wait_for(written.index).await.unwrap();

    is_refused(
        "content",
        world.write_as(by, APP, "pool: 4\n", options()).await,
    );
    let mut spec = world.present().spec;
    spec.sealed = vec!["/pool".to_owned()];
    is_refused("document", to_live(spec).await);
    is_refused(
        "rollback",
        history
            .rollback(by, key, &VersionRef::Number(1), options())
            .await,
    );
    is_refused(
        "gray",
        configs.start_gray(by, key, &gray(50.0), options()).await,
    );
    is_refused(
        "promoted gray",
        configs.promote_gray(by, key, "blue", options()).await,
    );
    world
        .write_as(by, STAGING, "pool: 9\n", options())
        .await
        .unwrap();
    let promote = Promote {
        namespace: namespace(),
        service: "users".into(),
        from: "staging".into(),
        file: Some("app.yaml".into()),
        to: "prod".to_owned(),
        version: None,
    };
    is_refused("promotion", configs.promote(by, &promote, options()).await);
    let mut spec = world.present().spec;
    spec.approval = None;
    let denied = to_live(spec.clone()).await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    let denied = documents.remove(by, key, options()).await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");

    let version = world.present().metadata.version;
    // What readers get already, and fewer who get something else.
    let same = world
        .write_as(by, APP, "pool: 2\n", options())
        .await
        .unwrap();
    assert!(!same.changed);
    let aborted = configs
        .abort_gray(by, key, "blue", options())
        .await
        .unwrap();
    assert_eq!(aborted.document.metadata().version, version + 1);
    // An administrator may do without.
    spec.gray.clear();
    let document = Object::new(world.present().metadata.portable(), spec);
    world.seen(document.into()).await;
    let free = world.write_as(by, APP, "pool: 4\n", options()).await;
    assert!(free.unwrap().changed);
}

#[tokio::test]
async fn a_draft_is_released_once_somebody_else_approved_it() {
    let world = World::new().await;
    world.guarded(1).await;
    let mut why = draft();
    why.comment = Some("more load".to_owned());
    let drafted = world
        .write_as(&anna(), APP, "pool: 2\n", why)
        .await
        .unwrap();
    assert_eq!((drafted.draft, drafted.changed), (Some(1), true));
    assert_eq!(
        world.present().metadata.version,
        1,
        "nothing is released yet"
    );
    assert_eq!(
        world.shown(&world.present(), Sight::Masked).await,
        "pool: 1\n"
    );

    is_refused("not approved", world.make(&anna(), 1).await);
    let own = world.approve(&anna(), 1).await;
    assert!(matches!(own, Err(Error::OwnDraft { id: 1, .. })), "{own:?}");
    let reader = caller("eve", &[(Verb::Read, None)]);
    let denied = world.approve(&reader, 1).await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    world.approve(&bob(), 1).await.unwrap();
    let row = world.approve(&bob(), 1).await.unwrap();
    assert_eq!((row.required, row.draft.approvals.len()), (1, 1), "once");
    assert!(!row.stale);
    let text = world.shown(&row.draft.document(), Sight::Masked).await;
    assert_eq!(text, "pool: 2\n");

    let released = world.make(&anna(), 1).await.unwrap();
    assert_eq!(released.document.metadata().version, 2);
    assert_eq!(
        world.shown(&world.present(), Sight::Masked).await,
        "pool: 2\n"
    );
    assert!(world.drafts().await.is_empty());
    let gone = world.make(&anna(), 1).await;
    assert!(
        matches!(gone, Err(Error::NoDraft { id: 1, .. })),
        "{gone:?}"
    );
    let history = world.control.history();
    let listed = history.list(&world.caller, &file(APP), None, 10).await;
    let version = listed.unwrap().versions.remove(0);
    let provenance = version.provenance.unwrap();
    assert_eq!(
        (&*version.by, version.comment.as_deref()),
        ("anna", Some("more load"))
    );
    assert_eq!(provenance.draft, Some(1));
    assert_eq!(provenance.author.as_deref(), Some("anna"));
    assert_eq!(provenance.approved_by, ["bob"]);
    assert_eq!(
        world.drafted(&bob(), "pool: 3\n").await,
        2,
        "no number comes again"
    );
}

#[tokio::test]
async fn what_was_approved_is_the_way_from_the_version_it_was_made_from() {
    let world = World::new().await;
    world.guarded(1).await;
    let (first, second) = (
        world.drafted(&anna(), "pool: 2\n").await,
        world.drafted(&bob(), "pool: 3\n").await,
    );
    world.approve(&bob(), first).await.unwrap();
    world.approve(&anna(), second).await.unwrap();
    world.make(&bob(), first).await.unwrap();
    let stale = world.make(&bob(), second).await;
    assert!(
        matches!(
            stale,
            Err(Error::StaleDraft {
                base: 1,
                live: 2,
                ..
            })
        ),
        "{stale:?}"
    );
    let stale = world.approve(&anna(), second).await;
    assert!(matches!(stale, Err(Error::StaleDraft { .. })), "{stale:?}");
    assert!(world.drafts().await[0].stale);
    let configs = world.control.configs();
    configs
        .delete_draft(&anna(), &file(APP), second)
        .await
        .unwrap();
    assert!(world.drafts().await.is_empty());
}

#[tokio::test]
async fn of_all_who_release_a_draft_at_once_one_does() {
    let world = World::new().await;
    world.guarded(1).await;
    let id = world.drafted(&anna(), "pool: 2\n").await;
    world.approve(&bob(), id).await.unwrap();
    let (anna, bob) = (anna(), bob());
    let (a, b, c) = tokio::join!(
        world.make(&anna, id),
        world.make(&bob, id),
        world.make(&world.caller, id)
    );
    let results = [a, b, c];
    let made = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(made, 1, "{results:?}");
    assert_eq!(world.present().metadata.version, 2);
}

#[tokio::test]
async fn approvals_at_the_same_time_all_count() {
    let world = World::new().await;
    world.guarded(3).await;
    let id = world.drafted(&anna(), "pool: 2\n").await;
    let others = ["b", "c", "d"].map(|name| caller(name, &[(Verb::Write, None)]));
    let [b, c, d] = &others;
    let (x, y, z) = tokio::join!(
        world.approve(b, id),
        world.approve(c, id),
        world.approve(d, id)
    );
    for approved in [x, y, z] {
        approved.unwrap();
    }
    assert_eq!(world.drafts().await[0].draft.approvals.len(), 3);
    world.make(&anna(), id).await.unwrap();
}

#[tokio::test]
async fn a_draft_is_checked_like_a_release_and_outlives_a_restart() {
    let mut world = World::new().await;
    world.guarded(1).await;
    let bad = world.write_as(&anna(), APP, "a: [1\n", draft()).await;
    assert!(matches!(bad, Err(Error::Invalid(_))), "{bad:?}");
    let same = world.write_as(&anna(), APP, "pool: 1\n", draft()).await;
    assert_eq!(same.unwrap().draft, None, "it would change nothing");
    let tried = WriteOptions {
        dry_run: true,
        ..draft()
    };
    let tried = world.write_as(&anna(), APP, "pool: 2\n", tried).await;
    assert_eq!(tried.unwrap().draft, None);
    assert!(world.drafts().await.is_empty());

    let history = world.control.history();
    let back = history
        .rollback(
            &anna(),
            &file(APP),
            &VersionRef::Number(1),
            WriteOptions::default(),
        )
        .await;
    assert!(!back.unwrap().changed, "that is what there is");
    let id = world.drafted(&anna(), "pool: 2\n").await;
    world = world.restarted().await;
    let row = world.drafts().await.remove(0);
    let text = world.shown(&row.draft.document(), Sight::Masked).await;
    assert_eq!((row.draft.id, &*text), (id, "pool: 2\n"));
    world.approve(&bob(), id).await.unwrap();
    world.make(&bob(), id).await.unwrap();

    let back = world
        .control
        .history()
        .rollback(&anna(), &file(APP), &VersionRef::Number(1), draft())
        .await
        .unwrap();
    let id = back.draft.unwrap();
    world.approve(&bob(), id).await.unwrap();
    world.make(&anna(), id).await.unwrap();
    let history = world.control.history();
    let listed = history.list(&world.caller, &file(APP), None, 10).await;
    let version = listed.unwrap().versions.remove(0);
    assert_eq!((version.action, version.to), (Act::RolledBack, Some(1)));
}

#[tokio::test]
async fn drafts_are_bounded_and_listed_for_those_who_may_read_them() {
    let mut options = options();
    options.config.drafts = 2;
    let world = World::with(options).await;
    world.guarded(1).await;
    world.drafted(&anna(), "pool: 2\n").await;
    world.drafted(&anna(), "pool: 3\n").await;
    let third = world.write_as(&anna(), APP, "pool: 4\n", draft()).await;
    match third {
        Err(Error::Conflict(why)) => assert!(why.contains("config.drafts"), "{why}"),
        other => panic!("{other:?}"),
    }
    let configs = world.control.configs();
    let new = world.write_as(&anna(), STAGING, "pool: 1\n", draft()).await;
    assert_eq!(new.unwrap().draft, Some(1), "of a file that is not there");
    let all = configs.all_drafts(&anna(), None).await.unwrap();
    let names: Vec<_> = all.iter().map(|row| &*row.draft.metadata.name).collect();
    assert_eq!(names, [APP, APP, STAGING]);
    assert_eq!((all[2].draft.base, all[2].required), (0, 0));
    let stranger = caller("eve", &[(Verb::Write, Some("other"))]);
    let none = configs.all_drafts(&stranger, None).await.unwrap();
    assert!(none.is_empty());
    let released = configs
        .release_draft(&anna(), &file(STAGING), 1, WriteOptions::default())
        .await
        .unwrap();
    assert!(released.created, "nobody has to approve it");
}

#[tokio::test]
async fn a_promotion_is_drafted_whole_and_tells_what_it_takes() {
    let world = World::new().await;
    world.guarded(1).await;
    let options = WriteOptions::default;
    world
        .write_as(&anna(), STAGING, "pool: 9\n", options())
        .await
        .unwrap();
    let asked = Promote {
        namespace: namespace(),
        service: "users".into(),
        from: "staging".into(),
        file: None,
        to: "prod".to_owned(),
        version: None,
    };
    let configs = world.control.configs();
    let tried = WriteOptions {
        dry_run: true,
        ..options()
    };
    let tried = configs.promote(&anna(), &asked, tried).await.unwrap();
    let warnings = &tried.files[0].warnings;
    assert!(
        warnings[0].contains("the approval of others (1)"),
        "{warnings:?}"
    );
    let promoted = configs.promote(&anna(), &asked, draft()).await.unwrap();
    assert_eq!(promoted.files[0].draft, Some(1));
    assert_eq!(world.present().metadata.version, 1);
    world.approve(&bob(), 1).await.unwrap();
    let made = world.make(&bob(), 1).await.unwrap();
    let history = world.control.history();
    let version = history
        .read(
            &world.caller,
            &file(APP),
            &made.document.metadata().version.into(),
        )
        .await
        .unwrap()
        .version;
    let provenance = version.provenance.unwrap();
    assert_eq!(
        provenance.promoted_from.as_deref(),
        Some("users/staging/app.yaml@1")
    );
}

fn with_keys() -> Options {
    let options = options();
    let old = "old: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let keys = KeyRing::parse(old).unwrap();
    options.config.seal_keys.replace(keys);
    options
}

#[tokio::test]
async fn sealed_values_are_sealed_in_drafts_and_sealing_anew_needs_nobody() {
    let options = with_keys();
    let keys = options.config.seal_keys.clone();
    let world = World::with(options).await;
    let spec = Config {
        content: Some("password: hunter2\n".to_owned()),
        sealed: vec!["/password".to_owned()],
        approval: Some(Approval { required: 1 }),
        ..Config::default()
    };
    let sealed = Object::new(Metadata::named(namespace(), APP), spec);
    world.seen(sealed.into()).await;
    let id = world.drafted(&anna(), "password: \"correcthorse\"\n").await;
    let row = world.drafts().await.remove(0);
    let document = row.draft.document();
    let masked = world.shown(&document, Sight::Masked).await;
    assert_eq!(masked, "password: \"******\"\n");
    let shown = world.shown(&document, Sight::Revealed).await;
    assert_eq!(shown, "password: \"correcthorse\"\n");
    world.approve(&bob(), id).await.unwrap();
    world.make(&anna(), id).await.unwrap();
    let shown = world.shown(&world.present(), Sight::Revealed).await;
    assert_eq!(shown, "password: \"correcthorse\"\n");

    let both = "new: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n\
                old: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    keys.replace(KeyRing::parse(both).unwrap());
    let configs = world.control.configs();
    let anew = configs
        .reseal(&anna(), &file(APP), WriteOptions::default())
        .await;
    assert!(anew.unwrap().changed);
}
