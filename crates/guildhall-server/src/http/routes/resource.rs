//! What the API serves: every resource, the methods it takes, its name in metrics.

use guildhall_core::document::Kind;

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Resource {
    /// `…/{plural}`
    Collection(Kind),
    /// `…/{plural}/{name}`; instances and versions stand under their service.
    Document(Kind),
    /// `…/services/{service}/instances`
    Instances,
    /// `…/services/{service}/versions`
    Versions,
    /// `…/instances/{id}/heartbeat`
    Heartbeat,
    /// `…/instances/{id}/checks/{check}`
    Check,
    /// `…/instances/{id}/maintenance`
    Maintenance,
    /// `…/instances/{id}/timeline`
    Timeline,
    /// `…/locks/{name}/acquire`
    LockAcquire,
    /// `…/locks/{name}/renew`
    LockRenew,
    /// `…/locks/{name}/release`
    LockRelease,
    /// `…/graph`
    Graph,
    /// `…/graph/impact/{service}`
    Impact,
    /// `…/stats`
    Stats,
    /// `/api/v1/reports`
    Reports,
    /// `…/breakers`
    Breakers,
    /// `…/limits`
    Limits,
    /// `…/policies/effective`
    EffectivePolicy,
    /// `…/{plural}/{name}/history`
    History,
    /// `…/{plural}/{name}/versions/{number}`
    PastVersion,
    /// `…/{plural}/{name}/diff`
    VersionDiff,
    /// `…/{plural}/{name}/rollback`
    Rollback,
    /// `…/{plural}/{name}/tags/{tag}`
    Tag,
    /// `…/configs/{service}/{environment}/{file}/content`
    ConfigContent,
    /// `…/configs/{service}/{environment}/{file}/reseal`
    Reseal,
    /// `…/configs/{service}/{environment}/{file}/effective`
    EffectiveConfig,
    /// `…/configs/{service}/{environment}/{file}/listeners`
    Listeners,
    /// `…/configs/{service}/{environment}/{file}/listeners/{instance}`
    Listener,
    /// `…/configs/{service}/{environment}/{file}/gray/{name}`
    Gray,
    /// `…/configs/{service}/{environment}/{file}/gray/{name}/promote`
    GrayPromotion,
    /// `…/configs/{service}/{environment}/{file}/promote`; `-` as the file stands for all
    ConfigPromotion,
    /// `…/drafts`
    AllDrafts,
    /// `…/configs/{service}/{environment}/{file}/drafts`
    Drafts,
    /// `…/configs/{service}/{environment}/{file}/drafts/{draft}`
    Draft,
    /// `…/configs/{service}/{environment}/{file}/drafts/{draft}/content`
    DraftContent,
    /// `…/configs/{service}/{environment}/{file}/drafts/{draft}/diff`
    DraftDiff,
    /// `…/configs/{service}/{environment}/{file}/drafts/{draft}/approve`
    DraftApproval,
    /// `…/configs/{service}/{environment}/{file}/drafts/{draft}/release`
    DraftRelease,
    /// `…/watch`
    Watch,
    /// `/api/v1/status`
    Status,
    /// `/api/v1/snapshot`
    Snapshot,
    /// `/healthz`
    Live,
    /// `/readyz`
    Ready,
    /// `/metrics`
    Metrics,
    /// `/api/openapi.json`
    OpenApi,
    /// `/docs/errors/{code}`
    ErrorPage,
}

const KINDS: usize = Kind::ALL.len();

/// The resources that are not of one kind; those that are asked for most come first.
const OTHERS: [Resource; 44] = [
    Resource::Instances,
    Resource::Heartbeat,
    Resource::Watch,
    Resource::Reports,
    Resource::Breakers,
    Resource::Limits,
    Resource::EffectiveConfig,
    Resource::ConfigContent,
    Resource::Listener,
    Resource::Listeners,
    Resource::Gray,
    Resource::GrayPromotion,
    Resource::ConfigPromotion,
    Resource::Reseal,
    Resource::AllDrafts,
    Resource::Drafts,
    Resource::Draft,
    Resource::DraftContent,
    Resource::DraftDiff,
    Resource::DraftApproval,
    Resource::DraftRelease,
    Resource::EffectivePolicy,
    Resource::Versions,
    Resource::Check,
    Resource::Maintenance,
    Resource::Timeline,
    Resource::LockAcquire,
    Resource::LockRenew,
    Resource::LockRelease,
    Resource::Graph,
    Resource::Impact,
    Resource::Stats,
    Resource::History,
    Resource::PastVersion,
    Resource::VersionDiff,
    Resource::Rollback,
    Resource::Tag,
    Resource::Status,
    Resource::Snapshot,
    Resource::Live,
    Resource::Ready,
    Resource::Metrics,
    Resource::OpenApi,
    Resource::ErrorPage,
];

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Method {
    /// GET, and HEAD, of which the transport drops the body.
    Get,
    /// PUT
    Put,
    /// POST
    Post,
    /// DELETE
    Delete,
}

impl Method {
    /// Every method.
    pub(crate) const ALL: [Self; 4] = [Self::Get, Self::Put, Self::Post, Self::Delete];

    /// As on the wire.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }

    pub(super) fn of(method: &http::Method) -> Option<Self> {
        match *method {
            http::Method::GET | http::Method::HEAD => Some(Self::Get),
            http::Method::PUT => Some(Self::Put),
            http::Method::POST => Some(Self::Post),
            http::Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }
}

impl Resource {
    /// Every resource, each at its [`Resource::slot`].
    pub(crate) const ALL: [Self; 2 * KINDS + OTHERS.len()] = {
        let mut all = [Self::Live; 2 * KINDS + OTHERS.len()];
        let mut at = 0;
        while at < KINDS {
            all[at] = Self::Collection(Kind::ALL[at]);
            all[KINDS + at] = Self::Document(Kind::ALL[at]);
            at += 1;
        }
        let mut at = 0;
        while at < OTHERS.len() {
            all[2 * KINDS + at] = OTHERS[at];
            at += 1;
        }
        all
    };

    /// Its place in [`Resource::ALL`].
    pub(crate) fn slot(self) -> usize {
        match self {
            Self::Collection(kind) => kind as usize,
            Self::Document(kind) => KINDS + kind as usize,
            other => {
                2 * KINDS
                    + OTHERS
                        .iter()
                        .position(|one| *one == other)
                        .unwrap_or_default()
            }
        }
    }

    /// The methods it takes.
    pub(crate) fn methods(self) -> &'static [Method] {
        use Method::{Delete, Get, Post, Put};
        match self {
            Self::Collection(_) | Self::Instances => &[Get, Post],
            Self::Document(_) => &[Get, Put, Delete],
            Self::Heartbeat | Self::Check | Self::Maintenance => &[Put],
            Self::LockAcquire | Self::LockRenew | Self::LockRelease | Self::Reports => &[Post],
            Self::Rollback => &[Post],
            Self::ConfigContent => &[Get, Put],
            Self::Listener => &[Put],
            Self::Gray => &[Put, Delete],
            Self::Reseal | Self::GrayPromotion | Self::ConfigPromotion => &[Post],
            Self::Draft => &[Get, Delete],
            Self::DraftApproval | Self::DraftRelease => &[Post],
            Self::Tag => &[Put, Delete],
            Self::Snapshot => &[Get, Post],
            _ => &[Get],
        }
    }

    /// Its name in metrics and the access log.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Collection(kind) => kind.plural(),
            Self::Document(kind) => kind.word(),
            Self::Instances => "discovery",
            Self::Versions => "versions",
            Self::Heartbeat => "heartbeat",
            Self::Check => "check",
            Self::Maintenance => "maintenance",
            Self::Timeline => "timeline",
            Self::LockAcquire => "lock-acquire",
            Self::LockRenew => "lock-renew",
            Self::LockRelease => "lock-release",
            Self::Graph => "graph",
            Self::Impact => "impact",
            Self::Stats => "stats",
            Self::Reports => "reports",
            Self::Breakers => "breakers",
            Self::Limits => "limits",
            Self::EffectivePolicy => "effective-policy",
            Self::History => "history",
            Self::PastVersion => "past-version",
            Self::VersionDiff => "version-diff",
            Self::Rollback => "rollback",
            Self::Tag => "tag",
            Self::ConfigContent => "config-content",
            Self::Reseal => "reseal",
            Self::EffectiveConfig => "effective-config",
            Self::Listeners => "listeners",
            Self::Listener => "listener",
            Self::Gray => "gray",
            Self::GrayPromotion => "gray-promotion",
            Self::ConfigPromotion => "config-promotion",
            Self::AllDrafts => "all-drafts",
            Self::Drafts => "drafts",
            Self::Draft => "draft",
            Self::DraftContent => "draft-content",
            Self::DraftDiff => "draft-diff",
            Self::DraftApproval => "draft-approval",
            Self::DraftRelease => "draft-release",
            Self::Watch => "watch",
            Self::Status => "status",
            Self::Snapshot => "snapshot",
            Self::Live => "healthz",
            Self::Ready => "readyz",
            Self::Metrics => "metrics",
            Self::OpenApi => "openapi",
            Self::ErrorPage => "error-page",
        }
    }

    /// Whether it is answered to whoever asks.
    pub(crate) fn is_public(self) -> bool {
        matches!(
            self,
            Self::Live | Self::Ready | Self::OpenApi | Self::ErrorPage
        )
    }
}
