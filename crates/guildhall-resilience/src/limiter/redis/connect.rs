//! One connection to the server, and what drives it.

use std::pin::Pin;

use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError,
    aio::MultiplexedConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

/// What drives a connection; ends when the connection does.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Asks that wait for the driver at most; further ones wait before they are written down.
const WAITING: usize = 1024;

/// Connects and says who asks. Whoever keeps the connection polls the driver: so it learns at once when the server is
/// gone.
pub(super) async fn connect(
    server: &ConnectionInfo,
) -> Result<(MultiplexedConnection, Driver), RedisError> {
    match server.addr() {
        ConnectionAddr::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            over(server, stream).await
        }
        ConnectionAddr::Unix(path) => over(server, UnixStream::connect(path).await?).await,
        _ => Err(RedisError::from((
            ErrorKind::InvalidClientConfig,
            "neither TCP nor a Unix socket",
        ))),
    }
}

async fn over<T>(
    server: &ConnectionInfo,
    stream: T,
) -> Result<(MultiplexedConnection, Driver), RedisError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Whoever asks has a timeout of its own.
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_pipeline_buffer_size(WAITING);
    let settings = server.redis_settings();
    let made = MultiplexedConnection::new_with_config(settings, stream, config).await?;
    Ok((made.0, Box::pin(made.1)))
}
