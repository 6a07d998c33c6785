//! The table of operations: what can be called, in which words it is described, what it takes and answers.

use guildhall_core::document::Kind;

use crate::http::routes::{Method, Resource};

/// What a successful call answers.
#[derive(Clone, Copy)]
pub(super) enum Answers {
    /// A document of this schema.
    Document(&'static str),
    /// The document that was written.
    Written(&'static str),
    /// JSON of this schema.
    Json(&'static str),
    /// 204.
    Nothing,
    /// Bytes of this content type.
    Other(&'static str),
}

/// One operation.
pub(super) struct Operation {
    pub(super) resource: Resource,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) tag: &'static str,
    pub(super) summary: String,
    pub(super) description: Option<&'static str>,
    /// The schema of the body.
    pub(super) body: Option<&'static str>,
    pub(super) answers: Answers,
}

const NS: &str = "/api/v1/namespaces/{namespace}";

const CONFIGS: &str = "/api/v1/namespaces/{namespace}/configs/{service}/{environment}/{file}";

/// Every operation.
pub(super) fn all() -> impl Iterator<Item = Operation> {
    Kind::ALL
        .iter()
        .copied()
        .flat_map(|kind| of_kind(kind).chain(past(kind)))
        .chain(registry())
        .chain(configs())
        .chain(locks())
        .chain(fleet())
        .chain(platform())
}

/// The schemas of a kind's document and its list, and how a sentence names one.
fn words(kind: Kind) -> (&'static str, &'static str, &'static str) {
    match kind {
        Kind::Service => ("Service", "ServiceList", "service"),
        Kind::ServiceVersion => (
            "ServiceVersion",
            "ServiceVersionList",
            "version of a service",
        ),
        Kind::Instance => ("Instance", "InstanceList", "instance"),
        Kind::Lock => ("Lock", "LockList", "lock"),
        Kind::Gateway => ("Gateway", "GatewayList", "gateway"),
        Kind::HttpRoute => ("HTTPRoute", "HTTPRouteList", "HTTP route"),
        Kind::Policy => ("Policy", "PolicyList", "policy"),
        Kind::Config => ("Config", "ConfigList", "file of configuration"),
    }
}

/// Where one document of a kind lives.
fn document_path(kind: Kind) -> String {
    match kind {
        Kind::Instance => format!("{NS}/services/{{service}}/instances/{{id}}"),
        Kind::ServiceVersion => format!("{NS}/services/{{service}}/versions/{{version}}"),
        Kind::Service => format!("{NS}/services/{{service}}"),
        Kind::Config => format!("{NS}/configs/{{service}}/{{environment}}/{{file}}"),
        _ => format!("{NS}/{}/{{name}}", kind.plural()),
    }
}

fn of_kind(kind: Kind) -> impl Iterator<Item = Operation> {
    let (schema, list, word) = words(kind);
    let collection = format!("{NS}/{}", kind.plural());
    let document = document_path(kind);
    let body = match kind {
        Kind::Service => "ServiceWithVersion",
        _ => schema,
    };
    let operation =
        |resource, method, path: &String, verb: &str, summary, body, answers| Operation {
            resource,
            method,
            path: path.clone(),
            id: format!("{verb}{schema}"),
            tag: "documents",
            summary,
            description: None,
            body,
            answers,
        };
    let (all, one) = (Resource::Collection(kind), Resource::Document(kind));
    let mut put = operation(
        one,
        Method::Put,
        &document,
        "put",
        format!("Writes a {word}."),
        Some(body),
        Answers::Written(schema),
    );
    put.description = match kind {
        Kind::Service => Some(
            "With `version`, `api`, `contract` or `dependencies` in the spec, the ServiceVersion of that name is \
             written in the same transaction.",
        ),
        Kind::Config => Some(
            "`content` or `contentBase64` is the new content; with neither the present one stays. What is kept, and \
             answered, names the content by its hash.",
        ),
        Kind::Instance => Some(
            "Registers the instance, or says again what it is. A service that nobody defined is created.",
        ),
        _ => None,
    };
    [
        operation(all, Method::Get, &collection, "list", format!("Lists every {word}."), None, Answers::Json(list)),
        operation(
            all,
            Method::Post,
            &collection,
            "create",
            format!("Writes a {word} under a name that the server makes up, unless the document has one."),
            Some(body),
            Answers::Written(schema),
        ),
        operation(one, Method::Get, &document, "get", format!("Reads a {word}."), None, Answers::Document(schema)),
        put,
        operation(one, Method::Delete, &document, "delete", format!("Deletes a {word}."), None, Answers::Nothing),
    ]
    .into_iter()
}

/// What can be asked of the past of a kind's documents.
fn past(kind: Kind) -> impl Iterator<Item = Operation> {
    use Method::{Delete, Get, Post, Put};
    use Resource as R;
    let (schema, _, word) = words(kind);
    let document = document_path(kind);
    let operation =
        |(method, resource), path: &str, id: String, summary: String, body, answers| Operation {
            resource,
            method,
            path: format!("{document}/{path}"),
            id,
            tag: "history",
            summary,
            description: None,
            body,
            answers,
        };
    let all = [
        operation(
            (Get, R::History),
            "history",
            format!("list{schema}History"),
            format!("Lists the versions of a {word}, the newest first."),
            None,
            Answers::Json("VersionList"),
        ),
        operation(
            (Get, R::PastVersion),
            "versions/{number}",
            format!("get{schema}Version"),
            format!("Reads a version of a {word}, with what it said."),
            None,
            Answers::Json("RecordedVersion"),
        ),
        operation(
            (Get, R::VersionDiff),
            "diff",
            format!("diff{schema}Versions"),
            format!("Says what leads from one version of a {word} to another."),
            None,
            Answers::Json("VersionDiff"),
        ),
        operation(
            (Post, R::Rollback),
            "rollback",
            format!("rollback{schema}"),
            format!(
                "Puts an earlier version of a {word} in the place of what is there, or of nothing: as a new version."
            ),
            Some("RollbackBody"),
            Answers::Written(schema),
        ),
        operation(
            (Put, R::Tag),
            "tags/{tag}",
            format!("tag{schema}Version"),
            format!("Names a version of a {word}: it is kept as long as it has a name."),
            Some("TagBody"),
            Answers::Json("TagBody"),
        ),
        operation(
            (Delete, R::Tag),
            "tags/{tag}",
            format!("untag{schema}Version"),
            format!("Takes a name of a version of a {word} away."),
            None,
            Answers::Nothing,
        ),
    ];
    all.into_iter().filter(move |_| kind.keeps_history())
}

struct Row {
    resource: Resource,
    method: Method,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    description: Option<&'static str>,
    body: Option<&'static str>,
    answers: Answers,
}

fn rows(tag: &'static str, base: &'static str, rows: Vec<Row>) -> impl Iterator<Item = Operation> {
    rows.into_iter().map(move |row| Operation {
        resource: row.resource,
        method: row.method,
        path: format!("{base}{}", row.path),
        id: row.id.to_owned(),
        tag,
        summary: row.summary.to_owned(),
        description: row.description,
        body: row.body,
        answers: row.answers,
    })
}

fn row(
    (method, resource): (Method, Resource),
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    body: Option<&'static str>,
    answers: Answers,
) -> Row {
    Row {
        resource,
        method,
        path,
        id,
        summary,
        description: None,
        body,
        answers,
    }
}

impl Row {
    fn more(self, description: &'static str) -> Self {
        Self {
            description: Some(description),
            ..self
        }
    }
}

fn registry() -> impl Iterator<Item = Operation> {
    use Method::{Get, Post, Put};
    use Resource as R;
    let instances = "/services/{service}/instances";
    let all = vec![
        row((Get, R::Instances), instances, "discover", "Says whom to call: the instances that the query selects.", None, Answers::Json("Discovery"))
            .more("When at most the service's `protectionThreshold` is healthy, all are given, and `protected` is true."),
        row((Post, R::Instances), instances, "register", "Registers an instance under an id that the server makes up.", Some("Instance"), Answers::Written("Instance")),
        row((Put, R::Heartbeat), "/services/{service}/instances/{id}/heartbeat", "heartbeat", "Says that an instance is alive: passes all its ttl checks.", None, Answers::Json("Heartbeat"))
            .more("404 means: register again."),
        row((Put, R::Check), "/services/{service}/instances/{id}/checks/{check}", "reportCheck", "Reports the result of a check.", Some("CheckReport"), Answers::Nothing),
        row((Put, R::Maintenance), "/services/{service}/instances/{id}/maintenance", "setMaintenance", "Takes an instance out of traffic, or lets it back.", Some("MaintenanceRequest"), Answers::Nothing),
        row((Get, R::Timeline), "/services/{service}/instances/{id}/timeline", "getTimeline", "Says when and why an instance changed its health: the last 100 transitions.", None, Answers::Json("Timeline")),
        row((Get, R::Versions), "/services/{service}/versions", "listVersions", "Lists a service's versions.", None, Answers::Json("ServiceVersionList")),
        row((Get, R::Graph), "/graph", "getGraph", "Who depends on whom, as the versions declare it.", None, Answers::Json("Graph")),
        row((Get, R::Impact), "/graph/impact/{service}", "getImpact", "Who is hurt when a service is gone.", None, Answers::Json("Impact")),
        row((Get, R::Stats), "/stats", "getStatistics", "The registry in numbers.", None, Answers::Json("Statistics")),
    ];
    rows("registry", NS, all)
}

fn configs() -> impl Iterator<Item = Operation> {
    use Method::{Get, Put};
    use Resource as R;
    let all = vec![
        row((Get, R::ConfigContent), "/content", "getContent", "Reads a file of configuration as it was written.", None, Answers::Other("application/octet-stream"))
            .more("`Content-Type` is the file's; `Guildhall-Config` names the version, as in `users/prod/app.yaml@3`; `ETag` is for `If-Match` of a release. `Guildhall-Sealed` is `masked` or `revealed` where values are sealed."),
        row((Put, R::ConfigContent), "/content", "release", "Releases a content: a new version of the file.", Some("Content"), Answers::Written("Config"))
            .more("The content is parsed for its format and refused with a line and a column if it is not of it. What else the document says stays."),
        row((Method::Post, R::Reseal), "/reseal", "resealConfig", "Seals the values of a file anew with the platform's current key: those that another one sealed.", None, Answers::Written("Config"))
            .more("Contents that were released before stay as they are: keep the old key as long as they may be read."),
        row((Get, R::EffectiveConfig), "/effective", "getEffectiveConfig", "What a file comes to for those who read it: the inputs `_/_`, `{service}/_`, `_/{environment}` and `{service}/{environment}`, each laid over those before.", None, Answers::Other("application/octet-stream"))
            .more(
                "Objects merge, everything else is replaced, `null` takes away (RFC 7396). The ETag covers every input, and \
                 `Guildhall-Config` names them. Long poll: `wait` and `If-None-Match`; 304 when nothing changed. As a stream: events \
                 `config`, whose id is the tag, and `problem` while there is none; it is taken up again with `Last-Event-ID`. \
                 With `origins` the answer is JSON: the values, and where each was written.",
            ),
        row((Get, R::Listeners), "/listeners", "listListeners", "Who reads a file from this server, what they were sent and what became of it.", None, Answers::Json("ListenerList"))
            .more("Those who say which instance they are; a minute longer than they watch."),
        row((Put, R::Listener), "/listeners/{instance}", "reportListener", "Says what became of a configuration in an instance.", Some("ListenerReport"), Answers::Nothing)
            .more("Needs the right to write: a gray release may be taken back for it."),
        row((Put, R::Gray), "/gray/{name}", "startGray", "Begins a gray release: a content that some readers get before the others.", Some("GrayRelease"), Answers::Written("Config"))
            .more("Of the same name, it replaces what there is; without a content, that one's stays."),
        row((Method::Delete, R::Gray), "/gray/{name}", "abortGray", "Takes a gray release back.", None, Answers::Written("Config")),
        row((Method::Post, R::GrayPromotion), "/gray/{name}/promote", "promoteGray", "Makes the content of a gray release the file's, and ends it.", None, Answers::Written("Config"))
            .more("An overlay is merged; comments are lost in that."),
        row((Method::Post, R::ConfigPromotion), "/promote", "promoteConfig", "Releases in another environment what this one has: a file, or with `-` as the file all that the service has in the environment.", Some("Promote"), Answers::Json("PromotionList"))
            .more(
                "One transaction, of at most 24 files that differ; those that are the same already are left as they are. The target \
                 keeps its gray releases and tags. The answer says what changes for the target's readers, what its environment says \
                 otherwise, and who reads it; with `dryRun` it says so and writes nothing. `If-Match` is about the target.",
            ),
        row((Get, R::Drafts), "/drafts", "listDrafts", "The drafts of a file, the oldest first.", None, Answers::Json("DraftList"))
            .more(
                "A write with `draft=true` passes every check and becomes a draft instead of a release: 202, `Guildhall-Draft` is its \
                 number, `Location` its path. A file with `approval.required` changes by drafts that so many others approved.",
            ),
        row((Get, R::Draft), "/drafts/{draft}", "getDraft", "Reads a draft: the document that it is to be, who approved it, and whether it can be released.", None, Answers::Json("DraftRow")),
        row((Get, R::DraftContent), "/drafts/{draft}/content", "getDraftContent", "Reads the content that a draft is to release.", None, Answers::Other("application/octet-stream")),
        row((Get, R::DraftDiff), "/drafts/{draft}/diff", "diffDraft", "What a draft changes in the live document.", None, Answers::Json("DraftDiff")),
        row((Method::Post, R::DraftApproval), "/drafts/{draft}/approve", "approveDraft", "Approves a draft of somebody else's.", None, Answers::Json("DraftRow"))
            .more("Needs the right to write. Approving again changes nothing. 409 if the file has been released since the draft was made."),
        row((Method::Post, R::DraftRelease), "/drafts/{draft}/release", "releaseDraft", "Releases a draft, which is gone with that.", None, Answers::Written("Config"))
            .more("403 `approval-required` while approvals are missing; 409 if the file has been released since the draft was made."),
        row((Method::Delete, R::Draft), "/drafts/{draft}", "deleteDraft", "Takes a draft away.", None, Answers::Nothing),
    ];
    let everywhere = vec![row(
        (Get, R::AllDrafts),
        "/drafts",
        "listAllDrafts",
        "The drafts of all files that the caller may read.",
        None,
        Answers::Json("DraftList"),
    )];
    rows("configuration", CONFIGS, all).chain(rows("configuration", NS, everywhere))
}

fn locks() -> impl Iterator<Item = Operation> {
    use Resource as R;
    let all = vec![
        row((Method::Post, R::LockAcquire), "/locks/{name}/acquire", "acquireLock", "Acquires a lock, waiting as long as the body says.", Some("AcquireLock"), Answers::Json("LockHolder"))
            .more("The token grows with every acquisition: whatever the lock guards refuses smaller ones."),
        row((Method::Post, R::LockRenew), "/locks/{name}/renew", "renewLock", "Makes an acquisition last for its ttl from here on.", Some("LockToken"), Answers::Json("LockHolder")),
        row((Method::Post, R::LockRelease), "/locks/{name}/release", "releaseLock", "Lets a lock go.", Some("LockToken"), Answers::Nothing),
    ];
    rows("locks", NS, all)
}

fn fleet() -> impl Iterator<Item = Operation> {
    use Method::{Get, Post};
    use Resource as R;
    let all = vec![
        row((Get, R::Breakers), "/breakers", "listBreakers", "The breakers of those who call, or are called, in a namespace: a row for each caller and target.", None, Answers::Json("BreakerList"))
            .more(
                "What gateways and SDKs reported to this server; whoever is silent for 30 s (`fleet.silence`) is left out. `index` is the \
                 fleet's own: give it back as `index` to wait for a change. As a stream: rows as `added`, `modified` and \
                 `deleted`, and a `bookmark` after each round; a stream that is taken up again begins with `resync`.",
            ),
        row((Get, R::Limits), "/limits", "listLimits", "Rate limits, bulkheads and adaptive limits, as their callers reported them.", None, Answers::Json("LimitList")),
    ];
    let policies = vec![
        row((Get, R::EffectivePolicy), "/policies/effective", "getEffectivePolicy", "What policies come to for requests on one way, and which policy each field is from.", None, Answers::Json("EffectivePolicy"))
            .more("Name what the requests pass: a service, a route (and a named rule of it), a Gateway (and a listener of it)."),
    ];
    let reports = vec![
        row((Post, R::Reports), "/api/v1/reports", "report", "Reports breakers and limits: what gateways and SDKs send.", Some("Report"), Answers::Json("ReportReceived"))
            .more("Needs the right to write in the reporter's namespace; in all, if it has none, as gateways have."),
    ];
    rows("fleet", NS, all)
        .chain(rows("fleet", NS, policies))
        .chain(rows("fleet", "", reports))
}

fn platform() -> impl Iterator<Item = Operation> {
    use Method::{Get, Post};
    use Resource as R;
    let watch = vec![
        row((Get, R::Watch), "/watch", "watch", "Streams many kinds in one order: all there is, then every change.", None, Answers::Other("text/event-stream"))
            .more(
                "Server-sent events named `added`, `modified`, `deleted`, `bookmark` and `resync`; `data` is the document. \
                 An `id` stands on the last event of a revision only. After `resync` everything follows anew, up to the \
                 next bookmark.",
            ),
    ];
    let others = vec![
        row(
            (Get, R::Status),
            "/api/v1/status",
            "getStatus",
            "How the platform is.",
            None,
            Answers::Json("Status"),
        ),
        row(
            (Get, R::Snapshot),
            "/api/v1/snapshot",
            "saveSnapshot",
            "A snapshot of the control store, while it runs.",
            None,
            Answers::Other("application/octet-stream"),
        ),
        row(
            (Post, R::Snapshot),
            "/api/v1/snapshot",
            "restoreSnapshot",
            "Replaces everything by a snapshot. Every watch resynchronises.",
            Some("Snapshot"),
            Answers::Json("Restored"),
        ),
        row(
            (Get, R::Live),
            "/healthz",
            "getLiveness",
            "Whether the process works.",
            None,
            Answers::Json("Liveness"),
        ),
        row(
            (Get, R::Ready),
            "/readyz",
            "getReadiness",
            "Whether the server takes calls; 503 if not.",
            None,
            Answers::Json("Liveness"),
        ),
        row(
            (Get, R::Metrics),
            "/metrics",
            "getMetrics",
            "The server's own metrics.",
            None,
            Answers::Other("application/openmetrics-text"),
        ),
        row(
            (Get, R::OpenApi),
            "/api/openapi.json",
            "getOpenApi",
            "This document.",
            None,
            Answers::Other("application/json"),
        ),
        row(
            (Get, R::ErrorPage),
            "/docs/errors/{code}",
            "getErrorPage",
            "What a problem's code means and what to do about it.",
            None,
            Answers::Other("text/markdown"),
        ),
    ];
    rows("watch", NS, watch).chain(rows("platform", "", others))
}
