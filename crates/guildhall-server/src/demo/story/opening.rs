//! Everybody comes on stage: the platform and the gateway node are ready, the services registered and healthy.

use std::time::Duration;

use ::http::StatusCode;
use guildhall_core::registry::Health;
use guildhall_shop::{orders, users};

use super::{
    super::{
        cast::Role,
        report::{Check, Report, Stop},
        wait::{Not, PATIENCE, until},
    },
    Seen, Stage, words,
};
use crate::clock;

pub(super) async fn play(stage: &mut Stage, report: &mut Report) -> Result<(), Stop> {
    let took = node_starts(stage, report, Role::Platform).await?;
    report.note(format!(
        "API {} · process {} · ready after {took:?}",
        stage.cast.api(),
        stage.cast.process(Role::Platform)
    ));
    let took = node_starts(stage, report, Role::Gateway).await?;
    report.note(format!(
        "traffic {} · process {} · ready after {took:?}",
        stage.cast.gateway(),
        stage.cast.process(Role::Gateway)
    ));
    let services = [Role::User(0), Role::User(1), Role::Order];
    for role in services {
        start(stage, report, role)?;
    }
    for (service, count) in [(users::NAME, 2), (orders::NAME, 1)] {
        let check = Check::that(format!(
            "{service} is registered, {count} of {count} instances healthy"
        ))
        .expected(format!("{count} healthy instances within {PATIENCE:?}"))
        .look(stage.command(&format!("instances {service}")));
        let found = healthy(stage, service, count).await;
        report.found(check, found)?;
    }
    for role in services {
        report.note(format!(
            "{} · process {}",
            role.name(),
            stage.cast.process(role)
        ));
    }
    Ok(())
}

/// Starts a process.
pub(super) fn start(stage: &mut Stage, report: &mut Report, role: Role) -> Result<(), Stop> {
    match stage.cast.start(role) {
        Ok(()) => Ok(()),
        Err(error) => {
            let check = Check::that(format!("{} starts", role.name()))
                .expected("a new process")
                .seen(error.to_string());
            report.must(check, false)
        }
    }
}

/// Starts a node of Guildhall and waits until it is ready; answers how long that took.
pub(super) async fn node_starts(
    stage: &mut Stage,
    report: &mut Report,
    role: Role,
) -> Result<Duration, Stop> {
    let began = clock::now();
    start(stage, report, role)?;
    let port = match role {
        Role::Gateway => stage.cast.ports.gateway_api,
        _ => stage.cast.ports.api,
    };
    let readyz = format!("http://127.0.0.1:{port}/readyz");
    let ready = until(PATIENCE, async || {
        if let Some(ended) = stage.cast.ended() {
            return Err(Not::Ever(ended));
        }
        let addresses = stage.cast.addresses(role);
        if !addresses.exists() {
            return Err(Not::Yet(format!("no {}", addresses.display())));
        }
        let answer = stage.http.get(&readyz).await.map_err(Not::Yet)?;
        if answer.status == StatusCode::OK {
            Ok(())
        } else {
            Err(Not::Yet(answer.words()))
        }
    })
    .await;
    let what = match role {
        Role::Gateway => "the gateway node is ready",
        _ => "the platform is ready",
    };
    let check = Check::that(what)
        .expected(format!("200 from {readyz} within {PATIENCE:?}"))
        .look(format!("curl -i {readyz}"));
    report.found(check, ready)?;
    Ok(rounded(clock::now() - began))
}

/// Waits until a service has `count` healthy instances.
pub(super) async fn healthy(
    stage: &mut Stage,
    service: &str,
    count: usize,
) -> Result<Vec<Seen>, String> {
    until(PATIENCE, async || {
        if let Some(ended) = stage.cast.ended() {
            return Err(Not::Ever(ended));
        }
        let instances = stage.instances(service).await.map_err(Not::Yet)?;
        let healthy = instances
            .iter()
            .filter(|seen| seen.health == Health::Healthy)
            .count();
        if healthy == count {
            Ok(instances)
        } else {
            Err(Not::Yet(words(&instances)))
        }
    })
    .await
}

/// A duration for people.
pub(super) fn rounded(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
