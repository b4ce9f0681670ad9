//! The bodies of requests, which tell that they leave, and of answers: never more of one than has a use.
//!
//! The server decides how much it sends, so each reader has a bound.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use backstop_delivery::Departure;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, SizeHint};

/// The body of a request. hyper asks for it once there is a connection.
#[derive(Debug)]
pub(crate) struct Outgoing {
    body: Full<Bytes>,
    departure: Departure,
}

impl Outgoing {
    pub(crate) fn new(body: Bytes, departure: Departure) -> Self {
        Self {
            body: Full::new(body),
            departure,
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.departure.leave();
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reads the rest of an answer so that its connection can be used again, but never for long: the
/// status has been heard, and a sink that dawdles over its body must not cost the budget. Returns as many of the
/// first bytes as are wanted and have come.
pub(crate) async fn drain<B: Body<Data = Bytes> + Unpin>(
    body: Option<B>,
    wanted: usize,
) -> Vec<u8> {
    const MOST_BYTES: usize = 64 * 1024;
    const LONGEST: Duration = Duration::from_millis(50);
    let mut first = Vec::new();
    let Some(mut body) = body else {
        return first;
    };
    let read = async {
        let mut total = 0;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(data) = frame.data_ref() else {
                continue;
            };
            let room = wanted.saturating_sub(first.len());
            first.extend_from_slice(&data[..data.len().min(room)]);
            total += data.len();
            if total > MOST_BYTES {
                return;
            }
        }
    };
    // Past the time the connection is closed instead, which is all there is to do about it.
    drop(tokio::time::timeout(LONGEST, read).await);
    first
}

/// Reads an answer whose body matters, and no more of it than `most_bytes`: a longer one is not what
/// was asked for, and memory is the function's. The caller must expect a body that was cut off.
pub(crate) async fn read<B: Body<Data = Bytes> + Unpin>(
    mut body: B,
    most_bytes: usize,
) -> Result<Vec<u8>, B::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let room = most_bytes - bytes.len();
        bytes.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() >= room {
            break;
        }
    }
    Ok(bytes)
}
