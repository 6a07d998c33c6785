//! One call on its way through the layers, and its body.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use guildhall_resilience::deadline::{Deadline, header};
use http::{HeaderName, HeaderValue, Request, Uri, uri::Authority, uri::Scheme};
use http_body::{Body as _, Frame, SizeHint};
use tonic::{Status, body::Body};

use crate::client::outgoing::Tried;

pub(super) const TIMEOUT: HeaderName = HeaderName::from_static(header::GRPC_TIMEOUT);

/// The most bytes of a body that are held so that it can be sent again: as much as most gRPC servers take in one message.
const MOST_HELD: usize = 4 << 20;

/// One call on its way through the layers.
#[derive(Debug)]
pub(super) struct GrpcCall {
    /// Its URI is the method's path.
    pub(super) head: Request<()>,
    pub(super) body: CallBody,
    /// How long anybody waits for the answer to begin.
    pub(super) deadline: Deadline,
    /// How long the whole may take, its stream included.
    pub(super) whole: Deadline,
    /// How long the platform was waited for.
    pub(super) patience: Duration,
    /// Whether it may be carried out twice.
    pub(super) idempotent: bool,
    /// What all its attempts share.
    pub(super) tried: Arc<Tried>,
}

/// A call's messages.
#[derive(Debug)]
pub(super) enum CallBody {
    /// All of them, encoded.
    Held(Bytes),
    /// Those that were there at once, and those that are still to come.
    Streamed(VecDeque<Bytes>, Body),
}

impl GrpcCall {
    /// The same once more; `None` if its messages pass only once.
    pub(super) fn again(&self) -> Option<Self> {
        let CallBody::Held(body) = &self.body else {
            return None;
        };
        Some(Self {
            head: self.head.clone(),
            body: CallBody::Held(body.clone()),
            tried: self.tried.clone(),
            ..*self
        })
    }

    /// Tells the next hop how long it has.
    pub(super) fn tell_deadline(&mut self, now: Instant) {
        let left = self.whole.remaining(now);
        let written = left.map(|left| header::format_grpc_timeout(left).to_string());
        // Digits and a letter are always a value.
        match written.and_then(|written| HeaderValue::try_from(written).ok()) {
            Some(value) => drop(self.head.headers_mut().insert(TIMEOUT, value)),
            None => drop(self.head.headers_mut().remove(TIMEOUT)),
        }
    }

    /// As it is sent to `authority`.
    pub(super) fn into_request(
        self,
        authority: &Authority,
    ) -> Result<Request<Sending>, http::uri::InvalidUriParts> {
        let (mut head, ()) = self.head.into_parts();
        let mut uri = head.uri.into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(authority.clone());
        head.uri = Uri::from_parts(uri)?;
        let sending = match self.body {
            CallBody::Held(all) => Sending {
                ready: [all].into(),
                rest: None,
            },
            CallBody::Streamed(ready, rest) => Sending {
                ready,
                rest: Some(rest),
            },
        };
        Ok(Request::from_parts(head, sending))
    }
}

impl CallBody {
    /// Takes what is there of a body. If that is all of it, and not too much, it is held; nothing is waited for, since a
    /// caller's next message may depend on an answer.
    pub(super) async fn gather(mut body: Body) -> Result<Self, Status> {
        let mut ready = VecDeque::new();
        let mut size = 0;
        let all = std::future::poll_fn(|cx| {
            while size <= MOST_HELD {
                match Pin::new(&mut body).poll_frame(cx) {
                    // The connection asks again, and is woken then.
                    Poll::Pending => return Poll::Ready(Ok(false)),
                    Poll::Ready(None) => return Poll::Ready(Ok(true)),
                    Poll::Ready(Some(Err(status))) => return Poll::Ready(Err(status)),
                    Poll::Ready(Some(Ok(frame))) => {
                        // A request has no trailers.
                        if let Ok(data) = frame.into_data() {
                            size += data.len();
                            ready.push_back(data);
                        }
                    }
                }
            }
            Poll::Ready(Ok(false))
        })
        .await?;
        if !all {
            return Ok(Self::Streamed(ready, body));
        }
        Ok(Self::Held(match ready.len() {
            0 | 1 => ready.pop_front().unwrap_or_default(),
            _ => {
                let mut joined = BytesMut::with_capacity(size);
                ready.iter().for_each(|part| joined.extend_from_slice(part));
                joined.freeze()
            }
        }))
    }
}

/// A body on its way out.
#[derive(Debug)]
pub(crate) struct Sending {
    ready: VecDeque<Bytes>,
    rest: Option<Body>,
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(data) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::FutureExt;
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    fn streamed(parts: &[usize], then: bool) -> Body {
        let parts: Vec<Result<_, Infallible>> = parts
            .iter()
            .map(|size| Ok(Frame::data(Bytes::from(vec![7; *size]))))
            .collect();
        let parts = futures_util::stream::iter(parts);
        let rest = futures_util::stream::poll_fn(move |_| match then {
            true => Poll::Pending,
            false => Poll::Ready(None),
        });
        Body::new(StreamBody::new(futures_util::StreamExt::chain(parts, rest)))
    }

    fn gathered(body: Body) -> CallBody {
        CallBody::gather(body).now_or_never().unwrap().unwrap()
    }

    #[test]
    fn what_is_there_at_once_is_held_and_nothing_else() {
        let held = |body| match gathered(body) {
            CallBody::Held(all) => Some(all.len()),
            CallBody::Streamed(..) => None,
        };
        assert_eq!(
            held(Body::new(Full::new(Bytes::from_static(b"abc")))),
            Some(3)
        );
        assert_eq!(held(Body::empty()), Some(0));
        assert_eq!(held(streamed(&[2, 3], false)), Some(5));
        assert_eq!(held(streamed(&[2, 3], true)), None);
        assert_eq!(held(streamed(&[MOST_HELD, 1, 5], false)), None);
    }

    #[test]
    fn nothing_is_lost_of_what_passes() {
        let size = MOST_HELD + 6;
        let call = gathered(streamed(&[MOST_HELD, 1, 5], false));
        let CallBody::Streamed(ready, rest) = call else {
            panic!("it is too large to be held");
        };
        let sending = Sending {
            ready,
            rest: Some(rest),
        };
        let all = sending.collect().now_or_never().unwrap().unwrap();
        assert_eq!(all.to_bytes().len(), size);
    }
}
