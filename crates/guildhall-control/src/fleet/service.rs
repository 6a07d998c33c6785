//! The task that forgets whoever is silent.

use std::{sync::Arc, time::Duration};

use crate::{clock, control::Shared};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// Runs until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = shared.stop.cancelled() => return,
        }
        shared.fleet.change(|board| board.expire(clock::now()));
    }
}
