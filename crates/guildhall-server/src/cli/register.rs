//! `guildhall register`: runs any program, in any language, as a registered instance.

use std::{
    cell::Cell,
    ffi::OsString,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use clap::Args;
use guildhall_api::client::ClientError;
use guildhall_core::{
    document::{InstanceId, Metadata, Object, Period, ServiceName, VersionName},
    registry::{Check, Instance, Port, Probe, Protocol, Schedule},
};
use rustix::process::Signal;

use super::{
    Exit, Failure,
    child::{self, Child, Signals, ends},
    context::Context,
    instances::pair,
    output,
};

const EXAMPLES: &str = "\
Examples:
  guildhall register --service web --port 8000 -- python3 -m http.server 8000
  guildhall register --service api --port 9000 --check http:/health --version 1.4 --zone a -- ./api
  guildhall register --service cache --port 6379 --protocol tcp --check tcp -- redis-server
  guildhall register --service job --port 7000 --check ttl:10s --meta team=data -- ./job

What happens: the program is started; once it accepts connections at its port (or --wait has passed) the instance is
registered, again and again until the platform answers, and anew if it forgets; without --check this command says that
the program lives (ttl 15s). A signal that ends first takes the instance out of the registry, waits --drain, then goes
on to the program; processes that the program leaves behind get the signal when it has ended. When the program ends by
itself, its instance is taken out, and this command ends with its exit code.

After kill -9 of this command the program runs on: its checks still decide about it, a ttl runs out, and the instance
is removed --deregister-after later. Starting it again with the same --id takes the instance over.";

/// How often the platform is asked whether it still knows the instance, when no ttl says how often.
const BEAT: Duration = Duration::from_secs(10);
/// How often the program's port is tried while it starts.
const KNOCK: Duration = Duration::from_millis(50);
/// How long a deregistration may take: the program's end is not held up by a platform that is away.
const FAREWELL: Duration = Duration::from_secs(2);

/// Run a program as a registered instance
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Register {
    /// The service it is an instance of
    #[arg(long, value_name = "NAME")]
    service: String,
    /// Where it listens
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// What it speaks there: http, https, h2c, grpc or tcp
    #[arg(long, value_name = "PROTOCOL", default_value = "http", value_parser = protocol)]
    protocol: Protocol,
    /// The host that others reach it at
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// Its id, unique within the service [default: host-port]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The version it runs
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// The zone it runs in
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// The region it runs in
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// A word to filter by; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Anything else worth knowing; may be given several times
    #[arg(long = "meta", value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// How its health is known: http[:PATH], tcp, grpc or ttl[:DURATION]; may be given several times
    #[arg(long = "check", value_name = "CHECK", value_parser = check)]
    checks: Vec<Check>,
    /// How often http, tcp and grpc checks run
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    check_interval: Period,
    /// The instance is removed after it was critical for so long
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    deregister_after: Period,
    /// The longest wait for the program to accept connections before it is registered all the same
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    wait: Period,
    /// How long after the deregistration the program is told to end: others need a moment to notice
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    drain: Period,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn protocol(text: &str) -> Result<Protocol, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|_| "one of http, https, h2c, grpc, tcp".to_owned())
}

/// `http[:PATH]`, `tcp`, `grpc` or `ttl[:DURATION]`.
fn check(text: &str) -> Result<Check, String> {
    let (word, rest) = text
        .split_once(':')
        .map_or((text, None), |(word, rest)| (word, Some(rest)));
    let schedule = Schedule::default();
    let probe = match (word, rest) {
        ("http", path) => {
            let path = path.unwrap_or("/health").to_owned();
            if !path.starts_with('/') {
                return Err(format!("{path:?} is no path; write http:/health"));
            }
            Probe::Http {
                port: None,
                path,
                headers: Default::default(),
                expected_status: Vec::new(),
                expected_body: None,
                tls: None,
                schedule,
            }
        }
        ("tcp", None) => Probe::Tcp {
            port: None,
            schedule,
        },
        ("grpc", None) => Probe::Grpc {
            port: None,
            service: String::new(),
            tls: None,
            schedule,
        },
        ("ttl", ttl) => {
            let ttl = ttl
                .unwrap_or("15s")
                .parse()
                .map_err(|error: guildhall_core::document::PeriodError| error.to_string())?;
            Probe::Ttl { ttl }
        }
        _ => return Err("http, http:/path, tcp, grpc, ttl or ttl:15s".to_owned()),
    };
    Ok(Check {
        name: word.to_owned(),
        probe,
        initial_status: None,
        deregister_after: None,
    })
}

/// A service's name as services of this platform have it: others are for those that come through foreign protocols.
fn own(text: &str) -> Result<ServiceName, Failure> {
    let failure = |why: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Usage,
            format!("--service {text:?} is no name for a service"),
        )
        .why(why)
    };
    let name = ServiceName::new(text).map_err(|error| failure(&error))?;
    match name.is_native() {
        true => Ok(name),
        false => Err(failure(&"use lower-case letters, digits, '-' and '.'")),
    }
}

impl Register {
    /// The instance to register.
    fn instance(&self, context: &Context) -> Result<Object<Instance>, Failure> {
        let usage = |what: String, error: &dyn std::fmt::Display| {
            Failure::new(Exit::Usage, what).why(error)
        };
        let id = self
            .id
            .clone()
            .unwrap_or_else(|| format!("{}-{}", self.host.replace(':', "-"), self.port));
        InstanceId::new(&id).map_err(|error| usage(format!("{id:?} is no id"), &error))?;
        let mut checks = self.checks.clone();
        if checks.is_empty() {
            checks.push(check("ttl").map_err(|error| usage("--check".to_owned(), &error))?);
        }
        for check in &mut checks {
            check.deregister_after = Some(self.deregister_after);
            if let Probe::Http { schedule, .. }
            | Probe::Tcp { schedule, .. }
            | Probe::Grpc { schedule, .. } = &mut check.probe
            {
                schedule.interval = self.check_interval;
            }
        }
        let version = self.version.as_deref().map(VersionName::new).transpose();
        let spec = Instance {
            ports: vec![Port {
                name: None,
                port: self.port,
                protocol: self.protocol,
            }],
            version: version.map_err(|error| usage("--version".to_owned(), &error))?,
            zone: self.zone.as_deref().map(Into::into),
            region: self.region.as_deref().map(Into::into),
            tags: self.tags.iter().map(|tag| tag.as_str().into()).collect(),
            metadata: self.metadata.iter().cloned().collect(),
            checks,
            ..Instance::new(own(&self.service)?, self.host.clone(), self.port)
        };
        Ok(Object::new(
            Metadata::named(context.namespace.clone(), id),
            spec,
        ))
    }

    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let instance = self.instance(&context)?;
        let mut signals = Signals::take()?;
        let mut child = Child::start(&self.command, &[])?;
        let registration = Registration {
            context: &context,
            instance: &instance,
            known: Cell::new(Known::Never),
        };
        let mut kept = pin!(registration.keep(self.wait.get()));
        loop {
            tokio::select! {
                ended = child.wait() => {
                    registration.end(kept.as_mut()).await;
                    return child::outcome(ended?);
                }
                signal = signals.next() => {
                    if ends(signal) {
                        registration.end(kept.as_mut()).await;
                        // The program may end in the meantime; a second signal does not wait.
                        tokio::select! {
                            () = tokio::time::sleep(self.drain.get()) => {}
                            _ = child.wait() => {}
                            _ = signals.next() => {}
                        }
                        child.signal(signal);
                        return follow(child, signals, signal).await;
                    }
                    child.signal(signal);
                }
                failure = &mut kept => {
                    child.end(FAREWELL).await?;
                    return Err(failure);
                }
            }
        }
    }
}

/// Waits for the program's end, handing on whatever signals still come; what it leaves behind gets the last of them.
async fn follow(mut child: Child, mut signals: Signals, mut last: Signal) -> Result<(), Failure> {
    loop {
        tokio::select! {
            ended = child.wait() => {
                child.signal_left_behind(last);
                return child::outcome(ended?);
            }
            signal = signals.next() => {
                last = signal;
                child.signal(signal);
            }
        }
    }
}

/// The instance in the registry.
struct Registration<'a> {
    context: &'a Context,
    instance: &'a Object<Instance>,
    known: Cell<Known>,
}

/// What the platform knows of the instance, as far as this command can tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It was never reached.
    Never,
    /// A registration is on its way.
    Asking,
    /// It may have the instance.
    Perhaps,
}

impl Registration<'_> {
    /// The instance's id; it was checked when it was made.
    fn id(&self) -> Option<InstanceId> {
        InstanceId::new(&self.instance.metadata.name).ok()
    }

    /// Waits until the program accepts connections: registered earlier, it would fail its first check and stay out of
    /// traffic until the next one.
    async fn listening(&self) {
        let address = (
            self.instance.spec.host.as_str(),
            self.instance.spec.ports.first().map_or(0, |port| port.port),
        );
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(KNOCK).await;
        }
    }

    /// Registers, says that the program lives, and registers anew when the platform forgot. Ends only when the platform
    /// refuses for good.
    async fn keep(&self, wait: Duration) -> Failure {
        // A program that never listens is registered, too: its checks say what they make of it.
        let _ = tokio::time::timeout(wait, self.listening()).await;
        let ttl = |check: &Check| match check.probe {
            Probe::Ttl { ttl } => Some(ttl.get() / 3),
            _ => None,
        };
        let beat = self
            .instance
            .spec
            .checks
            .iter()
            .filter_map(ttl)
            .min()
            .unwrap_or(BEAT);
        let mut known = false;
        let mut told = false;
        loop {
            let result = if known {
                self.beat().await
            } else {
                self.register().await
            };
            match result {
                Ok(()) => {
                    let new = !std::mem::replace(&mut known, true);
                    told = false;
                    if new {
                        // The first heartbeat follows at once: a ttl check begins with it.
                        continue;
                    }
                }
                // Forgotten: it is registered anew, at once.
                Err(error) if error.is_not_found() && known => {
                    known = false;
                    continue;
                }
                Err(error) if error.is_retryable() => {
                    if !std::mem::replace(&mut told, true) {
                        output::warn(&format!("{error}; trying again until it works"));
                    }
                    tokio::time::sleep(beat.min(Duration::from_secs(1))).await;
                    continue;
                }
                Err(error) => {
                    return Failure::call(
                        "the instance cannot be registered; the program was ended",
                        &error,
                    );
                }
            }
            tokio::time::sleep(beat).await;
        }
    }

    async fn register(&self) -> Result<(), ClientError> {
        let before = self.known.replace(Known::Asking);
        let registered = self.context.client.register(self.instance).await;
        self.known.set(match &registered {
            Err(ClientError::Unreachable { .. }) => before,
            _ => Known::Perhaps,
        });
        registered.map(drop)
    }

    async fn beat(&self) -> Result<(), ClientError> {
        let Some(id) = self.id() else { return Ok(()) };
        let Context {
            client, namespace, ..
        } = self.context;
        client
            .heartbeat(namespace, &self.instance.spec.service, &id)
            .await
            .map(drop)
    }

    /// Takes the instance out of the registry, if the platform answers in time.
    async fn end(&self, mut kept: Pin<&mut impl Future<Output = Failure>>) {
        // A registration on its way could arrive after the deregistration, and would stay.
        let answered = poll_fn(|context| match self.known.get() {
            Known::Asking
                if kept.as_mut().poll(context).is_pending()
                    && self.known.get() == Known::Asking =>
            {
                Poll::Pending
            }
            _ => Poll::Ready(()),
        });
        let _ = tokio::time::timeout(FAREWELL, answered).await;
        if self.known.get() == Known::Never {
            return;
        }
        let Some(id) = self.id() else { return };
        let Context {
            client, namespace, ..
        } = self.context;
        let gone = client.deregister(namespace, &self.instance.spec.service, &id);
        match tokio::time::timeout(FAREWELL, gone).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.is_not_found() => {}
            Ok(Err(error)) => output::warn(&format!("the instance was not deregistered: {error}")),
            Err(_) => output::warn(
                "the instance was not deregistered: the platform did not answer in time",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_written_in_a_word() {
        let path = |text| match check(text).unwrap().probe {
            Probe::Http { path, .. } => path,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (path("http"), path("http:/up?x=1:2")),
            ("/health".to_owned(), "/up?x=1:2".to_owned())
        );
        assert!(
            matches!(check("ttl:5s").unwrap().probe, Probe::Ttl { ttl } if ttl == Period::secs(5))
        );
        for bad in ["", "htp", "http:health", "tcp:1", "ttl:soon"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
