//! Everything that takes bytes from a peer here, by name: for those who throw bytes at it, and for nobody else. It must not panic, and not
//! take more memory than its bounds say.

use futures::FutureExt;

/// One of them. Handed any bytes.
pub type Parser = fn(&[u8]);

/// All of this crate, with their names.
pub const ALL: &[(&str, Parser)] =
    &[("link_frames", crate::link::frame::hear), ("membership", crate::membership::hear), ("ticket", ticket)];

fn ticket(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(ticket) = text.parse::<crate::Ticket>() {
        assert_eq!(ticket.to_string().parse::<crate::Ticket>().ok(), Some(ticket), "a ticket is what it was");
    }
}

/// Bytes that are all there, and a place for the answers: nothing ever waits.
pub(crate) struct Told<'a>(pub(crate) &'a [u8]);

impl futures::AsyncRead for Told<'_> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buf: &mut [u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        let n = self.0.len().min(buf.len());
        let (now, later) = self.0.split_at(n);
        buf[..n].copy_from_slice(now);
        self.0 = later;
        std::task::Poll::Ready(Ok(n))
    }
}

impl futures::AsyncWrite for Told<'_> {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::task::Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_close(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

/// Runs what never waits.
pub(crate) fn at_once<T>(what: impl Future<Output = T>) -> T {
    let done = what.now_or_never();
    assert!(done.is_some(), "it waits for more than there is");
    done.unwrap_or_else(|| unreachable!("it was just looked at"))
}
