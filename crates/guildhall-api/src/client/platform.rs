//! Calls on the platform itself.

use bytes::Bytes;
use guildhall_core::document::Index;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{Client, ClientError, call::Call, error::chain};
use crate::wire::{Status, path};

impl Client {
    /// How the platform is.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.call(Call::get(path::STATUS.to_owned())).await?.json()
    }

    /// A snapshot of the control store, to be saved as it comes.
    pub async fn snapshot(&self) -> Result<Download, ClientError> {
        let (server, response) = self.open(Call::get(path::SNAPSHOT.to_owned())).await?;
        Ok(Download {
            server,
            body: response.into_body(),
        })
    }

    /// Replaces everything by a snapshot; answers the index of what stands there now.
    pub async fn restore(&self, snapshot: Bytes) -> Result<Index, ClientError> {
        let mut call = Call::post(path::SNAPSHOT.to_owned())
            .header(http::header::CONTENT_TYPE, "application/octet-stream")?;
        call.body = snapshot;
        self.call(call).await?.written_index()
    }
}

/// A body that is too large for memory.
#[derive(Debug)]
pub struct Download {
    server: String,
    body: Incoming,
}

impl Download {
    /// The next bytes; `None` at the end. A download that breaks off ends with an error, so that
    /// half a file is never taken for a whole one.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| ClientError::Broken {
                server: self.server.clone(),
                cause: chain(&error),
            })?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}
