//! Large writes: a stream's data in few calls of the operating system, from where they lie.
//!
//! HTTP/2 cuts data into frames of 16 KiB, as large as clients take them, and its library writes and flushes each by itself: for
//! a gigabyte that is 65,000 calls. So frames wait for each other here. A writer shows what it writes only for the length of a
//! call, so it would have to be copied to wait, a second time beside the copy that the system makes; but what an answer
//! lends to its connection ([`Loans`]) is known there, and a frame that lies in it waits as a share of it.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// So many bytes wait at most.
const ROOM: usize = 256 << 10;

/// A write of so many bytes is a frame of a long stream: more follow it at once, or the next flush is soon.
const FRAME: usize = 8 << 10;

/// Less is copied, not shared.
const SMALL: usize = 1 << 10;

/// Parts of one call of the operating system.
const PARTS: usize = 64;

/// What a connection's answers are sending, by where it lies.
#[derive(Debug, Clone, Default)]
pub(super) struct Loans(Arc<Mutex<Vec<Bytes>>>);

impl Loans {
    /// The same bytes, known to the connection as long as something holds what is given back.
    pub(super) fn lend(&self, bytes: Bytes) -> Bytes {
        self.all().push(bytes.clone());
        Bytes::from_owner(Loan { bytes, loans: self.clone() })
    }

    /// A share of the bytes that lie there. They are alive as long as they are known: nothing else can lie in their place.
    pub(super) fn share(&self, part: &[u8]) -> Option<Bytes> {
        let range = part.as_ptr_range();
        let all = self.all();
        let whole = all.iter().find(|bytes| {
            let known = bytes.as_ptr_range();
            known.start <= range.start && range.end <= known.end
        })?;
        Some(whole.slice_ref(part))
    }

    fn all(&self) -> MutexGuard<'_, Vec<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes on their way out of a connection.
struct Loan {
    bytes: Bytes,
    loans: Loans,
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut all = self.loans.all();
        // Of two answers that send the same bytes, either.
        if let Some(place) = all.iter().position(|bytes| bytes.as_ptr_range() == self.bytes.as_ptr_range()) {
            all.swap_remove(place);
        }
    }
}

/// What a call knows of its connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) tcp: TcpConnectInfo,
    pub(super) loans: Loans,
}

/// A connection whose large writes wait for each other.
///
/// What is written is passed on when [`ROOM`] is full and at a flush. The flush that follows a large write is put off to the
/// next one: its task is woken for it, and finds either more frames to write or nothing, and then flushes what waits. So
/// nothing stays here while the task rests. Small writes, such as headers and the end of a message, are flushed at once.
#[derive(Debug)]
pub(super) struct Gather<T> {
    inner: T,
    loans: Loans,
    waiting: VecDeque<Bytes>,
    /// Copies, behind what waits.
    small: BytesMut,
    /// Bytes of both.
    size: usize,
    /// The last write was large, and no flush came since.
    puts_off: bool,
}

impl<T: AsyncWrite + Unpin> Gather<T> {
    pub(super) fn new(inner: T) -> Self {
        let (waiting, small) = (VecDeque::new(), BytesMut::new());
        Self { inner, loans: Loans::default(), waiting, small, size: 0, puts_off: false }
    }

    fn push(&mut self, part: &[u8]) {
        self.size += part.len();
        match Some(part).filter(|part| part.len() >= SMALL).and_then(|part| self.loans.share(part)) {
            Some(shared) => {
                self.end_small();
                self.waiting.push_back(shared);
            }
            None => self.small.extend_from_slice(part),
        }
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.waiting.push_back(self.small.split().freeze());
        }
    }

    /// Writes all that waits.
    fn poll_pass_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_small();
        while self.size > 0 {
            let mut parts = [IoSlice::new(&[]); PARTS];
            parts.iter_mut().zip(&self.waiting).for_each(|(part, bytes)| *part = IoSlice::new(bytes));
            let parts = parts.get(..self.waiting.len()).unwrap_or(&parts);
            let count = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, parts))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written(count);
        }
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, mut count: usize) {
        self.size -= count;
        while let Some(first) = self.waiting.front_mut().filter(|_| count > 0) {
            let gone = count.min(first.len());
            first.advance(gone);
            count -= gone;
            if first.is_empty() {
                self.waiting.pop_front();
            }
        }
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
        if self.size + offered > ROOM {
            ready!(self.poll_pass_on(cx))?;
        }
        let mut taken = 0;
        for part in parts {
            let part: &[u8] = part;
            let part = part.get(..ROOM - self.size).unwrap_or(part);
            self.push(part);
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

impl<T: Connected<ConnectInfo = TcpConnectInfo>> Connected for Gather<T> {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer { tcp: self.inner.connect_info(), loans: self.loans.clone() }
    }
}

#[cfg(test)]
mod tests;
