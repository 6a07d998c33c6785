//! user-service loses its database and answers 500: order-service's breaker opens, orders are taken on the last good
//! answers, and once the database is back the breaker closes.

use ::http::StatusCode;
use guildhall_api::client::{FleetQuery, PutOptions};
use guildhall_core::{
    document::{DocumentKey, Kind, Namespace},
    policy::report::{BreakerRow, State},
};
use guildhall_shop::{orders, users};
use serde_json::json;

use super::{
    super::{
        report::{Check, Report, Stop},
        wait::{Not, PATIENCE, until},
    },
    Stage,
    shopping::curl,
};

/// The policy's name.
const POLICY: &str = "orders-outlive-users";

pub(super) async fn play(stage: &mut Stage, report: &mut Report) -> Result<(), Stop> {
    let Some(user) = stage.user.clone() else {
        return Err(Stop);
    };
    let check = Check::that(format!(
        "Policy {POLICY} is applied to user-service: a breaker, and the last good answer as fallback"
    ))
    .expected("the platform takes it, and order-service goes by it")
    .look(stage.command(&format!("get policy {POLICY} -o yaml")));
    let obeyed = match apply(stage).await {
        Ok(()) => seen_in(stage, &user, State::Closed).await,
        Err(refused) => Err(refused),
    };
    report.found(check, obeyed)?;

    let away = stage.cast.take_users_away();
    report.found(
        Check::that("user-service's database is moved away").expected("a file that was there"),
        away,
    )?;
    let (check, look) = breaker(stage, "opens", State::Open);
    let opened = seen_in(stage, &user, State::Open).await;
    let row = report.found(check.look(look), opened)?;
    report.note(words(&row));
    report.note("Every order was taken meanwhile: its user was known by the last good answer.");

    let back = stage.cast.bring_users_back();
    report.found(
        Check::that("the database is back").expected("a file that can be moved"),
        back,
    )?;
    let (check, look) = breaker(stage, "probes user-service and closes", State::Closed);
    let closed = seen_in(stage, &user, State::Closed).await;
    let row = report.found(check.look(look), closed)?;
    report.note(words(&row));
    Ok(())
}

fn breaker(stage: &Stage, does: &str, state: State) -> (Check, String) {
    let check = Check::that(format!(
        "order-service's breaker {does}, and not one order is refused"
    ));
    (
        check.expected(format!("{state}, and 201 for each order")),
        stage.command("breakers"),
    )
}

async fn apply(stage: &Stage) -> Result<(), String> {
    let policy = json!({
        "apiVersion": "guildhall/v1",
        "kind": "Policy",
        "metadata": {"name": POLICY},
        "spec": {
            "targetRefs": [{"kind": "Service", "name": users::NAME}],
            "retry": {"enabled": false},
            "circuitBreaker": {
                "minimumNumberOfCalls": 5,
                "waitDurationInOpenState": "1s",
                "maxWaitDurationInOpenState": "1s",
            },
            "fallback": {"sources": [{"cached": {"maxAge": "1h"}}]},
        },
    });
    let key = DocumentKey::new(Kind::Policy, Namespace::default(), POLICY);
    let written = stage
        .api
        .put_json(&key, policy.to_string().into(), PutOptions::default())
        .await;
    written.map(drop).map_err(|error| error.to_string())
}

/// Orders until order-service's breaker for user-service is in `state` by the policy; each order must be taken.
async fn seen_in(stage: &Stage, user: &str, state: State) -> Result<BreakerRow, String> {
    let url = stage.url("/orders");
    let body = json!({"userId": user, "item": "a spoon"});
    let query = FleetQuery {
        caller: Some(orders::NAME.to_owned()),
        service: Some(users::NAME.to_owned()),
        state: None,
    };
    until(PATIENCE, async || {
        let rows = stage.api.breakers(None, &query).await;
        let rows = rows.map_err(|error| error.to_string())?.items;
        let by_policy = |row: &BreakerRow| {
            row.breaker
                .policy
                .as_ref()
                .is_some_and(|policy| policy.name == POLICY)
        };
        let row = rows.into_iter().find(by_policy);
        // After the look: what is seen holds for this order already, and its user's answer is kept.
        let answer = stage.http.post(&url, &body).await.map_err(Not::Ever)?;
        if answer.status != StatusCode::CREATED {
            let look = curl(&url, Some(&body));
            return Err(Not::Ever(format!("{look}: {}", answer.words())));
        }
        match row {
            Some(row) if row.breaker.state == state => Ok(row),
            Some(row) => Err(Not::Yet(words(&row))),
            None => Err(Not::Yet(format!(
                "no breaker of order-service goes by {POLICY}"
            ))),
        }
    })
    .await
}

/// A breaker on one line, for people.
fn words(row: &BreakerRow) -> String {
    let breaker = &row.breaker;
    let statistics = &breaker.statistics;
    let why = breaker
        .last_transition
        .as_ref()
        .map_or(String::new(), |last| format!(" ({})", last.reason));
    format!(
        "{} → {}: {}{why}; {} calls, {} failed, {} rejected",
        row.caller.name,
        breaker.target.service,
        breaker.state,
        statistics.total,
        statistics.failed,
        statistics.rejected
    )
}
