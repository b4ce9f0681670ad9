//! The socket under a connection: where a reset and a drip happen.
//!
//! A reset is a real one: the socket is closed with a linger of zero, so that the kernel sends RST
//! and throws away what was not sent. A drip is below TLS and HTTP, so that both come in pieces. Must
//! not know what the bytes mean.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use crate::fault::DRIP;

/// TLS's alert record: fatal, `handshake_failure`.
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// Lets a request control the socket of its connection.
#[derive(Debug, Default)]
pub(super) struct ConnectionControl {
    reset: AtomicBool,
    reset_requested: Notify,
    flood: Notify,
    drip: AtomicBool,
}

impl ConnectionControl {
    /// Resets the connection.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.reset_requested.notify_one();
    }

    pub(super) async fn reset_requested(&self) {
        self.reset_requested.notified().await;
    }

    /// Sends interim answers from now on, and nothing else.
    pub(super) fn flood(&self) {
        self.flood.notify_one();
    }

    pub(super) async fn flooding(&self) {
        self.flood.notified().await;
    }

    /// Whether what is written from now on goes byte by byte.
    pub(super) fn drip(&self, drip: bool) {
        self.drip.store(drip, Ordering::Release);
    }
}

/// A socket that closes with RST when [`ConnectionControl`] says so.
#[derive(Debug)]
pub(super) struct ControlledStream {
    stream: TcpStream,
    control: Arc<ConnectionControl>,
    pause: Pin<Box<Sleep>>,
}

impl ControlledStream {
    pub(super) fn new(stream: TcpStream, control: Arc<ConnectionControl>) -> Self {
        Self {
            stream,
            control,
            pause: Box::pin(tokio::time::sleep(std::time::Duration::ZERO)),
        }
    }

    /// Hears the client's hello and answers with an alert.
    pub(super) async fn fail_handshake(&mut self) {
        let mut hello = [0; 4096];
        // A client that left before has no handshake to fail.
        if self.read(&mut hello).await.is_ok() {
            self.write_all(&HANDSHAKE_FAILURE).await.ok();
            self.shutdown().await.ok();
        }
    }
}

impl Drop for ControlledStream {
    fn drop(&mut self) {
        if self.control.reset.load(Ordering::Acquire) {
            // On a socket that is already gone there is nothing left to reset.
            self.stream.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for ControlledStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ControlledStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.control.drip.load(Ordering::Acquire) {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        }
        ready!(self.pause.as_mut().poll(context));
        let drop = &bytes[..bytes.len().min(1)];
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, drop));
        self.pause.as_mut().reset(Instant::now() + DRIP);
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
