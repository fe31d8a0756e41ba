//! Large writes: a stream's data in few calls of the operating system.
//!
//! HTTP/2 cuts data into frames of 16 KiB, as large as clients take them, and its library writes and flushes each by itself: for
//! a gigabyte that is 65,000 calls, which cost more than the copy that gathers them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

/// So many bytes wait at most.
const ROOM: usize = 256 << 10;

/// A write of so many bytes is a frame of a long stream: more follow it at once, or the next flush is soon.
const FRAME: usize = 8 << 10;

/// A connection whose large writes wait for each other.
///
/// What is written is passed on when [`ROOM`] is full and at a flush. The flush that follows a large write is put off to the
/// next one: its task is woken for it, and finds either more frames to write or nothing, and then flushes what waits. So
/// nothing stays here while the task rests. Small writes, such as headers and the end of a message, are flushed at once.
#[derive(Debug)]
pub(super) struct Gather<T> {
    inner: T,
    waiting: Vec<u8>,
    /// So many of them are written.
    written: usize,
    /// The last write was large, and no flush came since.
    puts_off: bool,
}

impl<T: AsyncWrite + Unpin> Gather<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, waiting: Vec::new(), written: 0, puts_off: false }
    }

    /// Writes all that waits.
    fn poll_pass_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.waiting.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        self.waiting.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Gather<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered: usize = parts.iter().map(|part| part.len()).sum();
        if self.waiting.len() + offered > ROOM {
            ready!(self.poll_pass_on(cx))?;
        }
        let mut taken = 0;
        for part in parts {
            let part: &[u8] = part;
            let part = part.get(..ROOM - self.waiting.len()).unwrap_or(part);
            self.waiting.extend_from_slice(part);
            taken += part.len();
        }
        self.puts_off = offered >= FRAME;
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.puts_off) {
            cx.waker().wake_by_ref();
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_pass_on(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pass_on(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Gather<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<T: Connected> Connected for Gather<T> {
    type ConnectInfo = T::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.inner.connect_info()
    }
}

#[cfg(test)]
mod tests;
