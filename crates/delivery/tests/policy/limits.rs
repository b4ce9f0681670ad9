//! Numbers and texts that nobody sends by accident: no panic, no sum that wraps, no date that RFC 3339 does
//! not have.

use std::time::Duration;

use backstop_delivery::{Breaker, DropReason, Ledger, Phase, SinkName, Wall};
use proptest::prelude::*;

proptest! {
    /// Whatever a clock or a frame of the spool says.
    #[test]
    fn any_time_has_a_date_in_four_digits_and_is_read_again(milliseconds in any::<u64>()) {
        for milliseconds in [milliseconds, milliseconds % 253_402_300_800_000] {
            let wall = Wall(Duration::from_millis(milliseconds));
            let text = wall.rfc3339();
            prop_assert_eq!(text.len(), "1970-01-01T00:00:00.000Z".len(), "{}", text);
            prop_assert_eq!(Wall::from_rfc3339(&text), Some(wall.min(Wall::LAST)));
            let civil = wall.civil();
            prop_assert!((1970..=9999).contains(&civil.year));
            prop_assert!((1..=12).contains(&civil.month) && (1..=31).contains(&civil.day));
            prop_assert!(civil.hour < 24);
        }
    }

    #[test]
    fn no_text_panics_as_a_time_and_what_is_read_is_written_alike(
        text in r"\PC{0,40}|[0-9+]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9é+]{0,30})?Z?"
    ) {
        if let Some(wall) = Wall::from_rfc3339(&text) {
            prop_assert_eq!(&wall.rfc3339()[..19], &text[..19]);
        }
    }
}

#[test]
fn time_ends_with_the_year_9999_for_whoever_writes_it() {
    let last = "9999-12-31T23:59:59.999Z";
    assert_eq!(Wall::from_rfc3339(last), Some(Wall::LAST));
    for wall in [
        Wall::LAST,
        Wall::LAST + Duration::from_millis(1),
        Wall(Duration::from_millis(u64::MAX)),
        Wall(Duration::MAX),
        Wall(Duration::MAX) + Duration::MAX,
    ] {
        assert_eq!(wall.rfc3339(), last);
        assert_eq!((wall.civil().year, wall.civil().hour), (9999, 23));
    }
}

#[test]
fn counts_end_at_their_end_and_never_begin_from_zero() {
    let mut ledger = Ledger::default();
    for _ in 0..2 {
        ledger.receive(u64::MAX);
        ledger.lose_upstream(u64::MAX);
        ledger.note_ambiguous(u64::MAX);
        ledger.note_dead_letters(u64::MAX);
    }
    ledger.deliver(SinkName::Https, u64::MAX);
    ledger.recover(u64::MAX);
    ledger.deliver(SinkName::S3, 7);
    ledger.drop_records(DropReason::Shutdown, u64::MAX - 7);
    assert_eq!(
        (ledger.received(), ledger.recovered()),
        (u64::MAX, u64::MAX)
    );
    assert_eq!((ledger.delivered_in_all(), ledger.pending()), (u64::MAX, 0));
    assert_eq!(ledger.ambiguous(), u64::MAX);
    assert!(
        !ledger.adds_up(0),
        "the equation shows that a count is wrong"
    );
    assert!(
        ledger
            .line()
            .contains(r#""lost_upstream":18446744073709551615"#)
    );
    // A later ledger that says less than an earlier one.
    let earlier = ledger.clone();
    assert_eq!(
        Ledger::default().as_if_unsent_since(&earlier).received(),
        u64::MAX
    );
}

#[test]
fn a_breaker_bears_any_time_and_any_number_of_failures() {
    let mut breaker = Breaker::default();
    for now in [Wall(Duration::MAX), Wall::default(), Wall(Duration::MAX)] {
        for at_once in [true, false] {
            breaker.failed(now, at_once, Some(Duration::MAX), f64::NAN);
            breaker.admit(now, Phase::Handler);
            breaker.failed(now, at_once, None, f64::INFINITY);
        }
    }
    assert!(breaker.succeeded());
}
