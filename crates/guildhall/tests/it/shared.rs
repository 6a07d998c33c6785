//! Limits that several hold to together, against the real platform: what passes at all of them is the limit.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use guildhall::ServiceClient;
use guildhall_api::client::{Client, ClientOptions, FleetQuery, PutOptions};
use guildhall_core::{
    document::{Document, Metadata, Namespace, Object, ServiceName, decode},
    policy::Policy,
    registry::Instance,
    route::HttpRoute,
};
use guildhall_server::{Platform, settings::Role};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy, rt::TokioExecutor};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    service,
    upstream::{Does, Upstream},
};

/// How many requests a second pass at all holders together, and how many at once.
const RATE: u64 = 100;
const BURST: u64 = 10;

/// The longest that a part takes to get where it is to be: a new control plane's settling, reports every second or three,
/// and a reporter's silence; on a busy machine.
const SOON: Duration = Duration::from_secs(40);

struct Fleet {
    platform: Platform,
    api: Client,
    folder: tempfile::TempDir,
    _users: Upstream,
}

impl Fleet {
    /// A platform with one instance of `users`, and a limit on it.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(folder.path(), "127.0.0.1:0").await;
        let api = Client::new(ClientOptions::new([url(&platform)])).unwrap();
        let users = Upstream::listen("u1", Does::Answer(200)).await;
        let name = ServiceName::new("users").unwrap();
        let host = users.address.ip().to_string();
        let spec = Instance::new(name, &host, users.address.port());
        let instance = Object::new(named("u1"), spec);
        api.register(&instance).await.unwrap();
        let fleet = Self {
            platform,
            api,
            folder,
            _users: users,
        };
        let policy: Policy = decode(
            &format!(
                r#"{{"targetRefs": [{{"kind": "Service", "name": "users"}}],
                     "rateLimit": {{"rules": [{{"name": "all", "requests": {RATE}, "period": "1s",
                                                "burst": {BURST}, "scope": "Shared"}}]}}}}"#
            ),
            "/spec",
        )
        .unwrap();
        fleet.put(Object::new(named("calm"), policy).into()).await;
        let route: HttpRoute = decode(
            r#"{"rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                           "backendRefs": [{"name": "users"}]}]}"#,
            "/spec",
        )
        .unwrap();
        fleet.put(Object::new(named("users"), route).into()).await;
        fleet
    }

    async fn put(&self, document: Document) {
        self.api
            .put(&document, PutOptions::default())
            .await
            .unwrap();
    }

    /// What each reports to hold of the limit; `None` before it was told.
    async fn parts(&self) -> BTreeMap<String, Option<f64>> {
        let query = FleetQuery {
            service: Some("users".to_owned()),
            ..FleetQuery::default()
        };
        let list = self.api.limits(None, &query).await.unwrap();
        let shared = list.items.into_iter().filter_map(|row| {
            let share = row.limit.share?;
            let part = share.part.map(|part| part.as_f64());
            Some((row.caller.name.to_string(), part))
        });
        let parts: BTreeMap<_, _> = shared.collect();
        let sum: f64 = parts.values().flatten().sum();
        assert!(sum <= 1.000_001, "{parts:?}");
        parts
    }

    /// Waits until what all hold is as wanted.
    async fn until(&self, what: &str, wanted: impl Fn(&BTreeMap<String, Option<f64>>) -> bool) {
        let mut seen = BTreeMap::new();
        let reached = async {
            let mut look = interval(Duration::from_millis(50));
            while !wanted(&seen) {
                look.tick().await;
                seen = self.parts().await;
            }
        };
        if timeout(SOON, reached).await.is_err() {
            panic!("{what}: {seen:?}");
        }
    }
}

async fn platform(folder: &Path, listen: &str) -> Platform {
    Platform::builder()
        .data_dir(folder.join("data"))
        .roles([Role::Control, Role::Gateway])
        .api_listen(listen.parse().unwrap())
        .gateway_listen("127.0.0.1:0".parse().unwrap())
        .configure(|settings| settings.fleet.silence = "5s".parse().unwrap())
        .start()
        .await
        .unwrap()
}

fn url(platform: &Platform) -> String {
    format!("http://{}", platform.addresses().api.unwrap())
}

fn named(name: &str) -> Metadata {
    Metadata::named(Namespace::default(), name)
}

/// Requests at a rate that can be changed, whatever becomes of them.
struct Load {
    per_second: Arc<AtomicU64>,
    passed: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Load {
    fn start<F>(per_second: u64, request: impl Fn() -> F + Send + 'static) -> Self
    where
        F: Future<Output = bool> + Send,
    {
        let (rate, passed) = (Arc::new(AtomicU64::new(per_second)), Arc::default());
        let (rate_now, count) = (Arc::clone(&rate), Arc::clone(&passed));
        let task = tokio::spawn(async move {
            let mut step = interval(Duration::from_millis(20));
            step.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut due = 0;
            loop {
                step.tick().await;
                due += rate_now.load(Relaxed);
                while due >= 50 {
                    due -= 50;
                    if request().await {
                        let _: u64 = AtomicU64::fetch_add(&count, 1, Relaxed);
                    }
                }
            }
        });
        Self {
            per_second: rate,
            passed,
            task,
        }
    }

    fn service(per_second: u64, client: ServiceClient) -> Self {
        Self::start(per_second, move || {
            let sent = client.get("/").send();
            async move { sent.await.is_ok() }
        })
    }

    fn gateway(per_second: u64, platform: &Platform) -> Self {
        let client =
            legacy::Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
        let url = format!("http://{}/", platform.addresses().gateway.unwrap());
        Self::start(per_second, move || {
            let sent = client.get(url.parse().unwrap());
            async move {
                let answer = sent.await.unwrap();
                let passed = answer.status() == 200;
                answer.into_body().collect().await.unwrap();
                passed
            }
        })
    }

    fn passed(&self) -> u64 {
        self.passed.load(Relaxed)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "real time is what a limit is about"
)]
fn now() -> Instant {
    Instant::now()
}

/// Lets several hundred requests pass at both, and holds their number against the limit.
async fn together(first: &Load, second: &Load) {
    let passed = || first.passed() + second.passed();
    let (began, before) = (now(), passed());
    let enough = async {
        let mut look = interval(Duration::from_millis(10));
        while passed() < before + 3 * RATE {
            look.tick().await;
        }
    };
    timeout(SOON, enough).await.unwrap();
    let most = now().duration_since(began).as_secs_f64() * RATE as f64 + BURST as f64 + 2.0;
    let passed = passed() - before;
    assert!(passed as f64 <= most, "{passed} of at most {most}");
}

fn between(part: Option<&Option<f64>>, least: f64, most: f64) -> bool {
    matches!(part, Some(Some(part)) if (least..=most).contains(part))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_and_a_service_let_the_limit_pass_together_whoever_is_asked_for_more() {
    let fleet = Fleet::start().await;
    let orders = service("orders").platform(&url(&fleet.platform));
    let orders = orders.start().await.unwrap();
    let gateway = Load::gateway(150, &fleet.platform);
    let service = Load::service(20, orders.client("users"));
    let name = "gateway";
    fleet
        .until("most for the gateway", |parts| {
            between(parts.get(name), 0.7, 0.9) && between(parts.get("orders"), 0.1, 0.3)
        })
        .await;
    together(&gateway, &service).await;

    gateway.per_second.store(20, Relaxed);
    service.per_second.store(150, Relaxed);
    fleet
        .until("most for the service", |parts| {
            between(parts.get(name), 0.1, 0.3) && between(parts.get("orders"), 0.7, 0.9)
        })
        .await;
    together(&gateway, &service).await;

    // Who says farewell gives its part back at once.
    drop(service);
    orders.stop().await;
    assert!(!fleet.parts().await.contains_key("orders"));
    fleet
        .until("all for the gateway", |parts| {
            between(parts.get(name), 1.0, 1.0)
        })
        .await;
    drop(gateway);
    fleet.platform.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_outlive_the_control_plane_and_not_their_holder() {
    let mut fleet = Fleet::start().await;
    let at = fleet.platform.addresses().api.unwrap().to_string();
    let url = url(&fleet.platform);
    let orders = service("orders").platform(&url).start().await.unwrap();
    let _load = Load::service(80, orders.client("users"));
    // A process of its own, as far as it can be killed. The gateway holds to the limit, too, and is asked for nothing.
    let process = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    process.spawn(async move {
        let carts = service("carts").platform(&url).start().await.unwrap();
        let _load = Load::service(80, carts.client("users"));
        std::future::pending::<()>().await;
    });
    let even = |parts: &BTreeMap<String, Option<f64>>| {
        between(parts.get("orders"), 0.4, 0.6) && between(parts.get("carts"), 0.4, 0.6)
    };
    fleet.until("even parts", even).await;

    fleet.platform.stop().await;
    fleet.platform = platform(fleet.folder.path(), &at).await;
    fleet
        .until("both again", |parts| {
            for part in parts.values().flatten() {
                assert!((0.3..=0.7).contains(part), "{parts:?}");
            }
            even(parts)
        })
        .await;

    process.shutdown_background();
    fleet
        .until("all for the one that is left", |parts| {
            between(parts.get("orders"), 0.9, 1.0) && parts.get("carts").is_none()
        })
        .await;
    orders.stop().await;
    fleet.platform.stop().await;
}
