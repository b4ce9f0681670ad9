//! The small values: what they hold and how they are written. Names are in archives and ledgers for
//! years, so each is spelt out here.

use std::time::Duration;

use backstop_delivery::{
    Answer, Backoff, Batch, Breaker, Cause, Civil, Clock as _, DropReason, EnvironmentId, Failure,
    Jitter, Ledger, PartAnswer, Permit, Phase, Record, RecordId, SharedLedger, SinkName,
    SystemClock, Wall, Window, WindowControl,
};
use bytes::Bytes;
use tokio::time::Instant;

fn record(sequence: u64, fragment: &'static str) -> Record {
    let id = RecordId {
        environment: EnvironmentId(0xab),
        sequence,
    };
    Record::new(id, Bytes::from_static(fragment.as_bytes()))
}

#[test]
fn a_batch_keeps_its_records_their_cost_and_its_birth() {
    let created = Wall(Duration::from_secs(7));
    let records = vec![record(1, "one"), record(2, "three")];
    let cost = records[0].cost() + records[1].cost();
    let batch = Batch::new(created, records).unwrap();
    assert_eq!(
        (batch.created(), batch.cost(), batch.len()),
        (created, cost, 2)
    );
    assert_eq!(batch.id(), "00000000000000ab-1-2");
    let sequences: Vec<u64> = batch
        .into_records()
        .iter()
        .map(|record| record.id().sequence)
        .collect();
    assert_eq!(sequences, [1, 2]);
    assert!(Batch::new(created, Vec::new()).is_none());
}

#[test]
fn a_record_costs_its_text_and_something_more_and_is_copied_once() {
    let mut detached = record(1, "text");
    assert_eq!(detached.cost() - record(1, "").cost(), 4);
    assert!(record(1, "").cost() >= 64);
    let before = detached.fragment().as_ptr();
    detached.detach();
    let copied = detached.fragment().as_ptr();
    assert_ne!(before, copied);
    detached.detach();
    assert_eq!(copied, detached.fragment().as_ptr());
    assert_eq!(detached.fragment(), "text");
    assert_eq!(detached.rank(|text| u8::try_from(text.len()).unwrap()), 4);
    assert_eq!(detached.rank(|_| 9), 4, "it is worked out once");
}

#[test]
fn the_bounds_of_a_backoff_may_be_equal_and_a_mistake_says_what_is_wrong() {
    let ms = Duration::from_millis;
    assert!(Backoff::try_new(ms(2), ms(2)).is_ok());
    assert_eq!(
        Backoff::try_new(ms(2), ms(1)).unwrap_err().to_string(),
        "invalid backoff: the longest delay must not be below the initial one"
    );
}

/// The published sequence of `SplitMix64` from 0, its upper halves.
#[test]
fn jitter_is_splitmix64() {
    let jitter = Jitter::seeded(0);
    for expected in [0xE220_A839_u32, 0x6E78_9E6A, 0x06C4_5D18, 0xF88B_B8A8] {
        let drawn = jitter.next();
        assert!((drawn - f64::from(expected) / f64::from(u32::MAX)).abs() < 1e-12);
    }
    assert!((Jitter::none().next() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_probe_that_told_nothing_may_be_made_again() {
    let mut breaker = Breaker::default();
    let later = Wall(Duration::from_secs(5));
    breaker.failed(Wall::default(), true, None, 1.0);
    assert_eq!(breaker.admit(later, Phase::Handler), Some(Permit::Probe));
    assert_eq!(breaker.admit(later, Phase::Handler), None);
    breaker.forget_probe();
    assert_eq!(breaker.admit(later, Phase::Handler), Some(Permit::Probe));
}

#[test]
fn wall_time_is_counted_from_an_earlier_moment_and_from_a_later_one_not() {
    let wall = |seconds| Wall(Duration::from_secs(seconds));
    assert_eq!(wall(9).since(wall(4)), Duration::from_secs(5));
    assert_eq!(wall(4).since(wall(9)), Duration::ZERO);
    assert_eq!(wall(4) + Duration::from_secs(5), wall(9));
    assert!(SystemClock.wall() > wall(1_700_000_000));
}

/// Day by day through four centuries, past every kind of leap year.
#[test]
fn every_day_is_the_one_after_the_day_before() {
    let length = |year: u64, month: u64| match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400) => 29,
        2 => 28,
        _ => 31,
    };
    let (mut year, mut month, mut day) = (1970, 1, 1);
    for days in 0..150_000 {
        let wall = Wall(Duration::from_secs(days * 86_400 + 49_530));
        let civil = Civil {
            year,
            month,
            day,
            hour: 13,
        };
        assert_eq!(wall.civil(), civil);
        let text = wall.rfc3339();
        assert_eq!(text, format!("{year:04}-{month:02}-{day:02}T13:45:30.000Z"));
        assert_eq!(Wall::from_rfc3339(&text), Some(wall), "{text}");
        day += 1;
        if day > length(year, month) {
            (month, day) = (month + 1, 1);
        }
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
    assert_eq!(year, 2380);
}

#[test]
fn a_time_is_read_to_the_nanosecond_and_no_other_form_is_guessed() {
    let read = |text: &str| Wall::from_rfc3339(text).map(|wall| wall.0);
    assert_eq!(
        read("1970-01-01T00:00:01.5Z"),
        Some(Duration::from_millis(1500))
    );
    assert_eq!(
        read("1970-01-01T00:00:00.000000001Z"),
        Some(Duration::from_nanos(1))
    );
    assert_eq!(read("1970-01-01T00:01:00Z"), Some(Duration::from_mins(1)));
    assert_eq!(read("1970-01-01T01:00:00Z"), Some(Duration::from_hours(1)));
    assert!(read("9999-12-31T23:59:59Z").is_some());
    for text in [
        "1969-12-31T23:59:59Z",
        "1970-00-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-32T00:00:00Z",
        "1970/01-01T00:00:00Z",
        "1970-01/01T00:00:00Z",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00.00:00Z",
        "1970-01-01T00:00.00Z",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00+Z",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn the_ledger_tells_all_that_it_counts() {
    let shared = SharedLedger::default();
    let reasons = [
        (DropReason::BufferFull, "buffer_full"),
        (DropReason::Rejected, "rejected"),
        (DropReason::TooLarge, "too_large"),
        (DropReason::Shutdown, "shutdown"),
        (DropReason::OwnLog, "own_log"),
        (DropReason::Killed, "killed"),
        (DropReason::NotAsked, "not_asked"),
    ];
    let mut ledger = shared.lock();
    ledger.receive(60);
    ledger.recover(30);
    ledger.recover(22);
    for (count, (reason, name)) in (1..).zip(reasons) {
        ledger.drop_records(reason, count);
        ledger.drop_records(reason, count);
        assert_eq!((reason.as_str(), ledger.dropped(reason)), (name, 2 * count));
        let is_intentional = matches!(reason, DropReason::OwnLog | DropReason::NotAsked);
        assert_eq!(reason.is_intentional(), is_intentional);
    }
    for (count, sink) in [
        (7, SinkName::Https),
        (8, SinkName::Firehose),
        (9, SinkName::S3),
    ] {
        ledger.deliver(sink, count);
        ledger.deliver(sink, 1);
        assert_eq!(ledger.delivered(sink), count + 1);
    }
    for count in [1, 2] {
        ledger.lose_upstream(count);
        ledger.note_ambiguous(10 * count);
        ledger.note_dead_letters(20 * count);
    }
    assert_eq!((ledger.received(), ledger.pending()), (112, 29));
    assert_eq!(ledger.recovered(), 52);
    assert_eq!((ledger.delivered_in_all(), ledger.ambiguous()), (27, 30));
    assert!(ledger.adds_up(29));
    assert!(!ledger.adds_up(28));
    assert_eq!(
        ledger.line(),
        r#"{"backstop":{"ledger":{"ambiguous":30,"dead_letters":60,"delivered":{"firehose":9,"https":8,"s3":10},"derived":0,"dropped":{"buffer_full":2,"killed":12,"not_asked":14,"own_log":10,"rejected":4,"shutdown":8,"too_large":6},"lost_upstream":3,"mirrored":0,"pending":29,"received":112,"recovered":52}}}"#
    );
}

/// A ledger in which each count is another number.
fn full_ledger() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.receive(490);
    ledger.derive(10);
    ledger.recover(11);
    let sinks = [SinkName::Https, SinkName::Firehose, SinkName::S3];
    for (count, sink) in (21..).zip(sinks) {
        ledger.deliver(sink, count);
    }
    let reasons = [
        DropReason::BufferFull,
        DropReason::Rejected,
        DropReason::TooLarge,
        DropReason::Shutdown,
        DropReason::OwnLog,
        DropReason::Killed,
        DropReason::NotAsked,
    ];
    for (count, reason) in (31..).zip(reasons) {
        ledger.drop_records(reason, count);
    }
    ledger.lose_upstream(41);
    ledger.note_ambiguous(42);
    ledger.note_dead_letters(43);
    ledger
}

#[test]
fn a_ledger_goes_on_with_its_counts_and_never_with_counts_that_do_not_add_up() {
    let ledger = full_ledger();
    let counts = ledger.counts();
    assert_eq!(Ledger::from_counts(counts), Some(ledger));
    let empty = Ledger::default();
    assert_eq!(
        Ledger::from_counts(empty.counts()).map(|ledger| ledger.line()),
        Some(empty.line())
    );
    // Received, pending, derived, and each that was delivered or dropped are in the equation.
    for index in [0, 1, 2, 7, 8, 9, 10, 11, 12, 13, 14, 15] {
        for wrong in [counts[index] + 1, counts[index] - 1, u64::MAX] {
            let mut counts = counts;
            counts[index] = wrong;
            assert_eq!(Ledger::from_counts(counts), None, "{index}: {wrong}");
        }
    }
}

#[test]
fn what_a_flush_under_way_has_settled_can_be_left_out() {
    let before = full_ledger();
    let mut now = before.clone();
    now.receive(50);
    now.deliver(SinkName::Https, 3);
    now.deliver(SinkName::S3, 4);
    now.drop_records(DropReason::Rejected, 5);
    now.drop_records(DropReason::TooLarge, 6);
    now.drop_records(DropReason::BufferFull, 7);
    now.drop_records(DropReason::OwnLog, 8);
    now.lose_upstream(9);
    now.note_ambiguous(3);
    now.note_dead_letters(4);
    let mut expected = before.clone();
    expected.receive(50);
    expected.drop_records(DropReason::BufferFull, 7);
    expected.drop_records(DropReason::OwnLog, 8);
    expected.lose_upstream(9);
    assert_eq!(now.as_if_unsent_since(&before), expected);
}

#[test]
fn a_record_and_a_batch_know_whether_they_have_a_copy() {
    let records = vec![record(1, ""), record(2, "")];
    let mut batch = Batch::new(Wall::default(), records).unwrap();
    assert!(batch.records().iter().all(|record| !record.is_kept()));
    batch.set_kept();
    assert!(batch.records().iter().all(Record::is_kept));
    assert!(!batch.is_ambiguous());
    batch.mark_ambiguous();
    assert!(batch.is_ambiguous());
}

#[test]
fn nothing_dropped_is_not_in_the_line() {
    let mut ledger = Ledger::default();
    ledger.drop_records(DropReason::Shutdown, 0);
    assert!(ledger.line().contains(r#""dropped":{}"#));
}

#[test]
fn causes_have_names_that_stay() {
    let none = |failure| Answer::None(failure).cause().to_string();
    let names = [
        (Failure::Refused, "refused"),
        (Failure::Dns, "dns"),
        (Failure::Tls, "tls"),
        (Failure::Reset, "reset"),
        (Failure::TimedOut, "timeout"),
        (Failure::Thawed, "thawed"),
        (Failure::NotSent, "not_sent"),
        (Failure::Other, "failed"),
    ];
    for (failure, name) in names {
        assert_eq!(none(failure), name);
        assert_eq!(failure.used_its_budget(), failure == Failure::TimedOut);
    }
    for (code, reason) in [
        (302, "redirected"),
        (400, "rejected"),
        (401, "unauthorized"),
        (402, "payment_required"),
        (403, "unauthorized"),
        (404, "not_found"),
        (405, "not_accepted"),
        (406, "not_accepted"),
        (407, "unauthorized"),
        (408, "timeout"),
        (409, "conflict"),
        (410, "not_found"),
        (411, "not_accepted"),
        (413, "too_large"),
        (415, "not_accepted"),
        (421, "not_accepted"),
        (422, "rejected"),
        (423, "conflict"),
        (424, "conflict"),
        (425, "throttled"),
        (429, "throttled"),
        (431, "not_accepted"),
        (451, "not_accepted"),
        (499, "not_accepted"),
        (500, "server_error"),
        (600, "server_error"),
    ] {
        let cause = Answer::status(code).cause();
        let expected = Cause {
            reason,
            status: Some(code),
            detail: None,
        };
        assert_eq!(cause, expected);
        assert_eq!(cause.to_string(), format!("{reason} (status {code})"));
    }
    let partial = Answer::Parts {
        parts: vec![PartAnswer::Taken, PartAnswer::Retry],
        code: 500,
        detail: None,
    };
    assert_eq!(partial.cause().to_string(), "partial (status 500)");
    let sinks = [SinkName::Https, SinkName::Firehose, SinkName::S3];
    assert_eq!(
        sinks.map(|sink| sink.to_string()),
        ["https", "firehose", "s3"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_window_is_seen_as_it_was_last_moved() {
    let start = Window {
        ends: Instant::now(),
        phase: Phase::Handler,
        epoch: 0,
    };
    let (control, view) = WindowControl::new(start);
    assert_eq!((control.current(), view.current()), (start, start));
    let ends = start.ends + Duration::from_secs(1);
    control.set(Phase::Shutdown, ends);
    control.thawed();
    control.thawed();
    let moved = Window {
        ends,
        phase: Phase::Shutdown,
        epoch: 2,
    };
    assert_eq!((control.current(), view.current()), (moved, moved));
}
