//! The gateway role.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{Plane, StartError};
use crate::{node::Probe, settings::Settings};

pub(super) struct Traffic {}

impl Traffic {
    pub(super) fn address(&self) -> Option<SocketAddr> {
        None
    }
    pub(super) fn probe(&self) -> Probe {
        Arc::new(|| unreachable!())
    }
    pub(super) async fn stop(self, _deadline: Duration) {}
}

pub(super) async fn start(_settings: &Settings, _plane: Option<&Arc<Plane>>) -> Result<Traffic, StartError> {
    Ok(Traffic {})
}
