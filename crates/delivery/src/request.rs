//! One request to a sink: what it needs first, then the parts of a batch, against the window.
//!
//! Invariant: an end that comes before anything of the parts has left is never ambiguous.

use futures_util::FutureExt as _;
use tokio::task::yield_now;

use crate::batch::Batch;
use crate::departure::Departure;
use crate::link::Link;
use crate::outcome::{Answer, Failure};
use crate::sink::{Part, Preparation, SinkFuture};
use crate::window::{Limit, WindowView};

/// How a request ended.
#[derive(Debug)]
pub(crate) struct Sending {
    /// An answer, or why there is none.
    pub(crate) answer: Answer,
    /// What it needs was got for it.
    pub(crate) has_prepared: bool,
    /// The sink may have something of it.
    pub(crate) has_left: bool,
}

/// One attempt.
pub(crate) async fn send_once(
    link: &Link,
    batch: &Batch,
    parts: &[Part],
    window: &mut WindowView,
    limit: Limit,
) -> Sending {
    let preparation = link.sink.prepare();
    let has_prepared = preparation.is_some();
    if let Some(Preparation { store, getting }) = preparation {
        let failure = tokio::select! {
            biased;
            got = getting => got.err().map(Failure::NoSecret),
            failure = window.cut(limit) => Some(failure.of_store(store)),
        };
        if let Some(failure) = failure {
            return Sending {
                answer: Answer::None(failure),
                has_prepared,
                has_left: false,
            };
        }
    }
    let departure = Departure::default();
    let mut sending: SinkFuture<'_> = Box::pin(departure.around(link.sink.send(batch, parts)));
    let answer = tokio::select! {
        biased;
        answer = &mut sending => answer,
        failure = window.cut(limit) => {
            unread_answer(&mut sending).await.unwrap_or(Answer::None(failure))
        }
    };
    Sending {
        answer,
        has_prepared,
        has_left: departure.has_left(),
    }
}

/// An answer that came while this thread was busy with something else, encoding or decoding a burst.
/// Each yield gives the network a turn, and then the task that waits for it; no time passes.
async fn unread_answer(sending: &mut SinkFuture<'_>) -> Option<Answer> {
    const TURNS: usize = 8;
    for _ in 0..TURNS {
        yield_now().await;
        if let Some(answer) = sending.now_or_never() {
            return Some(answer);
        }
    }
    None
}
