//! What a connection's bytes come over: TCP as it is, or TLS on it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, copy, sink};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The answer to HTTP without TLS at an address that has TLS. It names no host: the request's own may
/// be anything.
const SPEAK_TLS: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 54\r\nConnection: close\r\n\r\nThis address speaks HTTPS: begin yours with https://.\n";

pub enum Transport {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// Readies a connection for HTTP. Where there is TLS, the client has so long for its handshake.
pub async fn accept(
    stream: TcpStream,
    tls: Option<&TlsAcceptor>,
    patience: Duration,
) -> io::Result<Transport> {
    let Some(tls) = tls else { return Ok(Transport::Plain(stream)) };
    let handshake = async {
        let mut first = [0];
        // A handshake begins with the byte 22, a request with the letters of its method.
        if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
            return refuse(stream).await;
        }
        tls.accept(stream).await.map(|stream| Transport::Secure(Box::new(stream)))
    };
    timeout(patience, handshake).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, "the client did not end its handshake"))
    })
}

async fn refuse(mut stream: TcpStream) -> io::Result<Transport> {
    stream.write_all(SPEAK_TLS.as_bytes()).await?;
    stream.shutdown().await?;
    // What it goes on sending is read, in part: a close with bytes unread would take the answer back.
    let _ = copy(&mut stream.take(64 * 1024), &mut sink()).await;
    Err(io::Error::new(io::ErrorKind::InvalidData, "the client speaks HTTP without TLS"))
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Transport::Secure(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Secure(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
            Transport::Secure(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Secure(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
