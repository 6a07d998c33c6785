//! guildhall-store's side: a process of its own that opens an embedded store, puts from as many tasks as there are
//! clients, and prints its figures for the harness. Its clients' cost is in them.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use guildhall_store::embedded::{Embedded, Options};
use guildhall_store::{Op, Store, Transaction};
use serde_json::{Value, json};

use super::VALUE;
use super::etcd_puts::key;
use crate::options::EmbeddedStore;
use crate::tasks;
use crate::usage;
use crate::window::{Sample, WARM_UP};

/// One turn on an empty store, in a child process under the wrapper's words.
pub(super) fn turn(
    dir: &Path,
    clients: usize,
    seconds: f64,
    wrapper: &[OsString],
) -> Result<Sample> {
    let harness = std::env::current_exe()?;
    let mut line: Vec<OsString> = ["setpriv", "--pdeathsig", "KILL", "--"]
        .map(Into::into)
        .into();
    line.extend(wrapper.iter().cloned());
    line.push(harness.into());
    line.extend(["embedded-store", "--dir"].map(Into::into));
    line.push(dir.into());
    line.extend(["--clients".to_owned(), clients.to_string()].map(Into::into));
    line.extend(["--seconds".to_owned(), seconds.to_string()].map(Into::into));
    let output = Command::new(&line[0]).args(&line[1..]).output()?;
    if !output.status.success() {
        bail!(
            "the store's process failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let figures: Value =
        serde_json::from_slice(&output.stdout).context("the store's process printed no figures")?;
    let figure = |name: &str| {
        figures[name]
            .as_f64()
            .with_context(|| format!("the figure {name} is missing"))
    };
    Ok(Sample {
        rate: figure("rate")?,
        cpu_us: figure("cpuUs")?,
        busy: figure("busy")?,
        // Clients and store are one process.
        load: 0.0,
        bytes: figure("bytes")?,
        p50_us: figure("p50Us")?,
        p99_us: figure("p99Us")?,
    })
}

/// The child process: puts, and prints the figures as JSON.
pub(crate) fn child(options: &EmbeddedStore) -> Result<()> {
    let store = open(&options.dir)?;
    let next = Arc::new(AtomicU64::new(0));
    let put = move || {
        let (store, number) = (Arc::clone(&store), next.fetch_add(1, Relaxed));
        async move {
            let put = Op::put(key(number), vec![b'v'; VALUE]);
            store.commit(Transaction::new().then(put)).await?;
            Ok(())
        }
    };
    let window = Duration::from_secs_f64(options.seconds);
    let clients = options.clients;
    tasks::block_on(async move {
        tasks::repeat(clients, WARM_UP, put.clone()).await?;
        let me = std::process::id();
        let before = usage::of(me)?;
        let started = Instant::now();
        let latency = tasks::repeat(clients, window, put).await?;
        let elapsed = started.elapsed().as_secs_f64();
        let used = usage::of(me)?.since(before);
        let done = latency.len() as f64;
        let figures = json!({
            "rate": done / elapsed,
            "cpuUs": used.cpu.as_secs_f64() * 1e6 / done,
            "busy": used.cpu.as_secs_f64() / elapsed,
            "bytes": used.written as f64 / done,
            "p50Us": latency.value_at_quantile(0.5),
            "p99Us": latency.value_at_quantile(0.99),
        });
        println!("{figures}");
        Ok(())
    })
}

/// An embedded store with its files under `dir`, as the server opens its own.
fn open(dir: &Path) -> Result<Arc<dyn Store>> {
    let store = Embedded::open(dir, Options::default())?;
    Ok(Arc::new(store))
}
