//! TCP checks: a connection is made and closed.

use super::{Outcome, dial::Dial};

pub(super) async fn probe(dial: Dial, host: &str, port: u16) -> Outcome {
    match dial.connect(host, port).await {
        Ok(_) => Outcome::passing(format!("connected to {}", super::authority(host, port))),
        Err(error) => Outcome::critical(format!(
            "cannot connect to {}: {error}",
            super::authority(host, port)
        )),
    }
}
