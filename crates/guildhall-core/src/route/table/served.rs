//! The routes that are served, one by one, for whoever keeps something by rule.

use std::sync::Arc;

use super::{
    compiler::{CompiledRoute, Compiler},
    rule::Rule,
};
use crate::{
    document::{DocumentKey, Namespace},
    route::Gateways,
};

/// A route as it is served.
#[derive(Clone, Copy, Debug)]
pub struct Served<'c> {
    /// The route.
    pub key: &'c DocumentKey,
    route: &'c CompiledRoute,
    gateways: &'c Gateways,
}

/// The Gateway, and the listener of it, that serves a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServedBy {
    /// The Gateway's namespace.
    pub namespace: Namespace,
    /// Its name.
    pub gateway: String,
    /// The listener, if the route names one.
    pub listener: Option<String>,
}

impl Compiler {
    /// The routes that are served, in no particular order.
    pub fn served(&self) -> impl Iterator<Item = Served<'_>> {
        self.known_routes().map(|(key, route)| Served {
            key,
            route,
            gateways: self.gateways(),
        })
    }
}

impl<'c> Served<'c> {
    /// Its rules, in their order.
    pub fn rules(self) -> impl Iterator<Item = &'c Arc<Rule>> {
        let mut last = None;
        let all = self.route.matches.iter().map(|one| &one.rule);
        // A rule stands there once for each of its matches.
        all.filter(move |rule| last.replace(rule.index) != Some(rule.index))
    }

    /// The Gateway that serves it. All listeners share all addresses, so that of several the first that the route names
    /// stands for the others.
    pub fn by(self) -> Option<ServedBy> {
        self.gateways.serving(self.route.document())
    }
}
