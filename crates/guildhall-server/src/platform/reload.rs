//! Files that may change while the platform runs: looked at now and then, taken over when they changed.

use std::{sync::Arc, time::Duration};

use guildhall_control::config::SealKeys;
use tokio::sync::watch;

use super::seal::SealKeyFile;

use crate::{
    auth::{Guard, TokenFile},
    tls::Certificate,
};

/// Calls `look` every `interval`, and whenever `now` says so, until `stop` turns true.
async fn every(
    interval: Duration,
    mut now: watch::Receiver<()>,
    mut stop: watch::Receiver<bool>,
    mut look: impl FnMut(),
) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => look(),
            Ok(()) = now.changed() => look(),
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Takes over the token file's changes. One that cannot be used leaves the tokens as they are.
pub(super) async fn tokens(
    mut file: TokenFile,
    guard: Arc<Guard>,
    interval: Duration,
    now: watch::Receiver<()>,
    stop: watch::Receiver<bool>,
) {
    every(interval, now, stop, || match file.read_if_changed() {
        None => {}
        Some(Ok(tokens)) => {
            tracing::info!(file = %file.path().display(), tokens = tokens.len(), "the token file has changed");
            guard.replace(tokens);
        }
        Some(Err(error)) => tracing::error!(%error, "the token file has changed and cannot be used; the tokens from before stay"),
    })
    .await;
}

/// Takes over changes of the keys that values are sealed with. A file that cannot be used leaves them as they are.
pub(super) async fn seal_keys(
    mut file: SealKeyFile,
    keys: SealKeys,
    interval: Duration,
    now: watch::Receiver<()>,
    stop: watch::Receiver<bool>,
) {
    every(interval, now, stop, || match file.read_if_changed() {
        None => {}
        Some(Ok(read)) => {
            tracing::info!(file = %file.path().display(), current = read.current(), "the keys of sealed values have changed");
            keys.replace(read);
        }
        Some(Err(error)) => tracing::error!(%error, "the keys of sealed values have changed and cannot be used; those from before stay"),
    })
    .await;
}

/// Takes over the certificate's changes.
pub(super) async fn certificate(
    certificate: Arc<Certificate>,
    interval: Duration,
    now: watch::Receiver<()>,
    stop: watch::Receiver<bool>,
) {
    every(interval, now, stop, || match certificate.reload() {
        None => {}
        Some(Ok(())) => tracing::info!("the API's certificate has changed"),
        Some(Err(error)) => tracing::error!(%error, "the API's certificate has changed and cannot be used; the one from before stays"),
    })
    .await;
}
