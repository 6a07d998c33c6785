//! The routes of user-service. They know nothing of the platform.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use http::StatusCode;

use super::{NewUser, User};
use crate::{
    Ledger, Refusal,
    refusal::{Payload, on_disk},
    served_by,
    settings::Page,
};

#[derive(Clone)]
struct Shop {
    users: Arc<Ledger<User>>,
    page: Page,
}

/// The routes, over the users in `ledger`; `instance` signs the answers.
pub fn router(ledger: Arc<Ledger<User>>, page: Page, instance: &str) -> Router {
    let routes = Router::new()
        .route("/users", get(list).post(create))
        .route("/users/{id}", get(find));
    let shop = Shop {
        users: ledger,
        page,
    };
    served_by::sign(routes.with_state(shop), instance)
}

async fn list(State(shop): State<Shop>) -> Result<Json<Vec<Arc<User>>>, Refusal> {
    let most = (shop.page)();
    Ok(Json(on_disk(move || shop.users.last(most)).await?))
}

async fn create(
    State(shop): State<Shop>,
    Payload(new): Payload<NewUser>,
) -> Result<(StatusCode, Json<User>), Refusal> {
    let user = new.create()?;
    let kept = user.clone();
    on_disk(move || shop.users.append(&kept)).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

async fn find(
    State(shop): State<Shop>,
    Path(id): Path<String>,
) -> Result<Json<Arc<User>>, Refusal> {
    let user = on_disk(move || shop.users.find(&id)).await?;
    user.map(Json)
        .ok_or_else(|| Refusal::not_found("User not found"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Answer, call};

    fn shop(folder: &std::path::Path) -> Router {
        router(
            Arc::new(Ledger::open(&folder.join("users.jsonl")).unwrap()),
            Arc::new(|| 2),
            "u1",
        )
    }

    #[tokio::test]
    async fn a_user_created_at_one_instance_is_found_at_another() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (shop(folder.path()), shop(folder.path()));
        let body = json!({"name": "Ada", "email": "ada@example.org"});
        let Answer {
            status,
            body: ada,
            headers,
        } = call(&one, "POST", "/users", Some(body)).await;
        assert_eq!((status, ada["name"].as_str()), (201, Some("Ada")));
        assert_eq!(headers["x-served-by"], "u1");
        let id = ada["id"].as_str().unwrap();
        let found = call(&two, "GET", &format!("/users/{id}"), None).await;
        assert_eq!((found.status, &found.body), (200, &ada));
        let all = call(&two, "GET", "/users", None).await;
        assert_eq!((all.status, all.body), (200, json!([ada])));
    }

    #[tokio::test]
    async fn a_list_has_as_many_as_the_settings_say() {
        let folder = tempfile::tempdir().unwrap();
        let shop = shop(folder.path());
        for name in ["Ada", "Ben", "Cleo"] {
            call(&shop, "POST", "/users", Some(json!({"name": name}))).await;
        }
        let all = call(&shop, "GET", "/users", None).await.body;
        let names: Vec<_> = all
            .as_array()
            .unwrap()
            .iter()
            .map(|user| &user["name"])
            .collect();
        assert_eq!(names, ["Ben", "Cleo"]);
    }

    #[tokio::test]
    async fn an_unknown_user_is_404() {
        let folder = tempfile::tempdir().unwrap();
        for id in ["user_1", "%2e%2e%2f"] {
            let answer = call(&shop(folder.path()), "GET", &format!("/users/{id}"), None).await;
            assert_eq!(
                (answer.status, answer.body),
                (404, json!({"error": "User not found"}))
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_user_is_400_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let shop = shop(folder.path());
        for (body, why) in [
            (json!({}), "missing field `name`"),
            (json!({"name": " "}), "name must have"),
            (json!({"name": "x".repeat(201)}), "name must have"),
            (
                json!({"name": "Ada", "email": "nowhere"}),
                "email is not an address",
            ),
            (json!({"name": "Ada", "age": 36}), "unknown field `age`"),
            (json!("Ada"), "invalid type"),
        ] {
            let answer = call(&shop, "POST", "/users", Some(body.clone())).await;
            assert_eq!(answer.status, 400, "{body}");
            assert!(
                answer.body["error"].as_str().unwrap().contains(why),
                "{}",
                answer.body
            );
        }
        assert_eq!(call(&shop, "GET", "/users", None).await.body, json!([]));
    }
}
