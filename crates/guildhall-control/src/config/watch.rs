//! A reader who waits for what it has to change.

use std::sync::Arc;

use futures_util::FutureExt;
use guildhall_core::access::Caller;

use super::effective::{Effective, effective};
use super::{EffectiveQuery, table::Seat};
use crate::Error;
use crate::control::Shared;
use crate::watch::Subscription;

/// How many changes may wait: one would do, since only that there are any is looked at.
const QUEUE: usize = 8;

/// Tells what a query comes to, now and whenever that changes; dropping it ends it.
pub struct EffectiveWatch {
    shared: Arc<Shared>,
    query: EffectiveQuery,
    subscription: Subscription,
    /// The tag of what was told last; `None` while there is nothing.
    told: Option<Arc<str>>,
    /// Whether something may have changed since it was looked at last.
    due: bool,
    /// Its place among the listeners, if it says who it is.
    seat: Option<Seat>,
}

impl EffectiveWatch {
    /// Begins; whoever already has what is named `known` is told only what comes after it.
    pub(super) fn open(
        shared: &Arc<Shared>,
        query: EffectiveQuery,
        known: Option<&str>,
    ) -> Result<Self, Error> {
        // Whether the caller may read this is decided by now; its inputs are part of it.
        let system = Caller::system("config");
        let index = shared.view.load().index;
        let subscription = Subscription::open(
            &shared.hub,
            shared.view.cell(),
            &system,
            query.scope(),
            Some(index),
            QUEUE,
        )?;
        let seat = query
            .reader
            .as_ref()
            .map(|reader| Seat::take(shared, &query.key, &reader.instance));
        Ok(Self {
            seat: seat.transpose()?,
            shared: Arc::clone(shared),
            query,
            subscription,
            told: known.map(Arc::from),
            due: true,
        })
    }

    /// What it is now, if that is not what was told last, or else once it is. `None` when the control plane has stopped.
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no input any more, [`Error::Conflict`] when they do not go together; told once
    /// each, after which the watch goes on.
    pub async fn next(&mut self) -> Option<Result<Arc<Effective>, Error>> {
        loop {
            if !self.due {
                self.subscription.next().await?;
                self.due = true;
            }
            // Whatever else waits is part of what is looked at now.
            while let Some(event) = self.subscription.next().now_or_never() {
                event?;
            }
            let state = self.shared.view.load();
            let found = effective(&self.shared, &self.query, &state).await;
            self.due = false;
            if let (Some(seat), Ok(found)) = (&self.seat, &found) {
                seat.sent(found);
            }
            match found {
                Ok(found) if self.told.as_ref() == Some(&found.tag) => {}
                Ok(found) => {
                    self.told = Some(Arc::clone(&found.tag));
                    return Some(Ok(found));
                }
                Err(error) => {
                    self.told = None;
                    return Some(Err(error));
                }
            }
        }
    }
}
