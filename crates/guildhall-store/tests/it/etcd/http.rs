//! Just enough HTTP to post JSON and to read a stream of JSON lines.

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

async fn send(address: SocketAddr, path: &str, body: &Value) -> Result<Response<Incoming>, String> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let request = Request::post(path)
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a request");
    sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())
}

/// Posts JSON and returns the JSON answer, or etcd's error text.
pub(super) async fn post(address: SocketAddr, path: &str, body: &Value) -> Result<Value, String> {
    let response = send(address, path, body).await?;
    let ok = response.status().is_success();
    let bytes = response
        .into_body()
        .collect()
        .await
        .map_err(|error| error.to_string())?
        .to_bytes();
    let answer: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if ok {
        Ok(answer)
    } else {
        Err(answer["error"]
            .as_str()
            .unwrap_or("no error text")
            .to_owned())
    }
}

/// An endless answer, a JSON value a line.
pub(super) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Lines {
    pub(super) async fn post(
        address: SocketAddr,
        path: &str,
        body: &Value,
    ) -> Result<Self, String> {
        let response = send(address, path, body).await?;
        Ok(Self {
            body: response.into_body(),
            buffer: Vec::new(),
        })
    }

    pub(super) async fn next(&mut self) -> Result<Value, String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return serde_json::from_slice(&line).map_err(|error| error.to_string());
            }
            let frame = self
                .body
                .frame()
                .await
                .ok_or("the stream ended")?
                .map_err(|error| error.to_string())?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
