//! Sequences that once broke a rule, shrunk and named. Above each: what the extension did wrong.

mod shutdown;

use backstop_config::{FlushStrategy, Routing};
use backstop_delivery::Failure;
use backstop_scripted_sink::{SinkBehaviour, Which};

use super::behaviour::{breaks, judge, ms, take};
use super::parameter::Parameter;
use super::run;
use super::steps::{
    Deadline, End, Invocation, Metrics, Output, Rewriting, RuntimeDone, Setup, Step, Tampering,
};

pub(super) const SETUP: Setup = Setup {
    strategy: FlushStrategy::Auto,
    max_added: 500,
    interval: 100,
    buffer_max_bytes: 8_000,
    sinks: [true, true, true],
    has_spool: true,
    ahead_ms: 0,
    at_shutdown: Vec::new(),
    shutdown_deadline: Deadline::Right,
    room: usize::MAX,
    unfit_every: u64::MAX,
    metrics: Metrics::None,
    transforms: Rewriting {
        filters: false,
        redacts: false,
        keeps_originals: false,
        samples: false,
        joins: false,
        counts: false,
    },
    routing: Routing::Failover,
    posts: false,
    parameter: Parameter::None,
};

fn output(after: u64, records: u64) -> Output {
    Output {
        after,
        records,
        level: "DEBUG",
        padding: 0,
    }
}

/// An ordinary end, with nothing in particular.
const INVOCATION: Invocation = Invocation {
    output: Vec::new(),
    tampers: None,
    rest: 0,
    backlog: 0,
    runtime_done_late: 0,
    gap: 0,
    freeze_breaks: false,
    end: End::Done,
    runtime_done: RuntimeDone::Once,
    deadline: Deadline::Right,
    clock_skew: 0,
};

/// A short invocation; what is not given is zero.
fn invocation(output: Vec<Output>, rest: u64, end: End) -> Step {
    Step::Invoke(Invocation {
        output,
        rest,
        end,
        ..INVOCATION
    })
}

/// After a reset the spool stayed closed: nothing noticed that the next run was killed.
#[test]
fn a_kill_after_a_reset_is_noticed() {
    let setup = Setup {
        sinks: [true, false, false],
        ..SETUP
    };
    let steps = [
        invocation(Vec::new(), 0, End::Done),
        Step::Sink(0, breaks(0, false)),
        Step::Reset,
        invocation(Vec::new(), 44, End::Killed(1, 0)),
    ];
    run(&setup, &steps);
}

/// The ledger file counted deliveries of records that were still in the spool. The same number of records in
/// memory could then vanish uncounted.
#[test]
fn what_a_flush_has_delivered_hides_no_loss() {
    let steps = [
        Step::Sink(0, SinkBehaviour::After(ms(16), 413)),
        Step::Invoke(Invocation {
            output: vec![output(0, 10), output(0, 12)],
            gap: 100,
            ..INVOCATION
        }),
        invocation(vec![output(50, 1)], 46, End::Killed(51, 0)),
    ];
    run(&SETUP, &steps);
}

/// A record that was shed stayed in the spool: it was counted as dropped, and the next run sent it.
#[test]
fn a_record_that_was_shed_is_removed_from_the_spool() {
    let many = Output {
        level: "ERROR",
        padding: 270,
        ..output(0, 18)
    };
    let steps = [
        invocation(Vec::new(), 0, End::Done),
        invocation(vec![many], 0, End::Killed(1, 0)),
    ];
    run(&SETUP, &steps);
}

/// `rm -rf /tmp/*`: the spool continued in a file without a name, and the next run found nothing.
#[test]
fn what_waits_survives_a_function_that_empties_tmp_and_a_kill() {
    let emptying = |end| {
        Step::Invoke(Invocation {
            output: vec![output(5, 5), output(5, 5)],
            tampers: Some((1, Tampering::Empty)),
            gap: 100,
            end,
            ..INVOCATION
        })
    };
    for strategy in [
        FlushStrategy::End,
        FlushStrategy::Periodic,
        FlushStrategy::Continuous,
    ] {
        let setup = Setup {
            strategy,
            max_added: 50,
            sinks: [true, false, false],
            ..SETUP
        };
        for end in [End::KilledInFreeze, End::TimesOut, End::Killed(300, 0)] {
            let steps = [
                Step::Sink(0, SinkBehaviour::After(ms(0), 503)),
                emptying(End::Done),
                Step::Tamper(Tampering::Empty),
                emptying(end),
                Step::Tamper(Tampering::Move),
                invocation(vec![output(5, 5)], 10, End::Done),
                Step::Reset,
            ];
            run(&setup, &steps);
        }
    }
}

/// An error came while the environment shut down, after its invocation had been dropped: what followed it was dropped.
#[test]
fn what_follows_a_late_error_is_kept() {
    let line = |level| Output {
        level,
        ..output(0, 1)
    };
    let setup = Setup {
        at_shutdown: vec![line("INFO"), line("ERROR"), line("INFO")],
        transforms: Rewriting {
            samples: true,
            ..SETUP.transforms
        },
        ..SETUP
    };
    let dropped = invocation(Vec::new(), 0, End::Done);
    run(&setup, &[dropped.clone(), dropped, Step::Reset]);
}

/// A strict primary refuses one record, and the others of its batch became dead letters.
#[test]
fn a_record_that_the_primary_refuses_condemns_no_other() {
    for sinks in [[true, false, true], [true, false, false]] {
        let setup = Setup {
            sinks,
            buffer_max_bytes: 3_000_000,
            ..SETUP
        };
        let steps = [
            Step::Sink(
                0,
                SinkBehaviour::Refuses(400, Which::MultiplesOf(37), ms(20)),
            ),
            invocation(vec![output(10, 39), output(0, 39)], 100, End::Done),
            invocation(vec![output(10, 39)], 0, End::Done),
        ];
        run(&setup, &steps);
    }
}

/// The function emptied `/tmp` while all records were being sent: they came back, and had no copy any more.
#[test]
fn what_comes_back_after_the_function_emptied_tmp_gets_its_copy_again() {
    let output = |after, records, padding| Output {
        after,
        records,
        level: "DEBUG",
        padding,
    };
    let setup = Setup {
        strategy: FlushStrategy::Continuous,
        max_added: 0,
        sinks: [false, false, true],
        ..SETUP
    };
    let steps = [
        Step::Sink(2, SinkBehaviour::After(ms(96), 425)),
        Step::Invoke(Invocation {
            output: vec![output(100, 16, 226)],
            gap: 2,
            ..INVOCATION
        }),
        Step::Invoke(Invocation {
            output: vec![output(98, 1, 29), output(58, 1, 29)],
            tampers: Some((1, Tampering::Empty)),
            rest: 25,
            runtime_done_late: 13,
            end: End::KilledInFreeze,
            ..INVOCATION
        }),
    ];
    run(&setup, &steps);
}

/// At the end of an invocation halving had no time for the rest. The rest came back as one batch a record, each of
/// which needed its own time at the shutdown.
#[test]
fn what_halving_leaves_for_later_is_one_batch_again() {
    let output = |after, records| Output {
        after,
        records,
        level: "DEBUG",
        padding: 0,
    };
    let setup = Setup {
        max_added: 1500,
        buffer_max_bytes: 60_000,
        sinks: [true, false, true],
        has_spool: false,
        ..SETUP
    };
    let steps = [
        Step::Sink(2, take(45)),
        Step::Sink(0, SinkBehaviour::After(ms(100), 422)),
        Step::Invoke(Invocation {
            output: vec![output(0, 33), output(0, 14), output(0, 29)],
            ..INVOCATION
        }),
        Step::Invoke(Invocation {
            end: End::TimesOut,
            ..INVOCATION
        }),
    ];
    run(&setup, &steps);
}

/// The function cut the spool, and the process was killed before it noticed. The records left in the spool had been
/// delivered but not removed. The missing records and the surplus ones cancelled out.
#[test]
fn what_was_cut_off_before_a_kill_is_not_hidden_by_what_was_delivered() {
    let setup = Setup {
        max_added: 0,
        buffer_max_bytes: 60_000,
        ..SETUP
    };
    let steps = [
        invocation(Vec::new(), 0, End::Done),
        Step::Invoke(Invocation {
            gap: 10_001,
            ..INVOCATION
        }),
        Step::Invoke(Invocation {
            output: vec![output(0, 1), output(20, 1)],
            tampers: Some((2, Tampering::CutSpool)),
            end: End::Killed(21, 0),
            runtime_done: RuntimeDone::Never,
            ..INVOCATION
        }),
    ];
    run(&setup, &steps);
}

/// The rule took an invocation for heard of, whose only sign of life was a post that was refused.
#[test]
fn a_refused_post_does_not_hold_next_where_no_end_is_expected() {
    let setup = Setup {
        strategy: FlushStrategy::End,
        posts: true,
        ..SETUP
    };
    let refused = Output {
        padding: 127,
        ..output(129, 6)
    };
    let steps = [
        Step::Invoke(Invocation {
            runtime_done: RuntimeDone::Never,
            ..INVOCATION
        }),
        invocation(vec![refused, output(371, 1)], 0, End::Done),
    ];
    run(&setup, &steps);
}

/// The runtime's end stood behind a burst, and `/next` was held until all of that had been read; so it was in the
/// next invocation, behind what was left of it.
#[test]
fn a_burst_that_is_read_slowly_holds_next_no_longer_than_the_bound() {
    let behind = |output| {
        Step::Invoke(Invocation {
            output,
            backlog: 100,
            ..INVOCATION
        })
    };
    for strategy in [FlushStrategy::Auto, FlushStrategy::End] {
        for primary in [take(0), SinkBehaviour::Hang] {
            let setup = Setup {
                strategy,
                buffer_max_bytes: 3_000_000,
                ..SETUP
            };
            let steps = [
                Step::Sink(0, primary),
                behind(vec![output(0, 10); 20]),
                behind(vec![output(20, 1)]),
                invocation(vec![output(20, 1)], 100, End::Done),
            ];
            run(&setup, &steps);
        }
    }
}

/// The frame that was torn had ten records that the counts knew and one that they did not: the eleventh was in no count.
#[test]
fn of_a_torn_frame_what_the_counts_know_and_what_they_do_not_are_both_lost() {
    let setup = Setup {
        strategy: FlushStrategy::Periodic,
        max_added: 0,
        buffer_max_bytes: 3_000_000,
        transforms: Rewriting {
            redacts: true,
            keeps_originals: true,
            joins: true,
            ..SETUP.transforms
        },
        routing: Routing::Sample,
        parameter: Parameter::Fails {
            times: 1,
            after_ms: 0,
        },
        ..SETUP
    };
    let lines = |after, records, level, padding| Output {
        after,
        records,
        level,
        padding,
    };
    let steps = [
        Step::Invoke(Invocation {
            output: vec![lines(0, 32, "DEBUG", 274)],
            runtime_done: RuntimeDone::Never,
            ..INVOCATION
        }),
        Step::Invoke(Invocation {
            output: vec![
                lines(0, 37, "ERROR", 198),
                lines(0, 3, "DEBUG", 192),
                lines(0, 25, "DEBUG", 269),
            ],
            gap: 1_000,
            ..INVOCATION
        }),
        invocation(vec![output(211, 1)], 0, End::Killed(1, 1)),
    ];
    run(&setup, &steps);
}
