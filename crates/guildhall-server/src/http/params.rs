//! The query parameters each call takes. Handlers refuse others, and the OpenAPI document lists the same.

use guildhall_core::document::Kind;

use super::routes::{Method, Resource};

/// Waits for a write of one's own to be seen; every read takes it.
pub(crate) const MIN_INDEX: &str = "minIndex";
/// The index of an earlier answer: makes a read a long poll.
pub(crate) const INDEX: &str = "index";
/// How long a long poll waits.
pub(crate) const WAIT: &str = "wait";
/// Makes a list or read an event stream.
pub(crate) const WATCH: &str = "watch";
/// Validates and shows the result without writing.
pub(crate) const DRY_RUN: &str = "dryRun";
/// Which labels the documents must have.
pub(crate) const SELECTOR: &str = "labelSelector";
/// The size of a page.
pub(crate) const LIMIT: &str = "limit";
/// Where the page before ended.
pub(crate) const CONTINUE: &str = "continue";
/// Which kinds a watch is about.
pub(crate) const KINDS: &str = "kinds";
/// Where a watch takes itself up again; of two versions that are compared, the earlier.
pub(crate) const FROM: &str = "from";
/// Which service a watch is about, or who is called.
pub(crate) const SERVICE: &str = "service";
/// The route that requests match.
pub(crate) const ROUTE: &str = "route";
/// The named rule of it.
pub(crate) const RULE: &str = "rule";
/// The Gateway that takes requests.
pub(crate) const GATEWAY: &str = "gateway";
/// The listener of it.
pub(crate) const LISTENER: &str = "listener";
/// Who calls.
pub(crate) const CALLER: &str = "caller";
/// The state of a breaker.
pub(crate) const STATE: &str = "state";

/// The later of two versions that are compared; `from` is the earlier.
pub(crate) const TO: &str = "to";

/// Which version of a file.
pub(crate) const VERSION: &str = "version";
/// Which instance reads a configuration.
pub(crate) const INSTANCE: &str = "instance";
/// Where it runs.
pub(crate) const ZONE: &str = "zone";
/// A label that it has.
pub(crate) const LABEL: &str = "label";
/// Where each value of a configuration was written, instead of the configuration as it is written.
pub(crate) const ORIGINS: &str = "origins";

/// Makes a draft of a release, for others to approve.
pub(crate) const DRAFT: &str = "draft";

/// Whether sealed values are revealed.
pub(crate) const REVEAL: &str = "reveal";

/// The parameters of a read that can be a long poll or a watch.
pub(crate) const READ: &[&str] = &[MIN_INDEX, INDEX, WAIT, WATCH];
/// The same for a read of several documents at once, which has no stream of its own.
const POLL: &[&str] = &[MIN_INDEX, INDEX, WAIT];
const LIST: &[&str] = &[SELECTOR, LIMIT, CONTINUE, MIN_INDEX, INDEX, WAIT, WATCH];
/// The filters of discovery; `metadata.` stands for `metadata.KEY`.
const DISCOVERY: &[&str] = &[
    "healthy",
    "tag",
    "zone",
    "region",
    "version",
    "metadata.",
    "near",
    MIN_INDEX,
    INDEX,
    WAIT,
    WATCH,
];

const BREAKERS: &[&str] = &[CALLER, SERVICE, STATE, MIN_INDEX, INDEX, WAIT, WATCH];

const EFFECTIVE: &[&str] = &[
    SERVICE, ROUTE, RULE, GATEWAY, LISTENER, MIN_INDEX, INDEX, WAIT,
];

/// The parameters that `method` on `resource` takes.
pub(crate) fn accepted(resource: Resource, method: Method) -> &'static [&'static str] {
    match (resource, method) {
        (Resource::Collection(_) | Resource::Versions, Method::Get) => LIST,
        (Resource::Instances, Method::Get) => DISCOVERY,
        (Resource::Collection(_) | Resource::Instances, Method::Post) => &[DRY_RUN],
        (Resource::Document(_), Method::Get) => READ,
        (Resource::Document(Kind::Config), Method::Put) | (Resource::Rollback, _) => {
            &[DRY_RUN, DRAFT]
        }
        (Resource::Document(_), Method::Put | Method::Delete) => &[DRY_RUN],
        (Resource::ConfigContent, Method::Get) => &[VERSION, REVEAL, MIN_INDEX],
        (Resource::Gray, Method::Put) | (Resource::ConfigContent | Resource::GrayPromotion, _) => {
            &[DRY_RUN, DRAFT]
        }
        (Resource::Reseal | Resource::Gray | Resource::DraftRelease, _) => &[DRY_RUN],
        (Resource::AllDrafts | Resource::Drafts | Resource::DraftDiff, _)
        | (Resource::Draft, Method::Get) => &[MIN_INDEX],
        (Resource::DraftContent, _) => &[REVEAL, MIN_INDEX],
        (Resource::Listeners, _) => &[MIN_INDEX],
        (Resource::ConfigPromotion, _) => &[DRY_RUN, DRAFT, MIN_INDEX],
        (Resource::EffectiveConfig, _) => &[
            INSTANCE, ZONE, LABEL, ORIGINS, REVEAL, WAIT, WATCH, MIN_INDEX,
        ],
        (Resource::History, _) => &[LIMIT, CONTINUE, MIN_INDEX],
        (Resource::VersionDiff, _) => &[FROM, TO, MIN_INDEX],
        (Resource::PastVersion, _) => &[MIN_INDEX],
        (Resource::Graph | Resource::Impact | Resource::Stats, Method::Get) => POLL,
        (Resource::Breakers, Method::Get) => BREAKERS,
        (Resource::EffectivePolicy, Method::Get) => EFFECTIVE,
        (Resource::Limits, Method::Get) => &[CALLER, SERVICE, MIN_INDEX],
        (Resource::Watch, Method::Get) => &[KINDS, FROM, SERVICE, SELECTOR, MIN_INDEX],
        (Resource::Timeline | Resource::Status | Resource::Snapshot, Method::Get) => &[MIN_INDEX],
        _ => &[],
    }
}
