use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::*;

/// What counts how often it is written and flushed, and takes few bytes at a time.
#[derive(Debug)]
struct Sink {
    got: Vec<u8>,
    /// Where the parts of the last write lie.
    parts: Vec<*const u8>,
    writes: usize,
    flushes: usize,
    takes: usize,
    stands_still: bool,
}

impl Sink {
    fn taking(takes: usize) -> Gather<Self> {
        Gather::new(Self { got: Vec::new(), parts: Vec::new(), writes: 0, flushes: 0, takes, stands_still: false })
    }
}

impl AsyncWrite for Sink {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.stands_still {
            return Poll::Pending;
        }
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).take(self.takes).collect();
        let count = bytes.len();
        self.writes += 1;
        self.parts = parts.iter().map(|part| part.as_ptr()).collect();
        self.got.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn write(gather: &mut Gather<Sink>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    let (head, body) = bytes.split_at(bytes.len().min(9));
    Pin::new(gather).poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)])
}

fn write_parts(gather: &mut Gather<Sink>, cx: &mut Context<'_>, parts: &[&[u8]]) -> bool {
    let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let all: usize = parts.iter().map(|part| part.len()).sum();
    matches!(Pin::new(gather).poll_write_vectored(cx, &slices), Poll::Ready(Ok(count)) if count == all)
}

#[test]
fn frames_wait_for_each_other_and_small_writes_do_not() {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let cx = &mut Context::from_waker(&waker);
    let mut gather = Sink::taking(usize::MAX);
    let frame: Vec<u8> = (0..16_393).map(|place| (place % 251) as u8).collect();
    let mut sent = Vec::new();
    for _ in 0..15 {
        assert!(matches!(write(&mut gather, cx, &frame), Poll::Ready(Ok(16_393))));
        assert!(Pin::new(&mut gather).poll_flush(cx).is_ready());
        sent.extend_from_slice(&frame);
    }
    assert_eq!(gather.inner.writes, 0, "all fit into the room");
    assert_eq!(woken.0.load(Ordering::Relaxed), 15, "each flush that was put off is owed");
    // The task comes back and has nothing to write.
    assert!(Pin::new(&mut gather).poll_flush(cx).is_ready());
    assert_eq!((gather.inner.writes, gather.inner.flushes), (1, 1));
    assert_eq!(gather.inner.got, sent);
    // A large one and the small end of its message: no waking is needed.
    assert!(write(&mut gather, cx, &frame).is_ready());
    assert!(write(&mut gather, cx, b"trailers").is_ready());
    assert!(Pin::new(&mut gather).poll_flush(cx).is_ready());
    sent.extend_from_slice(&frame);
    sent.extend_from_slice(b"trailers");
    assert_eq!(gather.inner.got, sent);
    assert_eq!(woken.0.load(Ordering::Relaxed), 15);
}

#[test]
fn a_full_room_is_passed_on_and_a_connection_that_stands_still_holds_the_writer() {
    let cx = &mut Context::from_waker(Waker::noop());
    let mut gather = Sink::taking(10_000);
    let frame = vec![7; 16_393];
    let mut sent = 0;
    for _ in 0..40 {
        let Poll::Ready(Ok(count)) = write(&mut gather, cx, &frame) else { panic!("it takes them") };
        sent += count;
    }
    assert_eq!(gather.inner.got.len() + gather.size, sent);
    assert!(gather.size <= ROOM && gather.inner.got.len() >= sent - ROOM);
    // One that is larger than the room is taken in pieces.
    let large = vec![8; ROOM + 1];
    assert!(matches!(write(&mut gather, cx, &large), Poll::Ready(Ok(ROOM))));
    gather.inner.stands_still = true;
    assert!(write(&mut gather, cx, &frame).is_pending());
    assert!(Pin::new(&mut gather).poll_shutdown(cx).is_pending());
    gather.inner.stands_still = false;
    assert!(Pin::new(&mut gather).poll_shutdown(cx).is_ready());
    assert_eq!(gather.inner.got.len(), sent + ROOM, "nothing is lost and nothing twice");
}

#[test]
fn what_was_lent_waits_where_it_lies_and_all_else_as_a_copy() {
    let cx = &mut Context::from_waker(Waker::noop());
    // Parts of calls end anywhere.
    for takes in [usize::MAX, 10_000, 97] {
        let mut gather = Sink::taking(takes);
        let known = Bytes::from_iter((0..65_536).map(|place| (place % 251) as u8));
        let own = vec![9; 5_000];
        // Two answers may send the same.
        let [lent, again] = [gather.loans.lend(known.clone()), gather.loans.lend(known)];
        // As HTTP/2 writes: the head of a frame with the first bytes, and the rest of the frame.
        let mut sent = Vec::new();
        for frame in lent.chunks(16_384) {
            let head = [b"head", &frame[..247]].concat();
            assert!(write_parts(&mut gather, cx, &[&head, &frame[247..]]));
            sent.extend_from_slice(&[&head, &frame[247..]].concat());
        }
        assert!(write_parts(&mut gather, cx, &[&own, b"end"]));
        sent.extend_from_slice(&[&own[..], b"end"].concat());
        let places: Vec<_> = lent.chunks(16_384).map(|frame| frame[247..].as_ptr()).collect();
        assert_eq!(gather.loans.all().len(), 2);
        // They are given back before they are written.
        drop(lent);
        assert_eq!(gather.loans.all().len(), 1);
        drop(again);
        assert!(gather.loans.all().is_empty());
        while Pin::new(&mut gather).poll_flush(cx).is_pending() {}
        assert_eq!(gather.inner.got, sent);
        assert_eq!((gather.size, gather.waiting.len()), (0, 0));
        if takes == usize::MAX {
            let shared: Vec<_> = gather.inner.parts.iter().filter(|part| places.contains(part)).collect();
            assert_eq!((gather.inner.writes, shared.len()), (1, 4));
            assert_eq!(gather.inner.parts.len(), 9, "heads and frames, and one copy of what was not lent");
        }
    }
}
