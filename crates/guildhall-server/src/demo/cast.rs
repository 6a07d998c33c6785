//! The demo's processes: a platform, a gateway-only node, two instances of user-service and one of order-service.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::join_all;

use super::{
    arguments::ShopService,
    child::{Child, Spec},
    places::{Directory, Ports, loopback},
};

/// How long a process may take to stop in order: the SDK waits for propagation, a node for its requests.
const STOPPING: Duration = Duration::from_secs(15);

/// Who plays what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The control plane.
    Platform,
    /// The gateway-only node.
    Gateway,
    /// An instance of user-service, the first or the second.
    User(usize),
    /// The instance of order-service.
    Order,
}

impl Role {
    /// In the order in which they are stopped, some at once: traffic first, and the registry last, so that everybody can
    /// leave it.
    const STOPPED: [&[Self]; 4] = [
        &[Self::Gateway],
        &[Self::Order],
        &[Self::User(0), Self::User(1)],
        &[Self::Platform],
    ];

    /// What its process is called; of a service, the instance's id.
    pub(super) fn name(self) -> String {
        match self {
            Self::Platform => "platform".to_owned(),
            Self::Gateway => "gateway".to_owned(),
            Self::User(n) => format!("{}-{}", ShopService::UserService.name(), n + 1),
            Self::Order => format!("{}-1", ShopService::OrderService.name()),
        }
    }
}

/// The processes, and what is needed to start one again.
pub(super) struct Cast {
    program: PathBuf,
    /// Where everybody keeps their files.
    pub(super) directory: Directory,
    /// Where everybody listens.
    pub(super) ports: Ports,
    children: Vec<(Role, Child)>,
}

impl Cast {
    /// Nobody is on stage yet. `program` is the `guildhall` binary.
    pub(super) fn new(program: PathBuf, directory: Directory, ports: Ports) -> Self {
        Self {
            program,
            directory,
            ports,
            children: Vec::new(),
        }
    }

    /// The platform's address.
    pub(super) fn api(&self) -> String {
        format!("http://{}", loopback(self.ports.api))
    }

    /// Where traffic comes in.
    pub(super) fn gateway(&self) -> String {
        format!("http://{}", loopback(self.ports.gateway))
    }

    /// The file in which a node says where it listens.
    pub(super) fn addresses(&self, role: Role) -> PathBuf {
        self.directory.join(role.name()).join("addresses.json")
    }

    /// Starts a process, in the place of the one before if there was one.
    pub(super) fn start(&mut self, role: Role) -> io::Result<()> {
        if let Role::Platform | Role::Gateway = role {
            // What an earlier process wrote must not be taken for this one's.
            match std::fs::remove_file(self.addresses(role)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let child = self.spec(role).start(&self.program)?;
        self.children.retain(|(other, _)| *other != role);
        self.children.push((role, child));
        Ok(())
    }

    fn spec(&self, role: Role) -> Spec {
        let name = role.name();
        let log = self.directory.join("logs").join(format!("{name}.log"));
        Spec {
            arguments: arguments(role, self.ports, &self.api(), &self.directory.path),
            name,
            log,
        }
    }

    /// Its process id, for people.
    pub(super) fn process(&self, role: Role) -> String {
        let child = self.children.iter().find(|(other, _)| *other == role);
        let id = child.and_then(|(_, child)| child.id());
        id.map_or_else(|| "gone".to_owned(), |id| id.to_string())
    }

    /// A process that was started.
    fn child(&mut self, role: Role) -> Option<&mut Child> {
        self.children
            .iter_mut()
            .find(|(other, _)| *other == role)
            .map(|(_, child)| child)
    }

    /// Moves user-service's database away.
    pub(super) fn take_users_away(&self) -> Result<(), String> {
        self.rename_users("users.jsonl", "users.jsonl.away")
    }

    /// Moves it back.
    pub(super) fn bring_users_back(&self) -> Result<(), String> {
        self.rename_users("users.jsonl.away", "users.jsonl")
    }

    fn rename_users(&self, from: &str, to: &str) -> Result<(), String> {
        let folder = self.directory.join("shop");
        let moved = std::fs::rename(folder.join(from), folder.join(to));
        moved.map_err(|error| format!("{}/{from}: {error}", folder.display()))
    }

    /// Who should run and does not.
    pub(super) fn ended(&mut self) -> Option<String> {
        self.children
            .iter_mut()
            .find_map(|(_, child)| child.ended())
    }

    /// SIGKILL for one.
    pub(super) async fn kill(&mut self, role: Role) -> Result<(), String> {
        let child = self
            .child(role)
            .ok_or_else(|| format!("{} was never started", role.name()))?;
        let status = child
            .kill()
            .await
            .map_err(|error| format!("{} cannot be killed: {error}", role.name()))?;
        match std::os::unix::process::ExitStatusExt::signal(&status) {
            Some(9) => Ok(()),
            _ => Err(format!("{} had ended before: {status}", role.name())),
        }
    }

    /// Stops everybody, in order. Answers who had to be killed.
    pub(super) async fn stop(&mut self) -> Vec<String> {
        let mut killed = Vec::new();
        for roles in Role::STOPPED {
            let children = self.children.iter_mut();
            let of_these = children.filter(|(role, _)| roles.contains(role));
            let stopping = of_these.map(|(_, child)| async move {
                match child.stop(STOPPING).await {
                    Ok(true) => None,
                    Ok(false) => Some(child.name().to_owned()),
                    Err(error) => Some(format!("{} ({error})", child.name())),
                }
            });
            killed.extend(join_all(stopping).await.into_iter().flatten());
        }
        self.children.clear();
        killed
    }

    /// The directory, once nobody runs any more.
    pub(super) fn close(self) -> Directory {
        // Whoever is still there is killed here.
        drop(self.children);
        self.directory
    }

    /// The last lines of everybody's log, to see what went wrong.
    pub(super) fn last_lines(&self, most: usize) -> String {
        let logs = self.children.iter().map(|(_, child)| {
            let lines = child.last_lines(most);
            let lines = if lines.is_empty() {
                "(nothing)"
            } else {
                &lines
            };
            format!("--- {}\n{lines}\n", child.name())
        });
        logs.collect()
    }
}

/// What a role's process is told.
fn arguments(role: Role, ports: Ports, api: &str, directory: &Path) -> Vec<OsString> {
    let node = |roles: &str, listen: u16| {
        let mut arguments: Vec<OsString> = [
            "server",
            "--until-stdin-closes",
            "--role",
            roles,
            "--api-listen",
        ]
        .map(OsString::from)
        .to_vec();
        arguments.push(loopback(listen).to_string().into());
        arguments.push("--data-dir".into());
        arguments.push(directory.join(role.name()).into());
        arguments
    };
    let service = |service: ShopService, port: u16| {
        let words = [
            "demo",
            "service",
            service.name(),
            "--until-stdin-closes",
            "--platform",
            api,
        ];
        let mut arguments: Vec<OsString> = words.map(OsString::from).to_vec();
        arguments.extend(
            [
                "--port",
                &port.to_string(),
                "--instance",
                &role.name(),
                "--data-dir",
            ]
            .map(OsString::from),
        );
        arguments.push(directory.join("shop").into());
        arguments
    };
    match role {
        Role::Platform => node("control", ports.api),
        Role::Gateway => {
            let mut arguments = node("gateway", ports.gateway_api);
            let traffic = loopback(ports.gateway).to_string();
            arguments.extend(["--control", api, "--gateway-listen", &traffic].map(OsString::from));
            arguments
        }
        Role::User(n) => service(ShopService::UserService, ports.users[n]),
        Role::Order => service(ShopService::OrderService, ports.orders),
    }
}
