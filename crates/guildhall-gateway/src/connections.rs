//! The client connections of one worker, and what the worker's tick decides about each: one tick
//! for all, instead of timers that every request would have to set and clear.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

use crate::{Timeouts, io::Observed, peer::Peer};

/// What a connection is told by the tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing.
    Go,
    /// To close once the request under way is answered; at once if there is none.
    Finish,
    /// To close at once.
    Close,
}

/// One client's connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: Peer,
    /// What its reading and writing show.
    pub(crate) observed: Arc<Observed>,
    order: Cell<Order>,
    /// The task that drives it.
    waker: RefCell<Option<Waker>>,
    place: Cell<usize>,
    /// Requests whose head was read, as the scanner counts them.
    messages: Cell<u32>,
    running: Cell<bool>,
    tunnel: Cell<bool>,
    watch: Cell<Watch>,
}

/// What the tick saw last.
#[derive(Clone, Copy, Debug)]
struct Watch {
    activity: u32,
    /// Since when there is no activity.
    still_since: Instant,
    /// The head that has begun, if one has, and since when.
    head: Option<(u32, Instant)>,
}

impl Client {
    pub(crate) fn order(&self) -> Order {
        self.order.get()
    }

    /// Notes the task to wake when there is an order.
    pub(crate) fn watch(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    fn give(&self, order: Order) {
        self.order.set(order);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// The number of the request that begins.
    pub(crate) fn next_message(&self) -> u32 {
        self.messages.set(self.messages.get().wrapping_add(1));
        self.messages.get()
    }

    pub(crate) fn begin_request(&self) {
        self.running.set(true);
    }

    pub(crate) fn end_request(&self) {
        self.running.set(false);
    }

    /// From here on it is a tunnel.
    pub(crate) fn begin_tunnel(&self) {
        self.tunnel.set(true);
    }

    /// What the tick at `now` decides.
    fn check(&self, now: Instant, limits: &Timeouts) -> Order {
        let mut watch = self.watch.get();
        let activity = self.observed.activity();
        if activity != watch.activity {
            watch.activity = activity;
            watch.still_since = now;
        }
        let begun = self.observed.head();
        if watch.head.map(|(head, _)| head) != begun {
            watch.head = begun.map(|head| (head, now));
        }
        self.watch.set(watch);
        let over = |since: Instant, limit: Duration| now.saturating_duration_since(since) >= limit;
        if self.tunnel.get() {
            if over(watch.still_since, limits.tunnel_idle) {
                Order::Close
            } else {
                Order::Go
            }
        } else if self.running.get() {
            if over(watch.still_since, limits.stream_idle) {
                Order::Close
            } else {
                Order::Go
            }
        } else if let Some((_, since)) = watch.head {
            if over(since, limits.head) {
                Order::Close
            } else {
                Order::Go
            }
        } else if over(watch.still_since, limits.idle) {
            Order::Finish
        } else {
            Order::Go
        }
    }
}

/// All client connections of one worker.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    places: RefCell<Vec<Option<Rc<Client>>>>,
    free: RefCell<Vec<usize>>,
    count: Cell<usize>,
    draining: Cell<bool>,
}

impl Connections {
    pub(crate) fn len(&self) -> usize {
        self.count.get()
    }

    /// Takes in a connection, which stays until the guard is dropped.
    pub(crate) fn enter(
        self: &Rc<Self>,
        peer: Peer,
        observed: Arc<Observed>,
        now: Instant,
    ) -> Entered {
        let client = Rc::new(Client {
            peer,
            observed,
            order: Cell::new(if self.draining.get() {
                Order::Finish
            } else {
                Order::Go
            }),
            waker: RefCell::default(),
            place: Cell::new(0),
            messages: Cell::new(0),
            running: Cell::new(false),
            tunnel: Cell::new(false),
            watch: Cell::new(Watch {
                activity: 0,
                still_since: now,
                head: None,
            }),
        });
        let mut places = self.places.borrow_mut();
        let place = self.free.borrow_mut().pop().unwrap_or_else(|| {
            places.push(None);
            places.len() - 1
        });
        client.place.set(place);
        places[place] = Some(Rc::clone(&client));
        self.count.set(self.count.get() + 1);
        Entered {
            connections: Rc::clone(self),
            client,
        }
    }

    /// Decides about each at `now`; gives how many were told to close.
    pub(crate) fn sweep(&self, now: Instant, limits: &Timeouts) -> u64 {
        let mut told = 0;
        for client in self.places.borrow().iter().flatten() {
            let order = client.check(now, limits);
            if order != Order::Go && client.order() != order && client.order() != Order::Close {
                client.give(order);
                told += 1;
            }
        }
        told
    }

    /// Tells all to finish, those to come included.
    pub(crate) fn drain(&self) {
        self.draining.set(true);
        self.tell_all(Order::Finish);
    }

    /// Tells all to close at once.
    pub(crate) fn close(&self) {
        self.tell_all(Order::Close);
    }

    fn tell_all(&self, order: Order) {
        for client in self.places.borrow().iter().flatten() {
            client.give(order);
        }
    }
}

/// Keeps a connection in the table.
#[derive(Debug)]
pub(crate) struct Entered {
    connections: Rc<Connections>,
    pub(crate) client: Rc<Client>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let place = self.client.place.get();
        self.connections.places.borrow_mut()[place] = None;
        self.connections.free.borrow_mut().push(place);
        self.connections.count.set(self.connections.count.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Timeouts {
        Timeouts {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(100),
            stream_idle: Duration::from_secs(50),
            tunnel_idle: Duration::from_secs(200),
            ..Timeouts::default()
        }
    }

    #[test]
    fn each_phase_has_its_own_limit() {
        let connections = Rc::new(Connections::default());
        let start = crate::clock::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        let observed = Arc::new(Observed::default());
        let entered = connections.enter(Peer::default(), Arc::clone(&observed), start);
        let client = &entered.client;
        assert_eq!(client.check(at(99), &limits()), Order::Go);
        assert_eq!(client.check(at(100), &limits()), Order::Finish);

        // A head that comes slowly is no activity that counts.
        observed.note(Some(1));
        assert_eq!(client.check(at(101), &limits()), Order::Go);
        observed.note(Some(1));
        assert_eq!(client.check(at(110), &limits()), Order::Go);
        observed.note(Some(1));
        assert_eq!(client.check(at(111), &limits()), Order::Close);

        observed.note(None);
        client.begin_request();
        assert_eq!(client.check(at(120), &limits()), Order::Go);
        assert_eq!(client.check(at(169), &limits()), Order::Go);
        assert_eq!(client.check(at(170), &limits()), Order::Close);

        client.end_request();
        client.begin_tunnel();
        assert_eq!(client.check(at(319), &limits()), Order::Go);
        assert_eq!(client.check(at(320), &limits()), Order::Close);
        drop(entered);
        assert_eq!(connections.len(), 0);
    }
}
