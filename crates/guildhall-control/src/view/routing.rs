//! The status of routes and Gateways: what follows for each from the documents there are.
//!
//! Nothing of it is stored, and nothing is worked out before somebody reads a route or a Gateway: watchers are told of
//! documents as they are written.

use std::{cell::OnceCell, sync::Arc};

use guildhall_core::{
    document::{Document, Kind, Namespace, Object, ServiceName},
    route::{Gateways, HttpRoute, gateway_status, route_status},
};

use super::{State, state::of_kind};

/// Routes and Gateways of a state, for one or many readings.
pub(crate) struct Routing<'a> {
    state: &'a State,
    gateways: OnceCell<Gateways>,
}

impl<'a> Routing<'a> {
    /// Over a state.
    pub(crate) fn of(state: &'a State) -> Self {
        Self {
            state,
            gateways: OnceCell::new(),
        }
    }

    /// A document as readers see it: a route or a Gateway with its status, any other as it is.
    pub(crate) fn shown(&self, document: &Document) -> Document {
        match document {
            Document::HttpRoute(route) => {
                let exists = |namespace: &Namespace, service: &ServiceName| {
                    let catalog = &self.state.catalog;
                    catalog.service(namespace, service.as_str()).is_some()
                };
                let status = route_status(route, self.gateways(), &exists);
                Document::HttpRoute(Arc::new(Object {
                    status: Some(status),
                    ..Object::clone(route)
                }))
            }
            Document::Gateway(gateway) => {
                let status = gateway_status(gateway, self.gateways(), self.routes());
                Document::Gateway(Arc::new(Object {
                    status: Some(status),
                    ..Object::clone(gateway)
                }))
            }
            other => other.clone(),
        }
    }

    fn gateways(&self) -> &Gateways {
        self.gateways.get_or_init(|| {
            of_kind(&self.state.documents, Kind::Gateway)
                .filter_map(|(_, document)| match document {
                    Document::Gateway(gateway) => Some(Arc::clone(gateway)),
                    _ => None,
                })
                .collect()
        })
    }

    fn routes(&self) -> impl Iterator<Item = &Object<HttpRoute>> {
        of_kind(&self.state.documents, Kind::HttpRoute).filter_map(|(_, document)| match document {
            Document::HttpRoute(route) => Some(&**route),
            _ => None,
        })
    }
}

/// Gives a route or Gateway that is about to be written, or would be, the status that it will have.
pub(crate) fn foresee(document: &mut Document, state: &State) {
    if !matches!(document, Document::HttpRoute(_) | Document::Gateway(_)) {
        return;
    }
    let mut state = state.clone();
    state.documents.insert(document.key(), document.clone());
    *document = Routing::of(&state).shown(document);
}
