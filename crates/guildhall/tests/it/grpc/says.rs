//! A gRPC service that a test writes as a closure, and what asks it.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture, stream};
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    client::GrpcService,
    server::{Grpc, NamedService, StreamingService},
    transport::{Channel, Endpoint},
};

use super::echo::Text;

pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;
pub(super) type Said = BoxFuture<'static, Result<Answers, Status>>;

/// `shop.Says`, whose one method is `Say`.
#[derive(Clone)]
pub(super) struct Says(Arc<dyn Fn(Request<Streaming<String>>) -> Said + Send + Sync>);

pub(super) fn says(
    answer: impl Fn(Request<Streaming<String>>) -> Said + Send + Sync + 'static,
) -> Says {
    Says(Arc::new(answer))
}

impl NamedService for Says {
    const NAME: &'static str = "shop.Says";
}

impl StreamingService<String> for Says {
    type Response = String;
    type ResponseStream = Answers;
    type Future = BoxFuture<'static, Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        let said = (self.0)(request);
        async move { Ok(Response::new(said.await?)) }.boxed()
    }
}

impl tower::Service<http::Request<Body>> for Says {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        async move {
            Ok(match request.uri().path() {
                "/shop.Says/Say" => Grpc::new(Text).streaming(this, request).await,
                _ => Status::unimplemented("").into_http(),
            })
        }
        .boxed()
    }
}

/// Says what it hears.
pub(super) fn echoes() -> Says {
    says(|request| {
        let heard: Answers = request.into_inner().boxed();
        async move { Ok(heard) }.boxed()
    })
}

/// Says these words.
pub(super) fn words(words: &'static [&'static str]) -> Answers {
    stream::iter(words)
        .map(|word| Ok((*word).to_owned()))
        .boxed()
}

/// A line of the metrics.
pub(super) fn handled(method: &str, code: &str) -> String {
    format!(
        "grpc_server_handled_total{{grpc_service=\"shop.Says\",grpc_method=\"{method}\",grpc_code=\"{code}\"}}"
    )
}

/// Tonic's own channel.
pub(super) fn plain(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect_lazy()
}

/// Asks `Say` with one message.
pub(super) async fn ask<C>(channel: C, word: &str) -> Result<Streaming<String>, Status>
where
    C: GrpcService<Body>,
    C::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <C::ResponseBody as http_body::Body>::Error:
        Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    ask_with(channel, Request::new(word.to_owned())).await
}

pub(super) async fn ask_with<C>(
    channel: C,
    request: Request<String>,
) -> Result<Streaming<String>, Status>
where
    C: GrpcService<Body>,
    C::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <C::ResponseBody as http_body::Body>::Error:
        Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let mut client = tonic::client::Grpc::new(channel);
    let ready = client.ready().await;
    ready.map_err(|error| Status::unavailable(error.into().to_string()))?;
    let request = request.map(|word| stream::iter([word]));
    let path = "/shop.Says/Say".parse().unwrap();
    Ok(client.streaming(request, path, Text).await?.into_inner())
}

/// Everything that it says, and how it ended.
pub(super) async fn all(mut stream: Streaming<String>) -> (Vec<String>, Option<Code>) {
    let mut all = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(word)) => all.push(word),
            Ok(None) => return (all, None),
            Err(status) => return (all, Some(status.code())),
        }
    }
}

/// Asks without any client's own ideas of deadlines. What the answer's head, or its trailers, say.
pub(super) async fn raw(
    address: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (HeaderMap, HeaderMap) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let mut request = http::Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let empty = Bytes::from_static(&[0; 5]);
    let request = request.body(Full::new(empty)).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let trailers = body.collect().await.unwrap().trailers().cloned();
    (head.headers, trailers.unwrap_or_default())
}
