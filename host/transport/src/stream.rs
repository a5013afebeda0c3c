//! A TCP or TLS stream that knows whether anything was heard on it.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// What a stream has met since the last [`reset`](Self::reset). Shared with whoever judges errors,
/// since the HTTP library keeps the stream to itself.
#[derive(Default)]
pub(crate) struct Signals {
    heard: AtomicBool,
    cut: AtomicBool,
}

impl Signals {
    pub(crate) fn reset(&self) {
        self.heard.store(false, Relaxed);
        self.cut.store(false, Relaxed);
    }

    /// Whether a byte was received. TLS records that carry no data do not count.
    pub(crate) fn heard(&self) -> bool {
        self.heard.load(Relaxed)
    }

    /// Whether a TLS stream ended without saying so: anyone on the way may have cut it.
    pub(crate) fn cut(&self) -> bool {
        self.cut.load(Relaxed)
    }
}

pub(crate) struct Stream {
    carrier: Carrier,
    signals: Arc<Signals>,
}

/// Plain or encrypted; the larger one is boxed.
pub(crate) enum Carrier {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) fn new(carrier: Carrier) -> (Self, Arc<Signals>) {
        let signals = Arc::new(Signals::default());
        (
            Self {
                carrier,
                signals: Arc::clone(&signals),
            },
            signals,
        )
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.carrier {
            Carrier::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Carrier::Tls(tls) => {
                let read = Pin::new(tls).poll_read(cx, buffer);
                // rustls has its own name for an end without `close_notify`.
                if matches!(&read, Poll::Ready(Err(e)) if e.kind() == ErrorKind::UnexpectedEof) {
                    self.signals.cut.store(true, Relaxed);
                }
                read
            }
        };
        if buffer.filled().len() > before {
            self.signals.heard.store(true, Relaxed);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.carrier {
            Carrier::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Carrier::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    // Head and body leave in one system call.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.carrier {
            Carrier::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Carrier::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.carrier {
            Carrier::Tcp(tcp) => tcp.is_write_vectored(),
            Carrier::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Carrier::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Carrier::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
