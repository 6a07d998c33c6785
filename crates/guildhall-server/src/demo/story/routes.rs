//! The routes through the gateway: Gateway API's HTTPRoute, written to the platform as anybody would.

use ::http::StatusCode;
use guildhall_api::client::PutOptions;
use guildhall_core::document::{DocumentKey, Kind, Namespace};
use serde_json::json;

use super::{
    super::wait::{Not, PATIENCE, until},
    Stage,
};

/// Writes a route that sends everything under `path` to `service`.
pub(super) async fn apply(
    stage: &Stage,
    name: &str,
    path: &str,
    service: &str,
) -> Result<(), String> {
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {"rules": [{
            "matches": [{"path": {"type": "PathPrefix", "value": path}}],
            "backendRefs": [{"name": service}],
        }]},
    });
    let key = DocumentKey::new(Kind::HttpRoute, Namespace::default(), name);
    let written = stage
        .api
        .put_json(&key, route.to_string().into(), PutOptions::default())
        .await;
    written.map(drop).map_err(|error| error.to_string())
}

/// Waits until the gateway answers a path with 200.
pub(super) async fn served(stage: &Stage, path: &str) -> Result<(), String> {
    let url = stage.url(path);
    until(PATIENCE, async || {
        let answer = stage.http.get(&url).await.map_err(Not::Yet)?;
        if answer.status == StatusCode::OK {
            Ok(())
        } else {
            Err(Not::Yet(answer.words()))
        }
    })
    .await
}
