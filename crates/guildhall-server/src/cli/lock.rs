//! `guildhall lock`: acquire, renew, release, or run a program while holding a lock.

use std::{ffi::OsString, time::Duration};

use clap::{Args, Subcommand};
use guildhall_api::{
    client::ClientError,
    wire::{AcquireLock, Code},
};
use guildhall_core::{document::Period, registry::LockHolder};

use super::{
    Exit, Failure,
    child::{self, Child, Signals},
    context::Context,
    output,
};
use crate::table::{Table, plain};

const EXAMPLES: &str = "\
Examples:
  guildhall lock run nightly-report -- ./report.sh     at most one of these runs at a time
  guildhall lock run leader --ttl 5s -- ./scheduler    the next one takes over within 5s
  TOKEN=$(guildhall lock acquire deploy -o name)
  guildhall lock renew deploy $TOKEN
  guildhall lock release deploy $TOKEN

The token grows with every acquisition. Pass it along with what the lock guards, and refuse smaller ones there: then
a holder that was paused and lost the lock does no harm. A program run by `lock run` finds it in GUILDHALL_LOCK_TOKEN.";

/// How long one call waits for the lock before it is made again.
const TURN: Duration = Duration::from_secs(30);
/// How long a program that lost its lock has to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hold locks, for leader election and the like
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Lock {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Acquire a lock and print its token
    Acquire {
        /// The lock
        name: String,
        #[command(flatten)]
        how: How,
        /// How long to wait while somebody else holds it [default: not at all]
        #[arg(long, value_name = "DURATION")]
        wait: Option<Period>,
    },
    /// Make an acquisition last for its ttl from here on
    Renew {
        /// The lock
        name: String,
        /// What acquiring it printed
        #[arg(id = "fencing-token", value_name = "TOKEN")]
        token: u64,
    },
    /// Let a lock go
    Release {
        /// The lock
        name: String,
        /// What acquiring it printed
        #[arg(id = "fencing-token", value_name = "TOKEN")]
        token: u64,
    },
    /// Run a program while holding a lock; it is ended if the lock is lost
    Run {
        /// The lock
        name: String,
        #[command(flatten)]
        how: How,
        /// How long to wait while somebody else holds it [default: as long as it takes]
        #[arg(long, value_name = "DURATION")]
        wait: Option<Period>,
        /// The program and its arguments
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
struct How {
    /// Who holds it, for those who wait [default: user@host and the process]
    #[arg(long)]
    owner: Option<String>,
    /// How long it lasts without a renewal [default: what the lock says, else 15s]
    #[arg(long, value_name = "DURATION")]
    ttl: Option<Period>,
}

impl How {
    fn request(&self, wait: Duration) -> AcquireLock {
        let owner = self.owner.clone().unwrap_or_else(|| {
            let host = rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned();
            let user = std::env::var("USER").unwrap_or_else(|_| "guildhall".to_owned());
            format!("{user}@{host}/{}", std::process::id())
        });
        AcquireLock {
            owner,
            ttl: self.ttl,
            wait: Some(Period(wait)),
        }
    }
}

impl Lock {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let Context {
            client,
            namespace,
            output,
        } = &context;
        match self.action {
            Action::Acquire { name, how, wait } => {
                let request = how.request(wait.unwrap_or_default().get());
                let holder = client.acquire(namespace, &name, &request).await;
                print(
                    *output,
                    &holder.map_err(|error| {
                        Failure::call(format!("the lock {name} was not acquired"), &error)
                    })?,
                )
            }
            Action::Renew { name, token } => {
                let holder = client.renew(namespace, &name, token).await;
                print(
                    *output,
                    &holder.map_err(|error| {
                        Failure::call(format!("the lock {name} was not renewed"), &error)
                    })?,
                )
            }
            Action::Release { name, token } => client
                .release(namespace, &name, token)
                .await
                .map_err(|error| {
                    Failure::call(format!("the lock {name} was not released"), &error)
                }),
            Action::Run {
                name,
                how,
                wait,
                command,
            } => {
                let holder = acquire(&context, &name, &how, wait).await?;
                hold(&context, &name, &holder, &command).await
            }
        }
    }
}

fn print(format: output::Format, holder: &LockHolder) -> Result<(), Failure> {
    let table = || {
        let mut table = Table::new(&["owner", "token", "ttl", "since"], "");
        table.row([
            plain(&holder.owner),
            plain(holder.token),
            plain(holder.ttl),
            plain(holder.acquired_at),
        ]);
        table
    };
    output::value(format, holder, table, || vec![holder.token.to_string()])
}

/// Acquires the lock, asking again until `wait` is over, or for ever. A server that is away is waited for, too.
async fn acquire(
    context: &Context,
    name: &str,
    how: &How,
    wait: Option<Period>,
) -> Result<LockHolder, Failure> {
    let begun = crate::clock::now();
    loop {
        let left = wait.map(|wait| wait.get().saturating_sub(begun.elapsed()));
        let turn = left.map_or(TURN, |left| left.min(TURN));
        let result = context
            .client
            .acquire(&context.namespace, name, &how.request(turn))
            .await;
        let error = match result {
            Ok(holder) => return Ok(holder),
            Err(error) => error,
        };
        let held = error.code() == Some(Code::LockHeld);
        if left.is_some_and(|left| left.is_zero()) || !(held || error.is_retryable()) {
            return Err(Failure::call(
                format!("the lock {name} was not acquired"),
                &error,
            ));
        }
        if !held {
            output::warn(&format!("{error}; trying again"));
            tokio::time::sleep(Duration::from_secs(1).min(turn)).await;
        }
    }
}

/// Runs the program, renewing the lock meanwhile.
async fn hold(
    context: &Context,
    name: &str,
    holder: &LockHolder,
    command: &[OsString],
) -> Result<(), Failure> {
    let mut signals = Signals::take()?;
    let variables = [("GUILDHALL_LOCK_TOKEN", holder.token.to_string())];
    let mut child = match Child::start(command, &variables) {
        Ok(child) => child,
        Err(failure) => {
            release(context, name, holder.token).await;
            return Err(failure);
        }
    };
    let lost = keep(context, name, holder);
    tokio::pin!(lost);
    let ended = loop {
        tokio::select! {
            ended = child.wait() => break ended?,
            signal = signals.next() => child.signal(signal),
            why = &mut lost => {
                // Whoever holds the lock now must not meet this program still at work.
                child.end(PATIENCE).await?;
                return Err(Failure::new(Exit::Conflict, format!("the lock {name} was lost; the program was ended")).why(why));
            }
        }
    };
    release(context, name, holder.token).await;
    child::outcome(ended)
}

/// Renews the lock until it is lost; says why.
async fn keep(context: &Context, name: &str, holder: &LockHolder) -> String {
    let ttl = holder.ttl.get();
    let mut renewed = crate::clock::now();
    loop {
        tokio::time::sleep(ttl / 3).await;
        let began = crate::clock::now();
        // An answer that comes after the ttl would come too late.
        let call = context.client.renew(&context.namespace, name, holder.token);
        let left = ttl.saturating_sub(renewed.elapsed());
        match tokio::time::timeout(left, call).await {
            Ok(Ok(_)) => renewed = began,
            Ok(Err(error)) if !error.is_retryable() => return error.to_string(),
            Ok(Err(error)) => {
                output::warn(&format!("the lock {name} could not be renewed: {error}"))
            }
            Err(_) => {}
        }
        if renewed.elapsed() >= ttl {
            return format!("it could not be renewed within {}", holder.ttl);
        }
    }
}

async fn release(context: &Context, name: &str, token: u64) {
    let released: Result<(), ClientError> = context
        .client
        .release(&context.namespace, name, token)
        .await;
    if let Err(error) = released {
        output::warn(&format!(
            "the lock {name} was not released and ends with its ttl: {error}"
        ));
    }
}
