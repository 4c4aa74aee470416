//! The connection's transport: TCP, whose frames are made readable ([`Frames`]) before the client library sees them.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use async_rs::{Runtime, Tokio};
use futures_util::io::{AsyncRead, AsyncWrite};
use futures_util::{Stream, TryFutureExt};

use super::frames::Frames;

/// Bytes that are read at once.
const READ_BYTES: usize = 128 << 10;

/// Returns the runtime of this thread, for a client library whose streams are [`Readable`].
pub(super) fn runtime() -> Runtime<Kit> {
    Runtime::new(Kit(Tokio::current()))
}

/// Tokio, with streams that are made readable.
#[derive(Clone, Debug)]
pub(super) struct Kit(Tokio);

impl RuntimeKit for Kit {}

impl Executor for Kit {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        work: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(work)
    }
}

impl Reactor for Kit {
    type TcpStream = Readable<<Tokio as Reactor>::TcpStream>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: io::Read + io::Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Self::TcpStream, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        self.0.tcp_connect_addr(address).map_ok(Readable::new)
    }
}

/// A stream whose frames are made readable. What is written is not touched.
#[derive(Debug)]
pub(super) struct Readable<S> {
    stream: S,
    frames: Frames,
    buffer: Vec<u8>,
    /// The bytes of the buffer that can be taken.
    ready: std::ops::Range<usize>,
    /// The end of the bytes in the buffer.
    filled: usize,
}

impl<S> Readable<S> {
    fn new(stream: S) -> Self {
        Readable { stream, frames: Frames::default(), buffer: Vec::new(), ready: 0..0, filled: 0 }
    }

    /// Makes room for more bytes behind those that wait for the rest of their frame.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.ready.end..self.filled, 0);
        self.filled -= self.ready.end;
        self.ready = 0..0;
        self.buffer.resize(self.buffer.len().max(self.filled + READ_BYTES), 0);
    }

    /// Takes note of bytes that were read; none: of the end of the stream.
    fn fill(&mut self, count: usize) {
        self.filled += count;
        self.ready.end = match count {
            // A frame that was cut off.
            0 => self.filled,
            _ => self.frames.make_readable(&mut self.buffer[..self.filled]),
        };
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Readable<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        while this.ready.is_empty() {
            this.make_room();
            let room = &mut this.buffer[this.filled..];
            let count = ready!(pin!(&mut this.stream).poll_read(cx, room))?;
            this.fill(count);
            if count == 0 && this.ready.is_empty() {
                return Poll::Ready(Ok(0));
            }
        }
        let count = out.len().min(this.ready.len());
        let taken = this.ready.start..this.ready.start + count;
        this.ready.start = taken.end;
        out[..count].copy_from_slice(&this.buffer[taken]);
        Poll::Ready(Ok(count))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Readable<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut self.get_mut().stream).poll_write_vectored(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.get_mut().stream).poll_close(cx)
    }
}
