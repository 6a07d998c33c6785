//! The long poll: waits until something in scope has changed, and says up to where.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use guildhall_core::access::Caller;
use guildhall_core::document::Index;

use super::Hub;
use super::feed::{Feed, Interest, Seat};
use super::scope::{Scope, Sight};
use crate::Error;
use crate::view::State;

/// What a long poll came to.
#[derive(Clone, Debug)]
pub struct Polled {
    /// The state to answer from.
    pub state: Arc<State>,
    /// The highest revision that touched the scope's keys, deletions included: what to ask with
    /// next time. Never 0, never below an earlier answer's.
    pub index: Index,
    /// Whether `index` is news to the caller; `false` after the wait ended in silence.
    pub changed: bool,
}

/// Ends the watch of a poll however its future ends.
struct Registered<'a> {
    hub: &'a Hub,
    feed: Arc<Feed>,
    seat: Seat,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.hub.lock().leave(&self.feed, &self.seat);
    }
}

/// Waits until the scope was touched after `since`, at most for `wait`.
///
/// Answers at once without `since`, or when `since` is of another incarnation, above the current
/// index, or below that of the scope.
pub(crate) async fn changed(
    hub: &Hub,
    view: &ArcSwap<State>,
    caller: &Caller,
    scope: &Scope,
    since: Option<Index>,
    wait: Duration,
) -> Result<Polled, Error> {
    let sight = Sight::of(caller, scope.kinds, scope.namespace.as_ref())?;
    let mut registered = {
        let mut inner = hub.lock();
        let state = view.load_full();
        let index = state.touched(scope);
        let news = |since: &Index| !state.index.covers(*since) || index.revision > since.revision;
        if since.as_ref().is_none_or(news) {
            return Ok(Polled {
                state,
                index,
                changed: true,
            });
        }
        let base = state.index.revision;
        let watchers = hub.options.watchers;
        let interest = Interest {
            scope: scope.clone(),
            sight,
            capacity: 0,
        };
        let (feed, seat) = inner
            .enter(interest, base, watchers)
            .ok_or(Error::TooManyWatchers { most: watchers })?;
        Registered { hub, feed, seat }
    };
    let Registered { feed, seat, .. } = &mut registered;
    let woken = poll_fn(|context| feed.poll(seat, context).map(drop));
    let changed = tokio::time::timeout(wait, woken).await.is_ok();
    let state = view.load_full();
    let index = state.touched(scope);
    Ok(Polled {
        state,
        index,
        changed,
    })
}
