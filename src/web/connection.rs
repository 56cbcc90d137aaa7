//! A connection that no client can hold open for nothing: one that takes nothing of an
//! answer, and one that neither has a request in flight nor completes the next, is closed.
//!
//! The HTTP library knows no time for writes, and one for the head of a connection's first
//! request alone.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::limits::Limits;

/// Bytes that are read of a connection before what was read is looked at. The HTTP library reads as
/// long as something comes, up to 128 KiB, and keeps a buffer of that size for each connection.
const AT_ONCE: usize = 16 * 1024;

/// The requests of one connection that are being answered.
#[derive(Clone, Default)]
pub struct InFlight(Arc<AtomicU32>);

impl InFlight {
    /// Counts a request until the guard is dropped.
    pub fn begin(&self) -> Request {
        self.0.fetch_add(1, Ordering::Relaxed);
        Request(self.clone())
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

pub struct Request(InFlight);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream with an end to its patience.
pub struct Watched<T> {
    stream: T,
    in_flight: InFlight,
    idle: Duration,
    write: Duration,
    /// Bytes that were read since the reader last had to wait.
    read: usize,
    /// Something was last written, or a request last in flight.
    active: Instant,
    quiet: Option<Pin<Box<Sleep>>>,
    /// Set while the client takes nothing.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<T> Watched<T> {
    pub fn new(stream: T, limits: &Limits) -> Watched<T> {
        Watched {
            stream,
            in_flight: InFlight::default(),
            idle: limits.idle,
            write: limits.write,
            read: 0,
            active: Instant::now(),
            quiet: None,
            stuck: None,
        }
    }

    pub fn in_flight(&self) -> InFlight {
        self.in_flight.clone()
    }

    /// What to make of it that nothing can be read.
    fn nothing_read<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let Watched { in_flight, idle, active, quiet, .. } = self;
        let quiet = quiet.get_or_insert_with(|| Box::pin(sleep_until(*active + *idle)));
        // It is looked at again now and then rather than set anew with each request.
        while quiet.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if in_flight.any() {
                *active = now;
            } else if *active + *idle <= now {
                return Poll::Ready(Err(timed_out("the client was quiet for too long")));
            }
            quiet.as_mut().reset(*active + *idle);
        }
        Poll::Pending
    }

    /// The same for a write.
    fn written<R>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.active = Instant::now();
        }
        self.taken(cx, outcome)
    }

    /// What to make of it that the client takes nothing. That it takes all is no sign of life: a flush
    /// comes with every byte that is read.
    fn taken<R>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.stuck = None;
            return outcome;
        }
        let write = self.write;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + write)));
        match stuck.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(timed_out("the client takes nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn timed_out(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read >= AT_ONCE {
            self.read = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = into.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, into) {
            Poll::Pending => {
                self.read = 0;
                self.nothing_read(cx)
            }
            ready => {
                self.read += into.filled().len() - before;
                ready
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes what is written into a buffer of its own: whether the client takes it shows here.
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.taken(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
