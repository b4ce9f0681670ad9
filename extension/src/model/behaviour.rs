//! What a sink does with a request, and how likely that is.

use std::time::Duration;

use backstop_delivery::{Failure, PartAnswer};
use backstop_scripted_sink::{SinkBehaviour, Which};
use proptest::prelude::*;

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Takes everything, after this number of milliseconds.
pub(super) fn take(wait: u64) -> SinkBehaviour {
    SinkBehaviour::After(ms(wait), 200)
}

/// Breaks the connection, with everything taken or nothing.
pub(super) fn breaks(wait: u64, has_taken: bool) -> SinkBehaviour {
    SinkBehaviour::Breaks {
        after: ms(wait),
        has_taken,
    }
}

/// Answers for each part, or each record, by itself.
pub(super) fn judge(every: u64, wait: u64) -> SinkBehaviour {
    SinkBehaviour::Judge {
        every,
        after: ms(wait),
    }
}

fn partial((failed, is_unheard): (Vec<usize>, bool)) -> SinkBehaviour {
    let fate = if is_unheard {
        PartAnswer::Unheard
    } else {
        PartAnswer::Retry
    };
    SinkBehaviour::Parts(fate, failed)
}

pub(super) fn behaviour() -> impl Strategy<Value = SinkBehaviour> {
    let refusals = vec![
        302, 400, 401, 403, 404, 408, 413, 422, 425, 429, 500, 502, 503, 504,
    ];
    let wrong = || (2u64..60).prop_map(Which::MultiplesOf);
    let wait = || (0u64..150).prop_map(ms);
    prop_oneof![
        6 => (0u64..300).prop_map(take),
        4 => (prop::sample::select(refusals), wait()).prop_map(|(code, wait)| SinkBehaviour::After(wait, code)),
        1 => (0u64..3000).prop_map(|after| SinkBehaviour::RetryAfter(429, ms(after))),
        2 => Just(SinkBehaviour::Nothing(Failure::Refused)),
        1 => (0u64..150).prop_map(|wait| breaks(wait, true)),
        1 => (0u64..150).prop_map(|wait| breaks(wait, false)),
        2 => Just(SinkBehaviour::Hang),
        1 => Just(SinkBehaviour::Unreached),
        2 => (100u64..8000).prop_map(|wait| SinkBehaviour::Late(ms(wait))),
        1 => (prop::collection::vec(0usize..4, 0..3), any::<bool>()).prop_map(partial),
        2 => (2u64..60, 0u64..150).prop_map(|(every, wait)| judge(every, wait)),
        1 => (wrong(), wait()).prop_map(|(wrong, wait)| SinkBehaviour::Unnamed(wrong, wait)),
        1 => (wrong(), wait(), any::<bool>())
            .prop_map(|(wrong, after, keeps_before)| SinkBehaviour::Names { wrong, after, keeps_before }),
        1 => (0usize..20).prop_map(|most| SinkBehaviour::TooLarge { most, never: None }),
        2 => (prop::sample::select(vec![400, 400, 422, 413]), wrong(), wait())
            .prop_map(|(code, wrong, wait)| SinkBehaviour::Refuses(code, wrong, wait)),
    ]
}
