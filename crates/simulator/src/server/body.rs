//! The body of an answer, whole or in one of the ways in which a body can be none.
//!
//! Invariant: what a body promises in `Content-Length` is what its fault is about, and nothing else.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, Response};
use hyper::body::{Body, Frame, SizeHint};

use crate::fault::Fault;

/// What a body that is cut off lacks.
const MISSING_BYTES: usize = 1000;
/// A piece of a body that never ends.
static PIECE: [u8; 64 * 1024] = [b' '; 64 * 1024];

#[derive(Debug)]
pub(super) enum Reply {
    Whole(Option<Bytes>),
    Never,
    /// Ends before its `Content-Length`, when what there is has had a turn to be flushed.
    Short {
        bytes: Option<Bytes>,
        flushed: bool,
    },
    Endless,
}

impl Reply {
    /// The answer as this fault has it.
    pub(super) fn under(fault: Option<Fault>, response: Response<Bytes>) -> Response<Self> {
        let (mut head, bytes) = response.into_parts();
        let promised = match fault {
            Some(Fault::HangAfterHead(_)) => Some(bytes.len().max(1)),
            Some(Fault::ShortBody(_)) => Some(bytes.len() + MISSING_BYTES),
            _ => None,
        };
        let body = match fault {
            Some(Fault::HangAfterHead(_)) => Self::Never,
            Some(Fault::ShortBody(_)) => Self::Short {
                bytes: Some(bytes),
                flushed: false,
            },
            Some(Fault::EndlessBody(_)) => Self::Endless,
            _ => Self::Whole(Some(bytes)),
        };
        if !matches!(body, Self::Whole(_)) {
            head.headers.remove(CONTENT_LENGTH);
            head.headers.remove(TRANSFER_ENCODING);
        }
        if let Some(length) = promised {
            head.headers
                .insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        Response::from_parts(head, body)
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match self.get_mut() {
            Self::Whole(bytes) => bytes.take().filter(|bytes| !bytes.is_empty()),
            Self::Short { bytes, flushed } => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                if bytes.is_none() && !std::mem::replace(flushed, true) {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                bytes
            }
            // Nobody needs to be woken: the connection ends, or nothing does.
            Self::Never => return Poll::Pending,
            Self::Endless => Some(Bytes::from_static(&PIECE)),
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.as_ref().is_none_or(Bytes::is_empty))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Never | Self::Short { .. } | Self::Endless => SizeHint::default(),
        }
    }
}
