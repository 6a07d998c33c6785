//! Both services read shop.yaml: a release changes what their lists hold at once, a gray release only what half of the
//! instances say, and one that nobody can apply is taken back by itself.

use std::collections::{BTreeMap, BTreeSet};

use ::http::StatusCode;
use guildhall_api::client::PutOptions;
use guildhall_core::{
    config::{Gray, GrayRelease, Listener, ListenerState, gray::Match},
    document::{Document, DocumentKey, Kind, Namespace},
    history::VersionRef,
};
use guildhall_shop::{SERVED_BY, settings::FILE, users};
use serde_json::json;

use super::{
    super::{
        report::{Check, Report, Stop},
        wait::{Not, PATIENCE, until},
    },
    Stage,
    shopping::curl,
};

/// The share of the instances that get the gray release.
const HALF: f64 = 50.0;

pub(super) async fn play(stage: &mut Stage, report: &mut Report) -> Result<(), Stop> {
    let file = format!("_/_/{FILE}");
    let check = |that: String, expected: &str, look: String| {
        Check::that(that).expected(expected).look(look)
    };
    let users_url = curl(&stage.url("/users"), None);
    let made = check(
        format!("{file}, which all services share, is released: lists of 1000, then of 1"),
        "one user and one order in each list, from every instance, without a restart",
        users_url.clone(),
    );
    let changed = shortened(stage).await;
    report.found(made, changed)?;

    let known = check(
        "The platform knows who runs it".to_owned(),
        "every instance of user-service has applied it",
        stage.command(&format!("config listeners {}/_/{FILE}", users::NAME)),
    );
    let ids = report.found(known, listeners(stage).await)?;

    let (name, chosen) = dealt(&ids);
    let gray = check(
        format!("Gray release {name} is for {HALF} % of the instances: lists of 2"),
        "one instance of user-service lists two users, the other still one",
        stage.command(&format!("config gray list {file}")),
    );
    let begun = match start(stage, &name, "page: 2\n").await {
        Ok(()) => {
            lists(stage, |lengths| {
                let expected = |id: &String| if chosen.contains(id) { 2 } else { 1 };
                ids.iter().all(|id| lengths.get(id) == Some(&expected(id)))
            })
            .await
        }
        Err(refused) => Err(refused),
    };
    report.found(gray, begun)?;

    let bad = check(
        "The gray release is changed to lists of 0, which the services refuse".to_owned(),
        "it is taken back by itself, and its instances go on",
        stage.command(&format!("config history {file}")),
    );
    let back = match start(stage, &name, "page: 0\n").await {
        Ok(()) => taken_back(stage).await,
        Err(refused) => Err(refused),
    };
    let why = report.found(bad, back)?;
    report.note(why);

    let rolled = check(
        format!("{file} is rolled back to its first version"),
        "whole lists again",
        stage.command(&format!("config get {file}")),
    );
    let options = because("the lists are too short");
    let back = stage
        .api
        .rollback(&key(), &VersionRef::Number(1), &options)
        .await;
    let back = match back {
        Ok(_) => lists(stage, |lengths| lengths.values().all(|length| *length > 2)).await,
        Err(error) => Err(error.to_string()),
    };
    report.found(rolled, back)?;
    Ok(())
}

/// Fills the lists, and shortens them.
async fn shortened(stage: &Stage) -> Result<(), String> {
    for name in ["Ben", "Cleo"] {
        let url = stage.url("/users");
        let answer = stage.http.post(&url, &json!({"name": name})).await?;
        if answer.status != StatusCode::CREATED {
            return Err(answer.words());
        }
    }
    release(stage, "page: 1000\n").await?;
    release(stage, "page: 1\n").await?;
    lists(stage, |lengths| lengths.values().all(|length| *length == 1)).await
}

fn key() -> DocumentKey {
    DocumentKey::new(Kind::Config, Namespace::default(), format!("_/_/{FILE}"))
}

fn because(comment: &str) -> PutOptions {
    PutOptions {
        comment: Some(comment.to_owned()),
        ..PutOptions::default()
    }
}

async fn release(stage: &Stage, content: &str) -> Result<(), String> {
    let options = because("the demo changes the length of lists");
    let content = content.to_owned().into();
    let released = stage
        .api
        .release_content(&key(), content, None, &options)
        .await;
    released.map(drop).map_err(|error| error.to_string())
}

async fn start(stage: &Stage, name: &str, content: &str) -> Result<(), String> {
    let release = GrayRelease {
        name: name.to_owned(),
        rule: Match {
            percentage: Some(HALF),
            ..Match::default()
        },
        content: Some(content.to_owned()),
        ..GrayRelease::default()
    };
    let begun = stage
        .api
        .start_gray(&key(), &release, &because("some first"))
        .await;
    begun.map(drop).map_err(|error| error.to_string())
}

/// A name by which the instances are dealt to both sides, and those that get the release. It need not be the first one:
/// half of two instances can be none.
fn dealt(ids: &[String]) -> (String, BTreeSet<String>) {
    let rule = Match {
        percentage: Some(HALF),
        ..Match::default()
    };
    let labels = BTreeMap::new();
    let deal = |name: &str| -> BTreeSet<String> {
        let seed = format!("{}#{name}", key().name);
        let gray = Gray {
            seed: &seed,
            rule: &rule,
        };
        let gets = |id: &&String| {
            gray.selects(&Listener {
                instance: id,
                zone: None,
                labels: &labels,
            })
        };
        ids.iter().filter(gets).cloned().collect()
    };
    let names = (1..100).map(|n| format!("half-{n}"));
    let mut dealt = names.map(|name| {
        let chosen = deal(&name);
        (name, chosen)
    });
    let both =
        |(_, chosen): &(String, BTreeSet<String>)| !chosen.is_empty() && chosen.len() < ids.len();
    dealt.find(both).unwrap_or_default()
}

/// How many records the lists of each instance have, once `holds` of them.
async fn lists(
    stage: &Stage,
    holds: impl Fn(&BTreeMap<String, usize>) -> bool,
) -> Result<(), String> {
    let mut seen = BTreeMap::new();
    until(PATIENCE, async || {
        for path in ["/users", "/orders"] {
            let answer = stage.http.get(&stage.url(path)).await.map_err(Not::Ever)?;
            let by = answer
                .headers
                .get(SERVED_BY)
                .and_then(|by| by.to_str().ok());
            let Ok(list) = serde_json::from_slice::<Vec<serde_json::Value>>(&answer.body) else {
                return Err(Not::Yet(answer.words()));
            };
            seen.insert(by.unwrap_or(path).to_owned(), list.len());
        }
        let told: Vec<String> = seen
            .iter()
            .map(|(by, length)| format!("{by}: {length}"))
            .collect();
        match seen.len() > 2 && holds(&seen) {
            true => Ok(()),
            false => Err(Not::Yet(told.join(", "))),
        }
    })
    .await
}

/// The instances of user-service, once all have applied what they were sent.
async fn listeners(stage: &Stage) -> Result<Vec<String>, String> {
    let name = format!("{}/_/{FILE}", users::NAME);
    let key = DocumentKey::new(Kind::Config, Namespace::default(), name);
    until(PATIENCE, async || {
        let rows = stage.api.config_listeners(&key).await;
        let rows = rows.map_err(|error| error.to_string())?.items;
        let rows: Vec<_> = rows.into_iter().filter(|row| row.connected).collect();
        let applied = rows.iter().all(|row| row.state == ListenerState::Applied);
        match rows.len() == 2 && applied {
            true => Ok(rows.into_iter().map(|row| row.instance).collect()),
            false => Err(Not::Yet(format!(
                "{} listeners, all applied: {applied}",
                rows.len()
            ))),
        }
    })
    .await
}

/// Waits until the file has no gray release any more; why, as its history says.
async fn taken_back(stage: &Stage) -> Result<String, String> {
    until(PATIENCE, async || {
        let document = stage
            .api
            .get(&key())
            .await
            .map_err(|error| error.to_string())?;
        let Document::Config(config) = document else {
            return Err(Not::Ever("it is no file".to_owned()));
        };
        if !config.spec.gray.is_empty() {
            return Err(Not::Yet("it is still there".to_owned()));
        }
        let history = stage.api.history(&key(), Some(1), None).await;
        let history = history.map_err(|error| error.to_string())?;
        let last = history.items.into_iter().next();
        let last = last.and_then(|last| last.version.comment);
        Ok(last.unwrap_or_default())
    })
    .await
}
