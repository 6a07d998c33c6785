//! Answers to reports, as whoever owns machines hears them.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use guildhall_api::report::Courier;
use guildhall_core::{
    document::{InstanceId, Namespace, ServiceName, Timestamp},
    policy::{
        Section, Source,
        guard::{Granted, GuardState, Guarded, Measured},
        report::{Received, Report, ReportError, ReportSink, ReportedBy, Reporter, ReporterKind},
    },
    registry::health::Moment,
    route::table::{ClusterKey, Subset},
};
use tokio::sync::{mpsc, oneshot};

/// Hands over each report with where to leave its answer.
struct Held(mpsc::Sender<(Report, oneshot::Sender<Received>)>);

impl ReportSink for Held {
    fn report(
        &mut self,
        report: Report,
    ) -> Pin<Box<dyn Future<Output = Result<Received, ReportError>> + Send + '_>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            self.0.send((report, answer)).await.unwrap();
            answered
                .await
                .map_err(|error| ReportError::Away(error.to_string()))
        })
    }
}

fn granted() -> Received {
    let json = serde_json::json!({
        "full": false,
        "shares": [{
            "policy": {"namespace": "default", "name": "calm"},
            "under": {"kind": "Service", "namespace": "default", "name": "users"},
            "name": "all",
            "part": 0.5,
        }],
    });
    serde_json::from_value(json).unwrap()
}

fn machine(refused: u64) -> GuardState {
    let users = ClusterKey {
        namespace: Namespace::default(),
        service: ServiceName::new("users").unwrap(),
        subset: Subset::DefaultPort,
    };
    GuardState {
        guarded: Guarded::Service(users),
        section: Section::Timeouts,
        source: Arc::new(Source::built_in(&Namespace::default())),
        tried: false,
        measured: Measured::Deadline { refused },
    }
}

async fn heard(courier: &mut Courier, now: Moment) -> Vec<Granted> {
    let heard = async {
        loop {
            match courier.hear(now) {
                none if none.is_empty() => tokio::task::yield_now().await,
                heard => return heard,
            }
        }
    };
    let deadline = Duration::from_secs(20);
    tokio::time::timeout(deadline, heard).await.unwrap()
}

#[tokio::test]
async fn an_answer_is_heard_once_and_never_after_it_was_given_up() {
    let who = ReportedBy {
        kind: ReporterKind::Service,
        namespace: Some(Namespace::default()),
        name: ServiceName::new("orders").unwrap(),
        instance: InstanceId::new("o1").unwrap(),
    };
    let (sender, mut reports) = mpsc::channel(1);
    let mut courier = Courier::start(Reporter::new(who, 1), Box::new(Held(sender)));
    #[expect(clippy::disallowed_methods, reason = "some instant to begin with")]
    let start = std::time::Instant::now();
    let at = |seconds| Moment {
        monotonic: start + Duration::from_secs(seconds),
        wall: Timestamp(0),
    };
    courier.observe([machine(1)], at(0));
    let (first, answer) = reports.recv().await.unwrap();
    assert_eq!((first.sequence, courier.hear(at(0))), (1, vec![]));
    answer.send(granted()).unwrap();
    assert_eq!(heard(&mut courier, at(1)).await, granted().shares);
    assert_eq!(courier.hear(at(1)), []);

    courier.observe([machine(2)], at(2));
    let (_, late) = reports.recv().await.unwrap();
    // Half a minute later it is given up, and told again.
    courier.observe([machine(2)], at(33));
    courier.observe([machine(2)], at(35));
    late.send(granted()).unwrap();
    let (third, answer) = reports.recv().await.unwrap();
    assert_eq!((third.sequence, courier.hear(at(36))), (3, vec![]));
    answer.send(granted()).unwrap();
    assert_eq!(heard(&mut courier, at(36)).await, granted().shares);
}
