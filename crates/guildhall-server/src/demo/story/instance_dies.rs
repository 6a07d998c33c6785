//! One of two instances of user-service is killed under traffic, and comes back.
//!
//! What is counted: GETs of one user through the gateway, which may be sent twice without harm. Each that is not
//! answered with 200 counts as failed, also those that were under way at the instance when it was killed: the gateway
//! sends them to the other one.

use std::time::Duration;

use guildhall_core::{
    document::{InstanceId, Namespace, ServiceName},
    registry::Health,
};
use guildhall_shop::{TTL, users};

use super::{
    super::{
        cast::Role,
        report::{Check, Report, Stop},
        traffic::{Tally, Traffic},
        wait::{Not, PATIENCE, until},
    },
    Stage, opening, words,
};
use crate::clock;

/// How many answers are enough to say that an instance takes traffic.
const ENOUGH: usize = 25;
/// How much later than its TTL a silent instance may be shown as unhealthy.
const GRACE: Duration = Duration::from_secs(1);
/// How much later still that is seen from here.
const SIGHT: Duration = Duration::from_millis(500);

pub(super) async fn play(stage: &mut Stage, report: &mut Report) -> Result<(), Stop> {
    let traffic = Traffic::start(&stage.http, &user_url(stage));
    let told = tell(stage, report, &traffic).await;
    let tally = traffic.end().await;
    told?;
    no_failure(report, &tally, "from first to last, not one request failed");
    Ok(())
}

async fn tell(stage: &mut Stage, report: &mut Report, traffic: &Traffic) -> Result<(), Stop> {
    let (kept, killed) = (Role::User(0).name(), Role::User(1).name());
    both_answer(
        report,
        traffic,
        &Tally::default(),
        "under steady traffic both instances answer",
    )
    .await?;

    let died = stage.cast.kill(Role::User(1)).await;
    let at = clock::now();
    report.found(
        Check::that(format!("{killed} is killed: SIGKILL"))
            .expected("a process that ran until then"),
        died,
    )?;

    let within = TTL + GRACE;
    let check = Check::that(format!(
        "the registry shows {killed} as unhealthy within its TTL of {TTL:?} and {GRACE:?}"
    ));
    let check = check
        .expected(format!("unhealthy within {within:?}"))
        .look(stage.command("instances user-service"));
    let silent = until(within + SIGHT, async || {
        let instances = stage.instances(users::NAME).await.map_err(Not::Yet)?;
        let gone = instances
            .iter()
            .any(|seen| seen.id == killed && seen.health == Health::Unhealthy);
        if gone {
            Ok(clock::now() - at)
        } else {
            Err(Not::Yet(words(&instances)))
        }
    })
    .await;
    let took = report.found(check, silent)?;
    report.note(format!(
        "after {:?}: {}",
        opening::rounded(took),
        why(stage, &killed).await
    ));

    let before = traffic.tally();
    let moved = until(PATIENCE, async || match traffic.tally().since(&before) {
        since if since.of(&kept) >= ENOUGH => Ok(since),
        since => Err(Not::Yet(since.words())),
    })
    .await;
    let check = Check::that(format!("all traffic is at {kept}"))
        .expected(format!("{ENOUGH} more answers, none of {killed}"));
    let since = report.found(check.clone(), moved)?;
    if since.of(&killed) > 0 {
        report.check(check.seen(since.words()), false);
    }
    no_failure(
        report,
        &traffic.tally(),
        "not one request failed, neither at the kill nor after it",
    );

    let before = traffic.tally();
    opening::start(stage, report, Role::User(1))?;
    let check = Check::that(format!("{killed} is started again and healthy"))
        .expected("2 healthy instances");
    let back = opening::healthy(stage, users::NAME, 2).await;
    report.found(check.look(stage.command("instances user-service")), back)?;
    both_answer(report, traffic, &before, "and traffic is at both again").await
}

/// Waits until both instances have answered since `before`.
async fn both_answer(
    report: &mut Report,
    traffic: &Traffic,
    before: &Tally,
    what: &str,
) -> Result<(), Stop> {
    let both = until(PATIENCE, async || {
        let since = traffic.tally().since(before);
        let enough = [Role::User(0), Role::User(1)]
            .iter()
            .all(|role| since.of(&role.name()) >= ENOUGH);
        if enough {
            Ok(since)
        } else {
            Err(Not::Yet(since.words()))
        }
    })
    .await;
    let since = report.found(
        Check::that(what).expected(format!("{ENOUGH} answers of each")),
        both,
    )?;
    report.note(since.words());
    Ok(())
}

/// Checks that nothing failed.
pub(super) fn no_failure(report: &mut Report, tally: &Tally, what: &str) {
    let check = Check::that(format!(
        "{what}: {} of {}",
        tally.failed,
        tally.good() + tally.failed
    ));
    report.check(
        check.expected("0 failed").seen(tally.words()),
        tally.failed == 0,
    );
}

/// The path that traffic asks for: the user that was created, else all.
pub(super) fn user_url(stage: &Stage) -> String {
    match &stage.user {
        Some(user) => stage.url(&format!("/users/{user}")),
        None => stage.url("/users"),
    }
}

/// What the instance's timeline says of its last change.
async fn why(stage: &Stage, id: &str) -> String {
    let (Ok(service), Ok(id)) = (ServiceName::new(users::NAME), InstanceId::new(id)) else {
        return String::new();
    };
    match stage
        .api
        .timeline(&Namespace::default(), &service, &id)
        .await
    {
        Ok(timeline) => timeline.entries.last().map_or_else(String::new, |entry| {
            let check = entry.check.as_deref().unwrap_or("an operator");
            format!(
                "its timeline says {:?} → {:?}, {check}: {}",
                entry.from, entry.to, entry.output
            )
        }),
        Err(error) => error.to_string(),
    }
}
