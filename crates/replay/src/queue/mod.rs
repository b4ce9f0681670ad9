//! Objects to replay as messages of a queue: `order` is one of them, `send` puts them there, `state` says
//! how far the queue is.
//!
//! Invariants: a message names one object, and says all that is wanted of it; what a message says is input
//! of strangers: anyone who may write to the queue can forge one. Must not: replay, or build a client.

mod order;
mod send;
mod state;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use backstop_common::{Failure, Kind};

pub use order::{Order, Wanted};
pub use send::{Enqueued, Limits, Queue, Sending, enqueue};
pub use state::Depth;

/// What an error of the queue says, and what to grant where it is denied.
fn explained<E>(what: &str, error: &SdkError<E, HttpResponse>, denied: &str) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let failure = Failure::of(what, error);
    if failure.kind == Kind::Denied {
        return anyhow::anyhow!("{failure}\n{denied}");
    }
    failure.into()
}
