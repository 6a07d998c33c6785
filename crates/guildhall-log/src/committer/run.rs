//! The committing thread's loop: wait, gather, take, stage, commit, publish.

use std::collections::VecDeque;

use super::{
    CommitterOptions, Machine,
    gather::{Decision, Gather},
    queue::{Queue, Waiting},
};
use crate::{Log, clock};

/// Abandons the queue when the loop ends, above all when the machine panicked.
struct Ended<'a, R>(&'a Queue<R>);

impl<R> Drop for Ended<'_, R> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Runs until the queue has stopped and is drained.
pub(super) fn run<M: Machine>(
    mut log: Log,
    mut machine: M,
    queue: &Queue<M::Request>,
    options: &CommitterOptions,
) -> (M, Log) {
    let _ended = Ended(queue);
    let mut gather = Gather::new(options.gather);
    // What was taken and did not fit into a group: it goes first into the next.
    let mut backlog: VecDeque<Waiting<M::Request>> = VecDeque::new();
    let mut taken = Vec::new();
    loop {
        if backlog.is_empty() {
            if !queue.wait() {
                return (machine, log);
            }
            let waiting = queue.len();
            if let Decision::Wait { count, limit } = gather.decide(waiting) {
                queue.wait_for(count, limit);
                gather.waited(waiting, queue.len());
            }
            queue.take(&mut taken);
            machine.prepare(taken.iter_mut().map(|waiting| &mut waiting.request));
            backlog.extend(taken.drain(..));
        }
        let mut served = 0;
        let mut released = 0;
        while log.staged_bytes() < options.group_bytes
            && let Some(Waiting { request, cost }) = backlog.pop_front()
        {
            machine.stage(request, &mut log);
            served += 1;
            released += cost;
        }
        queue.release(released);
        let began = clock::now();
        match log.commit() {
            Ok(committed) => {
                if committed.is_some() {
                    gather.committed(served, backlog.len() + queue.len(), clock::now() - began);
                }
                machine.committed(&mut log);
            }
            Err(error) => {
                tracing::warn!(%error, requests = served, "a group was not committed");
                machine.failed(&error, &mut log);
            }
        }
    }
}
