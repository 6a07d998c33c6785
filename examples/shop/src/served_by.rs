//! Signs answers with the instance that gave them.

use axum::{Router, middleware, response::Response};
use http::{HeaderName, HeaderValue};

use crate::SERVED_BY;

/// Adds [`SERVED_BY`] to every answer of `routes`. An instance whose id no header can hold stays unnamed.
pub(crate) fn sign(routes: Router, instance: &str) -> Router {
    let Ok(instance) = HeaderValue::from_str(instance) else {
        return routes;
    };
    routes.layer(middleware::map_response(move |mut response: Response| {
        let instance = instance.clone();
        async move {
            response
                .headers_mut()
                .insert(HeaderName::from_static(SERVED_BY), instance);
            response
        }
    }))
}
