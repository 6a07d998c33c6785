//! A connection that left HTTP: bytes both ways until one side ends or the worker says so.

use std::{future::poll_fn, rc::Rc, task::Poll};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy_bidirectional_with_sizes};

use crate::{
    connections::{Client, Entered, Order},
    record::Record,
    upstream::Tunnel,
    worker::Worker,
};

/// Bytes that are held per direction.
const BUFFER: usize = 16 * 1024;

/// Counts a tunnel as open.
struct Open<'w>(&'w Worker);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.stats().tunnels.subtract(1);
    }
}

/// Carries bytes between the client, once it has its answer, and the backend. The request's record
/// ends with the tunnel.
pub(crate) async fn run(
    worker: Rc<Worker>,
    entered: Rc<Entered>,
    client: OnUpgrade,
    mut backend: Tunnel,
    mut record: Record,
) {
    worker.stats().tunnels.add(1);
    let _open = Open(&worker);
    let carry = async {
        let mut client = TokioIo::new(client.await.map_err(std::io::Error::other)?);
        // What the backend sent right behind its answer.
        client.write_all_buf(&mut backend.read).await?;
        copy_bidirectional_with_sizes(&mut client, &mut backend.stream, BUFFER, BUFFER).await
    };
    tokio::select! {
        carried = carry => {
            if let Ok((_, sent)) = carried {
                record.bytes_sent += sent;
            }
        }
        () = ordered_to_close(&entered.client) => {}
    }
}

async fn ordered_to_close(client: &Client) {
    poll_fn(|cx| {
        client.watch(cx.waker());
        if client.order() == Order::Close {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
