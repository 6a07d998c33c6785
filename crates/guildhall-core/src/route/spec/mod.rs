//! The documents: Gateway API's Gateway and HTTPRoute as they are written.
//!
//! Pinned to Gateway API 1.6, experimental channel. The whole shape decodes, strictly; what
//! Guildhall does not do yet is told in conditions ([`crate::route::HttpRouteStatus`]).

mod fault;
mod filter;
mod filter_form;
mod gateway;
mod httproute;
mod matches;
mod reference;
#[cfg(test)]
mod tests;

pub use fault::{Fault, FaultAbort, FaultDelay, FaultHeader};
pub use filter::{
    AuthProtocol, Cors, CorsMethod, ExternalAuth, Filter, ForwardBody, Fraction, GrpcAuth, Header,
    HeaderModifier, HttpAuth, Mirror, PathModifier, Redirect, UrlRewrite, Wildcard,
};
pub use gateway::{
    AllowedListeners, AllowedRoutes, BackendTls, ClientTls, ClientValidation, ClientValidationMode,
    FromNamespaces, FrontendTls, Gateway, GatewayAddress, GatewayTls, Infrastructure, Listener,
    ListenerTls, PortTls, RouteKind, RouteNamespaces, TlsMode,
};
pub use httproute::{
    BackendRef, CookieLifetime, HttpRoute, MOST_BACKOFF, MOST_RETRIES, PersistenceCookie,
    PersistenceHeader, PersistenceType, RouteRetry, RouteRule, RouteTimeouts, SessionPersistence,
};
pub use matches::{Method, PathMatch, PathMatchType, RouteMatch, ValueMatch, ValueMatchType};
pub use reference::{
    DefaultScope, GATEWAY_GROUP, LabelOperator, LabelRequirement, LabelSelector, LocalRef,
    ObjectRef, ParentRef, ServiceRef,
};
