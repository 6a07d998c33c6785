//! The platform is killed and started again: meanwhile gateway and services go on, afterwards everything is still there.

use ::http::StatusCode;
use guildhall_api::client::ListQuery;
use guildhall_core::document::{Kind, Namespace, Timestamp};
use guildhall_shop::{orders, users};
use serde_json::json;

use super::{
    super::{
        cast::Role,
        report::{Check, Report, Stop},
        traffic::Traffic,
        wait::{Not, PATIENCE, until},
    },
    Stage, answered,
    instance_dies::{no_failure, user_url},
    opening, routes, shopping,
};
use crate::clock;

/// How many requests are to be answered while the platform is away.
const ENOUGH: usize = 300;

/// A registration: what makes it the same one as before.
type Registration = (String, Option<Timestamp>);

pub(super) async fn play(stage: &mut Stage, report: &mut Report) -> Result<(), Stop> {
    let traffic = Traffic::start(&stage.http, &user_url(stage));
    let told = tell(stage, report, &traffic).await;
    let tally = traffic.end().await;
    told?;
    no_failure(report, &tally, "from first to last, not one request failed");
    Ok(())
}

async fn tell(stage: &mut Stage, report: &mut Report, traffic: &Traffic) -> Result<(), Stop> {
    let before = registrations(stage).await;
    let before = report.found(
        Check::that("the registrations are noted").expected("3 instances"),
        before,
    )?;

    let died = stage.cast.kill(Role::Platform).await;
    let tally = traffic.tally();
    report.found(
        Check::that("the platform is killed: SIGKILL").expected("a process that ran until then"),
        died,
    )?;
    let away = until(PATIENCE, async || match traffic.tally().since(&tally) {
        since if since.good() >= ENOUGH || since.failed > 0 => Ok(since),
        since => Err(Not::Yet(since.words())),
    })
    .await;
    let check = Check::that("without it the gateway serves on")
        .expected(format!("{ENOUGH} answers with 200"));
    let away = report.found(check, away)?;
    no_failure(report, &away, "not one request failed meanwhile");
    if let Some(user) = &stage.user {
        let url = stage.url("/orders");
        let body = json!({"userId": user, "item": "a candle"});
        let answer = stage.http.post(&url, &body).await;
        let what = "and order-service still finds user-service: an order is taken, 201";
        answered(
            report,
            what,
            StatusCode::CREATED,
            answer,
            shopping::curl(&url, Some(&body)),
        );
    }

    let took = opening::node_starts(stage, report, Role::Platform).await?;
    report.note(format!("on the same data, after {took:?}"));
    let after = registrations(stage).await;
    let check =
        Check::that("every registration is still there, with the same id and the same createdAt");
    let check = check
        .expected(words(&before))
        .look(stage.command("get instances -o yaml"));
    let after = report.found(
        check.clone(),
        after.and_then(|after| {
            if after == before {
                Ok(after)
            } else {
                Err(words(&after))
            }
        }),
    )?;
    report.note(words(&after));
    for (service, count) in [(users::NAME, 2), (orders::NAME, 1)] {
        let check = Check::that(format!("{service}: {count} of {count} instances healthy"));
        let check = check
            .expected(format!("{count} healthy instances"))
            .look(stage.command(&format!("instances {service}")));
        let found = opening::healthy(stage, service, count).await;
        report.found(check, found)?;
    }

    let began = clock::now();
    let served = match routes::apply(stage, "alive", "/health/live", users::NAME).await {
        Ok(()) => routes::served(stage, "/health/live").await,
        refused => refused,
    };
    let check = Check::that("the gateway is connected again: a new route takes effect");
    let check = check.expected("200 from /health/live through the gateway");
    report.found(
        check.look(shopping::curl(&stage.url("/health/live"), None)),
        served,
    )?;
    report.note(format!(
        "{:?} after it was applied",
        opening::rounded(clock::now() - began)
    ));
    Ok(())
}

/// All instances by `service/id`, and since when each is known.
async fn registrations(stage: &Stage) -> Result<Vec<Registration>, String> {
    let listed = stage
        .api
        .list(
            Kind::Instance,
            Some(&Namespace::default()),
            &ListQuery::default(),
        )
        .await;
    let listed = listed.map_err(|error| error.to_string())?;
    let mut found: Vec<Registration> = listed
        .documents
        .iter()
        .map(|document| {
            (
                document.key().name.to_string(),
                document.metadata().created_at,
            )
        })
        .collect();
    found.sort();
    Ok(found)
}

/// Registrations for people, one a line.
fn words(registrations: &[Registration]) -> String {
    let lines = registrations
        .iter()
        .map(|(id, created_at)| match created_at {
            Some(created_at) => format!("{id} since {created_at}"),
            None => format!("{id} since ever"),
        });
    lines.collect::<Vec<_>>().join("\n")
}
