//! The routes of order-service. They know nothing of the platform, and of user-service only what [`Customers`] says.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use http::StatusCode;

use super::{Customers, CustomersError, NewOrder, Order};
use crate::{
    Ledger, Refusal,
    refusal::{Payload, on_disk},
    served_by,
    settings::Page,
};

#[derive(Clone)]
struct Shop {
    orders: Arc<Ledger<Order>>,
    customers: Arc<dyn Customers>,
    page: Page,
}

/// The routes, over the orders in `ledger`; `instance` signs the answers.
pub fn router(
    ledger: Arc<Ledger<Order>>,
    customers: Arc<dyn Customers>,
    page: Page,
    instance: &str,
) -> Router {
    let routes = Router::new().route("/orders", get(list).post(create));
    served_by::sign(
        routes.with_state(Shop {
            orders: ledger,
            customers,
            page,
        }),
        instance,
    )
}

async fn list(State(shop): State<Shop>) -> Result<Json<Vec<Arc<Order>>>, Refusal> {
    let most = (shop.page)();
    Ok(Json(on_disk(move || shop.orders.last(most)).await?))
}

async fn create(
    State(shop): State<Shop>,
    Payload(new): Payload<NewOrder>,
) -> Result<(StatusCode, Json<Order>), Refusal> {
    let customer = new.customer()?.to_owned();
    match shop.customers.exists(&customer).await {
        Ok(true) => {}
        Ok(false) => return Err(Refusal::bad_request("User not found")),
        Err(error) => {
            tracing::warn!(%error, "an order cannot be taken");
            return Err(Refusal::unavailable(match error {
                CustomersError::Unreachable(_) => {
                    "user-service cannot be reached; try again in a moment"
                }
                CustomersError::Answered(_) => {
                    "user-service cannot say whether the user exists; try again in a moment"
                }
            }));
        }
    }
    let order = new.create(customer);
    let kept = order.clone();
    on_disk(move || shop.orders.append(&kept)).await?;
    Ok((StatusCode::CREATED, Json(order)))
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::BoxFuture};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::call;

    /// Knows Ada; is away for whoever is called `away`, and broken for `broken`.
    struct Known;

    impl Customers for Known {
        fn exists<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, CustomersError>> {
            let answer = match id {
                "away" => Err(CustomersError::Unreachable("no instance".to_owned())),
                "broken" => Err(CustomersError::Answered(StatusCode::INTERNAL_SERVER_ERROR)),
                id => Ok(id == "user_ada"),
            };
            async { answer }.boxed()
        }
    }

    async fn order(shop: &Router, body: Value) -> (u16, Value) {
        let answer = call(shop, "POST", "/orders", Some(body)).await;
        assert_eq!(
            answer.headers.contains_key("retry-after"),
            answer.status == 503
        );
        (answer.status, answer.body)
    }

    fn shop(folder: &std::path::Path) -> Router {
        router(
            Arc::new(Ledger::open(&folder.join("orders.jsonl")).unwrap()),
            Arc::new(Known),
            Arc::new(|| 1000),
            "o1",
        )
    }

    #[tokio::test]
    async fn an_order_of_a_known_user_is_taken_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let shop = shop(folder.path());
        let (status, taken) = order(&shop, json!({"userId": "user_ada", "item": "a kettle"})).await;
        assert_eq!(status, 201);
        assert_eq!(
            (&taken["status"], &taken["quantity"]),
            (&json!("pending"), &json!(1))
        );
        let all = call(&shop, "GET", "/orders", None).await;
        assert_eq!((all.status, all.body), (200, json!([taken])));
        assert_eq!(all.headers["x-served-by"], "o1");
    }

    #[tokio::test]
    async fn an_order_of_nobody_is_400_and_without_user_service_503() {
        let folder = tempfile::tempdir().unwrap();
        let shop = shop(folder.path());
        for (body, status, why) in [
            (json!({"item": "x"}), 400, "userId is missing"),
            (json!({"item": "x", "userId": ""}), 400, "userId is missing"),
            (
                json!({"item": "x", "userId": "user_bob"}),
                400,
                "User not found",
            ),
            (
                json!({"item": "x", "userId": "../orders"}),
                400,
                "User not found",
            ),
            (
                json!({"item": "", "userId": "user_ada"}),
                400,
                "item must have",
            ),
            (json!({"userId": "user_ada"}), 400, "missing field `item`"),
            (
                json!({"item": "x", "userId": "user_ada", "quantity": 0}),
                400,
                "quantity must be",
            ),
            (
                json!({"item": "x", "userId": "away"}),
                503,
                "user-service cannot be reached",
            ),
            (
                json!({"item": "x", "userId": "broken"}),
                503,
                "user-service cannot say",
            ),
        ] {
            let (answered, said) = order(&shop, body.clone()).await;
            assert_eq!(answered, status, "{body}: {said}");
            assert!(said["error"].as_str().unwrap().contains(why), "{said}");
        }
        assert_eq!(call(&shop, "GET", "/orders", None).await.body, json!([]));
    }
}
