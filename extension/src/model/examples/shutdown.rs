//! Of shutdowns: who is asked, who is left time, and what leaves last.

use super::*;

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

/// One line that came late halved the time of the request that had all others, to a primary that needed more than that and
/// had been faster before. There was no other sink that could have used the rest.
#[test]
fn at_shutdown_a_late_line_does_not_cut_a_request_to_the_only_sink_short() {
    for (late, usual) in [(0, 0), (100, 0), (250, 0), (100, 900)] {
        let setup = Setup {
            sinks: [true, false, false],
            has_spool: false,
            buffer_max_bytes: 60_000,
            at_shutdown: vec![output(late, 1)],
            ..SETUP
        };
        let steps = [
            Step::Sink(0, take(usual)),
            invocation(vec![output(10, 12)], 2_000, End::Done),
            invocation(vec![output(10, 12)], 2_000, End::Done),
            Step::Sink(0, take(1_050)),
            invocation(vec![output(10, 12)], 20, End::Done),
        ];
        let given_up = run(&setup, &steps);
        assert!(given_up <= 1, "{late} {usual}: {given_up}");
    }
}
