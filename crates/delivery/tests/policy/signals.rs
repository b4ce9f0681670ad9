//! Each signal goes to the sinks that take it, and none of them suffers for another.

use backstop_delivery::{BreakerState, Phase, Role, Signal, SinkName};

use crate::support::{Rig, SinkBehaviour, batch, ms};

const HTTPS: SinkName = SinkName::Https;
/// Stands for the same primary's address of metrics: scripts are by name.
const METRICS: SinkName = SinkName::Firehose;

fn rig() -> Rig {
    Rig::of_signals(&[
        (HTTPS, Role::Primary, Some(Signal::Log)),
        (METRICS, Role::Primary, Some(Signal::Metric)),
        (SinkName::S3, Role::Fallback, None),
    ])
}

fn of_signal(first: u64, signal: Signal) -> backstop_delivery::Batch {
    let mut batch = batch(first, 2);
    batch.retain(|record| {
        record.set_signal(signal);
        true
    });
    batch
}

#[tokio::test(start_paused = true)]
async fn an_address_that_takes_no_metrics_costs_the_logs_nothing() {
    let rig = rig();
    rig.say(METRICS, SinkBehaviour::Status(404));
    let all = vec![
        of_signal(1, Signal::Log),
        of_signal(3, Signal::Metric),
        of_signal(5, Signal::Span),
    ];
    let left = rig.flush(all, Phase::PostRuntime, ms(1000)).await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(HTTPS, 2), (SinkName::S3, 4)]);
    assert_eq!(rig.sequences(HTTPS), [[1, 2]]);
    assert_eq!(rig.breaker(HTTPS), BreakerState::Closed);
    assert_eq!(rig.breaker(METRICS), BreakerState::Open);
    // What nobody but a fallback takes was not diverted from anywhere.
    let diverted = rig.diverted(SinkName::S3);
    assert_eq!(diverted.len(), 1, "{diverted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_wanted_only_where_there_is_something_to_probe_with() {
    let rig = rig();
    rig.say(METRICS, SinkBehaviour::Status(404));
    let metrics = vec![of_signal(1, Signal::Metric)];
    rig.flush(metrics, Phase::PostRuntime, ms(1000)).await;
    tokio::time::advance(ms(120_000)).await;
    assert!(
        rig.chain
            .wants_probe(|_, signal| signal == Some(Signal::Metric))
    );
    assert!(
        !rig.chain
            .wants_probe(|_, signal| signal == Some(Signal::Log))
    );
}
