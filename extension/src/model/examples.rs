//! Sequences that once broke a rule, shrunk and named. Above each: what the extension did wrong.

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

/// A fallback that had failed was healthy again, and was not asked: the other one hung until the end.
#[test]
fn at_shutdown_a_fallback_that_came_back_is_asked_though_another_hangs() {
    let setup = Setup {
        max_added: 200,
        has_spool: false,
        ..SETUP
    };
    let steps = [
        Step::Sink(1, SinkBehaviour::Hang),
        Step::Sink(0, SinkBehaviour::After(ms(0), 302)),
        Step::Sink(2, SinkBehaviour::Hang),
        invocation(Vec::new(), 0, End::Done),
        Step::Sink(1, take(0)),
    ];
    run(&setup, &steps);
}

/// The same without a primary: the fallback that hung got its time twice, and the healthy one none.
#[test]
fn at_shutdown_a_sink_that_hangs_leaves_time_for_one_that_was_given_up() {
    let setup = Setup {
        sinks: [false, true, true],
        has_spool: false,
        ..SETUP
    };
    let steps = [
        Step::Sink(1, SinkBehaviour::Nothing(Failure::Refused)),
        invocation(Vec::new(), 0, End::Done),
        Step::Sink(1, take(0)),
        Step::Sink(2, SinkBehaviour::Hang),
    ];
    run(&setup, &steps);
}

/// The flush in progress waited for a sink's whole `Retry-After`, and the records behind it were never sent.
#[test]
fn at_shutdown_a_wait_leaves_time_for_what_waits_behind_it() {
    let setup = Setup {
        strategy: FlushStrategy::Continuous,
        max_added: 50,
        ..SETUP
    };
    let steps = [
        Step::Sink(2, take(51)),
        Step::Sink(1, SinkBehaviour::RetryAfter(429, ms(1608))),
        Step::Sink(0, breaks(107, true)),
        invocation(vec![output(197, 1), output(210, 1)], 142, End::Done),
    ];
    run(&setup, &steps);
}

/// A wait before a retry continued into the shutdown.
#[test]
fn a_wait_that_began_before_the_shutdown_leaves_time_for_what_waits_behind_it() {
    let setup = Setup {
        strategy: FlushStrategy::Continuous,
        max_added: 50,
        sinks: [false, false, true],
        has_spool: false,
        ..SETUP
    };
    let steps = [
        Step::Sink(2, SinkBehaviour::RetryAfter(429, ms(1573))),
        invocation(vec![output(3, 1)], 97, End::Done),
        invocation(vec![output(121, 1)], 129, End::Done),
        Step::Sink(2, take(64)),
    ];
    run(&setup, &steps);
}

/// The shutdown cut a retry short, and the next sink, which hung, used up all the time.
#[test]
fn a_flush_that_the_shutdown_interrupts_starts_again() {
    let setup = Setup {
        strategy: FlushStrategy::Continuous,
        has_spool: false,
        ..SETUP
    };
    let broken = |output: Vec<Output>, rest: u64, runtime_done_late: u64| {
        Step::Invoke(Invocation {
            output,
            rest,
            runtime_done_late,
            freeze_breaks: true,
            ..INVOCATION
        })
    };
    let pad = |after, records, padding| Output {
        padding,
        ..output(after, records)
    };
    let steps = [
        Step::Sink(0, SinkBehaviour::Hang),
        broken(vec![output(157, 1), pad(55, 6, 63)], 16, 7),
        broken(vec![pad(142, 4, 197)], 208, 15),
        broken(Vec::new(), 135, 16),
        Step::Sink(2, SinkBehaviour::Hang),
    ];
    run(&setup, &steps);
}

/// The shutdown waited to the end for a request that hung, although its sink was healthy again.
#[test]
fn at_shutdown_a_request_that_hangs_leaves_time_for_another_to_the_same_sink() {
    let setup = Setup {
        strategy: FlushStrategy::Continuous,
        sinks: [false, false, true],
        has_spool: false,
        ..SETUP
    };
    let steps = [
        Step::Sink(2, SinkBehaviour::Hang),
        invocation(vec![output(0, 4)], 200, End::Done),
        Step::Sink(2, take(60)),
    ];
    run(&setup, &steps);
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

/// The primary hung in a shutdown. The fallback that had taken the first batches was passed over for one that had not
/// answered yet.
#[test]
fn a_fallback_that_takes_everything_gets_all_of_a_shutdown() {
    let setup = Setup {
        max_added: 50,
        buffer_max_bytes: 60_000,
        has_spool: false,
        at_shutdown: vec![output(129, 1), output(202, 1)],
        metrics: Metrics::Moved,
        transforms: Rewriting {
            redacts: true,
            ..SETUP.transforms
        },
        ..SETUP
    };
    let padded = |records, padding| Output {
        padding,
        ..output(0, records)
    };
    let once = |output, gap| Invocation {
        output,
        gap,
        ..INVOCATION
    };
    let unheard = Invocation {
        runtime_done: RuntimeDone::Never,
        deadline: Deadline::Missing,
        ..once(vec![output(0, 2)], 0)
    };
    let last = Invocation {
        runtime_done: RuntimeDone::Before,
        clock_skew: -1,
        ..once(vec![padded(21, 159), padded(10, 75), padded(26, 192)], 0)
    };
    let refuses = SinkBehaviour::Refuses(400, Which::MultiplesOf(2), ms(0));
    let steps = [
        Step::Invoke(unheard),
        Step::Invoke(once(vec![output(0, 31)], 10_001)),
        Step::Invoke(once(vec![padded(37, 231)], 100)),
        Step::Invoke(once(Vec::new(), 100)),
        Step::Sink(1, SinkBehaviour::After(ms(60), 200)),
        Step::Sink(0, SinkBehaviour::Hang),
        Step::Restore,
        Step::Invoke(once(vec![padded(2, 73), padded(14, 143)], 100)),
        Step::Invoke(once(vec![padded(8, 49)], 0)),
        Step::Sink(2, refuses),
        Step::Invoke(last),
    ];
    run(&setup, &steps);
}

/// A line came while all was being sent, and there was no room for it. Its report was made when that was over, and with it
/// the time.
#[test]
fn the_last_report_has_time_to_leave_beside_a_primary_that_hangs() {
    let setup = Setup {
        max_added: 0,
        interval: 1000,
        has_spool: false,
        at_shutdown: vec![output(92, 1)],
        transforms: Rewriting {
            samples: true,
            counts: true,
            ..SETUP.transforms
        },
        ..SETUP
    };
    let padded = Output {
        padding: 24,
        ..output(50, 21)
    };
    let steps = [
        Step::Sink(2, SinkBehaviour::After(ms(76), 200)),
        Step::Sink(1, SinkBehaviour::After(ms(151), 200)),
        invocation(Vec::new(), 0, End::Done),
        Step::Sink(0, SinkBehaviour::Hang),
        invocation(vec![padded], 0, End::Done),
    ];
    run(&setup, &steps);
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

/// At shutdown no time was left for the record that the primary refused by name: the chain keeps time for one round
/// of sinks, there are two, and the fallback that hung used it.
#[test]
fn at_shutdown_what_is_refused_by_name_has_its_time_beside_what_waits() {
    let setup = Setup {
        max_added: 0,
        buffer_max_bytes: 60_000,
        has_spool: false,
        ..SETUP
    };
    let steps = [
        Step::Sink(0, judge(3, 0)),
        Step::Sink(2, take(76)),
        Step::Sink(1, SinkBehaviour::Hang),
        invocation(vec![output(0, 1)], 0, End::Done),
    ];
    run(&setup, &steps);
}

/// A primary that hung used the time for archiving the records that it never takes: the chain found these after it
/// had shared the time out.
#[test]
fn at_shutdown_what_is_unfit_has_its_time_beside_what_waits() {
    let setup = Setup {
        max_added: 0,
        has_spool: false,
        unfit_every: 3,
        ..SETUP
    };
    let steps = [
        Step::Sink(2, take(76)),
        Step::Sink(1, take(151)),
        Step::Sink(0, SinkBehaviour::Hang),
        invocation(Vec::new(), 0, End::Killed(0, 0)),
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

/// A fallback that took as long as half of the shutdown got the rest of it as well, for which it was too slow, and
/// a healthy one behind it got nothing.
#[test]
fn at_shutdown_a_fallback_that_is_too_slow_leaves_the_others_their_time() {
    let setup = Setup {
        strategy: FlushStrategy::Continuous,
        max_added: 0,
        interval: 1000,
        buffer_max_bytes: 60_000,
        has_spool: false,
        transforms: Rewriting {
            joins: true,
            ..SETUP.transforms
        },
        routing: Routing::Mirror,
        ..SETUP
    };
    let breaking = |output, rest, runtime_done_late, gap, backlog| {
        Step::Invoke(Invocation {
            output,
            rest,
            runtime_done_late,
            gap,
            freeze_breaks: true,
            backlog,
            ..INVOCATION
        })
    };
    let steps = [
        breaking(vec![output(313, 1)], 79, 16, 413, 0),
        Step::Sink(1, SinkBehaviour::Late(ms(851))),
        breaking(vec![output(179, 1), output(264, 1)], 39, 13, 151, 0),
        breaking(vec![output(244, 1)], 269, 20, 0, 1),
    ];
    run(&setup, &steps);
}
