//! Clients inside the measured process: tasks on a runtime like the server's, each with one operation in flight.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use crate::load;

/// Runs a future on a runtime as the server has it: several threads, among which a woken task is handed over without a
/// system call of its own (a runtime of one thread is woken through a descriptor by every single answer).
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()?
        .block_on(work)
}

/// Repeats an operation from as many tasks as there are clients until the window is over; the latencies of all of them.
pub(crate) async fn repeat<F>(
    clients: usize,
    window: Duration,
    operation: impl Fn() -> F + Clone + Send + 'static,
) -> Result<Histogram<u64>>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let began = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let operation = operation.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while began.elapsed() < window {
                    let sent = Instant::now();
                    operation().await?;
                    latencies.push(sent.elapsed());
                }
                anyhow::Ok(latencies)
            })
        })
        .collect();
    let mut all = load::histogram()?;
    for task in tasks {
        let latencies = task.await.context("a client's task failed")??;
        latencies
            .into_iter()
            .for_each(|latency| load::record(&mut all, latency));
    }
    Ok(all)
}
