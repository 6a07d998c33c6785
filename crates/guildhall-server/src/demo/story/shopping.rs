//! Users and orders through the gateway: what is right is kept, what is wrong is refused with the right status.

use ::http::StatusCode;
use guildhall_shop::{orders, users};
use serde_json::{Value, json};

use super::{
    super::report::{Check, Report, Stop},
    Stage, answered, routes,
};

pub(super) async fn play(stage: &mut Stage, report: &mut Report) -> Result<(), Stop> {
    for (name, path, service) in [
        ("users", "/users", users::NAME),
        ("orders", "/orders", orders::NAME),
    ] {
        let check = Check::that(format!(
            "HTTPRoute {name} is applied: {path} goes to {service}"
        ))
        .expected("the platform takes the document, and the gateway answers 200")
        .look(stage.command(&format!("get httproute {name} -o yaml")));
        let applied = match routes::apply(stage, name, path, service).await {
            Ok(()) => routes::served(stage, path).await,
            refused => refused,
        };
        report.found(check, applied)?;
    }
    let Some(user) = create_user(stage, report).await else {
        return Err(Stop);
    };
    stage.user = Some(user.clone());
    find_user(stage, report, &user).await;
    order(stage, report, &user).await;
    refusals(stage, report).await;
    Ok(())
}

/// Creates a user and answers the id.
async fn create_user(stage: &Stage, report: &mut Report) -> Option<String> {
    let url = stage.url("/users");
    let body = json!({"name": "Ada", "email": "ada@example.org"});
    let look = curl(&url, Some(&body));
    let answer = stage.http.post(&url, &body).await;
    let answer = answered(
        report,
        "POST /users creates a user: 201",
        StatusCode::CREATED,
        answer,
        look,
    )?;
    Some(answer.json()["id"].as_str()?.to_owned())
}

/// Asks for a user often enough that both instances have been asked, whichever of them created it.
async fn find_user(stage: &Stage, report: &mut Report, user: &str) {
    let url = stage.url(&format!("/users/{user}"));
    let mut seen = Ok(());
    let mut instances = std::collections::BTreeSet::new();
    // Each instance is drawn with a probability of a half.
    for _ in 0..100 {
        match stage.http.get(&url).await {
            Ok(answer) if answer.status == StatusCode::OK => {
                instances.insert(answer.header(guildhall_shop::SERVED_BY).to_owned());
            }
            Ok(answer) => seen = Err(answer.words()),
            Err(error) => seen = Err(error),
        }
        if instances.len() == 2 || seen.is_err() {
            break;
        }
    }
    let seen = seen.and_then(|()| {
        if instances.len() == 2 {
            Ok(())
        } else {
            Err(format!("only {instances:?} answers"))
        }
    });
    let check = Check::that("GET /users/{id} finds it at both instances: 200")
        .expected("200 from user-service-1 and user-service-2")
        .look(curl(&url, None));
    // The story goes on: this says nothing about what follows.
    let _ = report.found(check, seen);
    let url = stage.url("/users");
    let list = stage.http.get(&url).await;
    let what = "GET /users lists it: 200";
    if let Some(answer) = answered(report, what, StatusCode::OK, list, curl(&url, None)) {
        let listed = answer
            .json()
            .as_array()
            .is_some_and(|users| users.iter().any(|listed| listed["id"] == *user));
        if !listed {
            report.check(
                Check::that("the list has the user")
                    .expected(user)
                    .seen(answer.words()),
                false,
            );
        }
    }
}

/// Orders for a user: order-service finds user-service by its name and asks it.
async fn order(stage: &Stage, report: &mut Report, user: &str) {
    let url = stage.url("/orders");
    let body = json!({"userId": user, "item": "a kettle", "quantity": 2});
    let look = curl(&url, Some(&body));
    let answer = stage.http.post(&url, &body).await;
    let what = "POST /orders takes an order of that user, after a call to user-service: 201";
    let taken = answered(report, what, StatusCode::CREATED, answer, look);
    let id = taken
        .map(|answer| answer.json()["id"].clone())
        .unwrap_or_default();
    let list = stage.http.get(&url).await;
    let what = "GET /orders lists it: 200";
    if let Some(answer) = answered(report, what, StatusCode::OK, list, curl(&url, None)) {
        let listed = answer
            .json()
            .as_array()
            .is_some_and(|orders| orders.iter().any(|order| order["id"] == id));
        if !listed {
            report.check(
                Check::that("the list has the order")
                    .expected(id.to_string())
                    .seen(answer.words()),
                false,
            );
        }
    }
}

async fn refusals(stage: &Stage, report: &mut Report) {
    let orders = stage.url("/orders");
    for (what, body) in [
        (
            "an order of an unknown user: 400",
            json!({"userId": "user_nobody", "item": "a kettle"}),
        ),
        ("an order of no user: 400", json!({"item": "a kettle"})),
    ] {
        let answer = stage.http.post(&orders, &body).await;
        answered(
            report,
            what,
            StatusCode::BAD_REQUEST,
            answer,
            curl(&orders, Some(&body)),
        );
    }
    let url = stage.url("/users/user_nobody");
    let answer = stage.http.get(&url).await;
    let what = "an unknown user: 404 from user-service";
    let answer = answered(
        report,
        what,
        StatusCode::NOT_FOUND,
        answer,
        curl(&url, None),
    );
    if let Some(answer) =
        answer.filter(|answer| answer.json() != json!({"error": "User not found"}))
    {
        let check = Check::that("its body says so").expected(r#"{"error":"User not found"}"#);
        report.check(check.seen(answer.words()), false);
    }
    let url = stage.url("/nowhere");
    let answer = stage.http.get(&url).await;
    let what = "a path without a route: 404 from the gateway";
    if let Some(answer) = answered(
        report,
        what,
        StatusCode::NOT_FOUND,
        answer,
        curl(&url, None),
    ) {
        let check = Check::that(format!(
            "and it says why: guildhall-reason: {}",
            answer.reason()
        ));
        let check = check
            .expected("guildhall-reason: route_not_found")
            .seen(answer.words());
        report.check(
            check.look(curl(&url, None)),
            answer.reason().starts_with("route_not_found"),
        );
    }
}

/// The command that makes a request.
pub(super) fn curl(url: &str, body: Option<&Value>) -> String {
    match body {
        None => format!("curl -i {url}"),
        Some(body) => format!("curl -i {url} -H 'content-type: application/json' -d '{body}'"),
    }
}
