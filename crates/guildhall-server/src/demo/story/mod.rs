//! What happens, one file per chapter. A chapter does something that a user could do, waits for what must follow, and
//! checks it; it never waits for a time.

mod configured;
mod dependencies;
mod dependency_fails;
mod instance_dies;
mod opening;
mod platform_dies;
mod routes;
mod shopping;

use ::http::StatusCode;
use guildhall_api::client::{Client, ClientOptions, DEFAULT_SERVER, OptionsError};
use guildhall_core::{
    document::{Document, Namespace, ServiceName, Timestamp},
    registry::{Health, Query},
};

use super::{
    cast::Cast,
    http::{Answer, Http},
    report::{Check, Report, Stop},
};

/// Where it happens, and with what.
pub(super) struct Stage {
    pub(super) cast: Cast,
    http: Http,
    api: Client,
    /// How this program was called.
    program: String,
    /// A user that was created, for those who come later.
    user: Option<String>,
}

/// An instance as the registry sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    id: String,
    created_at: Option<Timestamp>,
    health: Health,
}

/// Tells the story. `Stop` means that it could not go on; everything is printed by then.
pub(super) async fn tell(stage: &mut Stage, report: &mut Report) -> Result<(), Stop> {
    report.chapter("A platform, a gateway node and a shop of two services start");
    opening::play(stage, report).await?;
    report.chapter("The shop is open: users and orders through the gateway");
    shopping::play(stage, report).await?;
    report.chapter("Who depends on whom");
    dependencies::play(stage, report).await?;
    report.chapter("One of two instances of user-service is killed under traffic (kill -9)");
    instance_dies::play(stage, report).await?;
    report.chapter("user-service loses its database: a breaker opens, and orders go on");
    dependency_fails::play(stage, report).await?;
    report.chapter("One release changes both services; a gray one some, until it is taken back");
    configured::play(stage, report).await?;
    report.chapter("The platform is killed (kill -9) and started again");
    platform_dies::play(stage, report).await
}

impl Stage {
    /// An empty stage.
    pub(super) fn new(cast: Cast) -> Result<Self, OptionsError> {
        let api = Client::new(ClientOptions::new([cast.api()]))?;
        let program = std::env::args_os().next();
        let program = program.map(|program| program.to_string_lossy().into_owned());
        Ok(Self {
            cast,
            http: Http::new(),
            api,
            program: program.unwrap_or_else(|| "guildhall".to_owned()),
            user: None,
        })
    }

    /// A path of the gateway.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.cast.gateway())
    }

    /// How one calls the command line on this platform.
    pub(super) fn command(&self, words: &str) -> String {
        match self.cast.api() {
            api if api == DEFAULT_SERVER => format!("{} {words}", self.program),
            api => format!("{} --server {api} {words}", self.program),
        }
    }

    /// All instances of a service, by id.
    async fn instances(&self, service: &str) -> Result<Vec<Seen>, String> {
        let service = ServiceName::new(service).map_err(|error| error.to_string())?;
        let found = self
            .api
            .discover(&Namespace::default(), &service, &Query::all())
            .await;
        let found = found.map_err(|error| error.to_string())?;
        let instances = found
            .instances
            .iter()
            .filter_map(|document| match document {
                Document::Instance(instance) => Some(Seen {
                    id: instance.metadata.name.clone(),
                    created_at: instance.metadata.created_at,
                    health: instance
                        .status
                        .as_ref()
                        .map(|status| status.health)
                        .unwrap_or_default(),
                }),
                _ => None,
            });
        let mut instances: Vec<Seen> = instances.collect();
        instances.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(instances)
    }
}

/// Instances on one line, for people.
fn words(instances: &[Seen]) -> String {
    let words: Vec<String> = instances
        .iter()
        .map(|seen| {
            format!(
                "{} {}",
                seen.id,
                format!("{:?}", seen.health).to_lowercase()
            )
        })
        .collect();
    if words.is_empty() {
        "no instance".to_owned()
    } else {
        words.join(", ")
    }
}

/// Checks an answer's status; the answer if it is the one.
fn answered(
    report: &mut Report,
    what: &str,
    status: StatusCode,
    answer: Result<Answer, String>,
    look: String,
) -> Option<Answer> {
    let check = Check::that(what).expected(status.to_string()).look(look);
    match answer {
        Ok(answer) if answer.status == status => report.check(check, true).then_some(answer),
        Ok(answer) => report
            .check(check.seen(answer.words()), false)
            .then_some(answer),
        Err(error) => {
            report.check(check.seen(error), false);
            None
        }
    }
}
