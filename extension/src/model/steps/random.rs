//! Random setups and steps: what is likely.

use backstop_config::FlushStrategy;
use proptest::prelude::*;

use super::super::behaviour::behaviour;
use super::super::parameter::parameter;
use super::super::routes::routing;
use super::{
    Deadline, End, Invocation, Metrics, Output, Rewriting, RuntimeDone, Setup, Step, Tampering,
};

pub(in crate::model) fn setup() -> impl Strategy<Value = Setup> {
    let strategy = prop::sample::select(vec![
        FlushStrategy::Auto,
        FlushStrategy::Auto,
        FlushStrategy::End,
        FlushStrategy::Periodic,
        FlushStrategy::Continuous,
    ]);
    let sinks = prop_oneof![
        4 => Just([true, true, true]),
        1 => Just([true, false, false]),
        1 => Just([true, false, true]),
        1 => Just([false, true, true]),
        1 => Just([false, false, true]),
    ];
    (
        strategy,
        prop::sample::select(vec![0, 50, 200, 500, 500, 1500]),
        prop::sample::select(vec![100, 1000]),
        prop::sample::select(vec![8_000, 60_000, 3_000_000]),
        sinks,
        prop::bool::weighted(0.85),
        prop_oneof![2 => Just(0), 1 => clock_skew()],
        prop_oneof![1 => Just(Vec::new()), 1 => prop::collection::vec(output(), 1..4)],
        (
            deadline(),
            room(),
            unfit_every(),
            (
                metrics(),
                transforming(),
                routing(),
                prop::bool::weighted(0.3),
                parameter(),
            ),
        ),
    )
        .prop_map(
            |(
                strategy,
                max_added,
                interval,
                buffer_max_bytes,
                sinks,
                has_spool,
                ahead_ms,
                at_shutdown,
                (
                    shutdown_deadline,
                    room,
                    unfit_every,
                    (metrics, transforms, routing, posts, parameter),
                ),
            )| Setup {
                strategy,
                max_added,
                interval,
                buffer_max_bytes,
                sinks,
                has_spool,
                ahead_ms,
                at_shutdown,
                shutdown_deadline,
                room,
                unfit_every,
                metrics,
                transforms,
                routing,
                posts,
                parameter,
            },
        )
}

fn metrics() -> impl Strategy<Value = Metrics> {
    prop::sample::select(vec![
        Metrics::None,
        Metrics::None,
        Metrics::Moved,
        Metrics::Copied,
    ])
}

fn transforming() -> impl Strategy<Value = Rewriting> {
    let often = || prop::bool::weighted(0.3);
    (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        often(),
        often(),
        any::<bool>(),
    )
        .prop_map(
            |(filters, redacts, keeps_originals, samples, joins, counts)| Rewriting {
                filters,
                redacts,
                keeps_originals,
                samples,
                joins,
                counts,
            },
        )
}

fn room() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(usize::MAX), 1 => 1usize..40]
}

fn unfit_every() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(u64::MAX), 1 => 3u64..60]
}

/// Milliseconds between two clocks: moments, seconds, hours.
fn clock_skew() -> impl Strategy<Value = i64> {
    prop_oneof![-700i64..700, -10_000i64..10_000, -20_000_000i64..20_000_000]
}

fn deadline() -> impl Strategy<Value = Deadline> {
    prop_oneof![
        6 => Just(Deadline::Right),
        1 => Just(Deadline::Missing),
        1 => Just(Deadline::Past),
    ]
}

pub(in crate::model) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0usize..3, behaviour()).prop_map(|(sink, behaviour)| Step::Sink(sink, behaviour)),
        10 => invocation().prop_map(Step::Invoke),
        1 => (-4000i64..4000).prop_map(Step::ClockJump),
        1 => clock_skew().prop_map(Step::ClockSkew),
        1 => Just(Step::Restore),
        1 => Just(Step::Reset),
        1 => tampering().prop_map(Step::Tamper),
    ]
}

fn tampering() -> impl Strategy<Value = Tampering> {
    prop_oneof![
        4 => Just(Tampering::Empty),
        1 => Just(Tampering::Move),
        1 => Just(Tampering::RemoveSpool),
        1 => Just(Tampering::CutSpool),
        1 => Just(Tampering::RemoveLedger),
    ]
}

fn output() -> impl Strategy<Value = Output> {
    let level = prop::sample::select(vec!["DEBUG", "INFO", "INFO", "WARN", "ERROR"]);
    let padding = prop_oneof![30 => 0usize..300, 1 => Just(300_000)];
    (0u64..400, 1u64..40, level, padding).prop_map(|(after, records, level, padding)| Output {
        after,
        records: if padding > 1000 {
            records.min(5)
        } else {
            records
        },
        level,
        padding,
    })
}

fn invocation() -> impl Strategy<Value = Invocation> {
    let runtime_done = prop_oneof![
        10 => Just(RuntimeDone::Once),
        2 => Just(RuntimeDone::Never),
        1 => Just(RuntimeDone::Late),
        1 => Just(RuntimeDone::Before),
        1 => Just(RuntimeDone::Foreign),
        1 => Just(RuntimeDone::Twice),
    ];
    let end = prop_oneof![
        12 => Just(End::Done),
        1 => Just(End::TimesOut),
        2 => (0u64..1500, prop_oneof![3 => Just(0u64), 1 => 0u64..400])
            .prop_map(|(at, torn)| End::Killed(at, torn)),
        1 => Just(End::KilledInFreeze),
    ];
    (
        prop::collection::vec(output(), 0..4),
        prop::option::weighted(0.1, (0usize..4, tampering())),
        (0u64..300, prop_oneof![5 => Just(0), 1 => 1u64..400]),
        0u64..26,
        prop_oneof![3 => 0u64..1000, 1 => 0u64..100_000],
        any::<bool>(),
        end,
        runtime_done,
        deadline(),
        prop_oneof![8 => Just(0), 1 => clock_skew()],
    )
        .prop_map(
            |(
                output,
                tampers,
                (rest, backlog),
                runtime_done_late,
                gap,
                freeze_breaks,
                end,
                runtime_done,
                deadline,
                clock_skew,
            )| {
                Invocation {
                    output,
                    tampers,
                    rest,
                    backlog,
                    runtime_done_late,
                    gap,
                    freeze_breaks,
                    end,
                    runtime_done,
                    deadline,
                    clock_skew,
                }
            },
        )
}
