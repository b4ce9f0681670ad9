//! The buffer: its bound, its order, and which records it drops first.

use backstop_delivery::EnvironmentId;

use super::*;

const NOW: Wall = Wall(Duration::from_secs(1));

fn record(sequence: u64, level: &str) -> Record {
    let text = format!(
        r#""time":"t","type":"function","record":{{"level":"{level}","message":"{:300}"}}"#,
        ""
    );
    Record::new(
        RecordId {
            environment: EnvironmentId(1),
            sequence,
        },
        Bytes::from(text),
    )
}

fn buffer(levels: &[&str], max_records: usize) -> Buffer {
    let mut buffer = Buffer::new(record(0, "ERROR").cost() * max_records);
    for (sequence, level) in (0..).zip(levels) {
        buffer.push(record(sequence, level), NOW);
    }
    buffer
}

fn sequences(buffer: &mut Buffer) -> Vec<u64> {
    let batches = buffer.take(NOW);
    batches
        .iter()
        .flat_map(Batch::records)
        .map(|record| record.id().sequence)
        .collect()
}

#[test]
fn the_least_severe_and_among_them_the_oldest_are_dropped_first() {
    let mut buffer = buffer(&["ERROR", "INFO ", "DEBUG", "WARN ", "INFO ", "ERROR"], 3);
    assert_eq!(buffer.shed(), 3);
    assert_eq!(sequences(&mut buffer), [0, 3, 5]);
    let mut buffer = self::buffer(&["ERROR"; 5], 3);
    assert_eq!(buffer.shed(), 2, "errors too, when there is nothing else");
    assert_eq!(sequences(&mut buffer), [2, 3, 4]);
}

#[test]
fn records_do_not_wait_for_a_clock_that_was_set_back_to_catch_up() {
    let mut buffer = buffer(&["INFO "], 3);
    let later = NOW + Duration::from_secs(9);
    assert_eq!(buffer.age(later), Duration::from_secs(9));
    assert_eq!(buffer.age(Wall::default()), Duration::MAX, "due at once");
    let batches = buffer.take(Wall::default());
    assert_eq!(buffer.age(Wall::default()), Duration::ZERO, "none waits");
    buffer.settle(batches, Wall::default());
    assert_eq!(buffer.age(NOW), NOW.0, "by the new time");
}

#[test]
fn nothing_is_dropped_within_the_bound() {
    let mut buffer = buffer(&["DEBUG"; 3], 3);
    assert_eq!(buffer.shed(), 0);
    assert_eq!(buffer.held_records(), 3);
}

#[test]
fn what_is_under_way_counts_until_it_is_settled_and_comes_back_first() {
    let mut buffer = buffer(&["INFO "; 2], 3);
    let batches = buffer.take(NOW);
    assert_eq!((buffer.pending_bytes(), buffer.held_records()), (0, 2));
    buffer.push(record(7, "INFO "), NOW);
    buffer.settle(batches, NOW);
    assert_eq!(buffer.held_records(), 3);
    assert_eq!(sequences(&mut buffer), [0, 1, 7]);
    buffer.settle(Vec::new(), NOW);
    assert_eq!((buffer.held_bytes(), buffer.held_records()), (0, 0));
}

#[test]
fn a_batch_is_of_one_signal_and_what_was_derived_goes_first_when_there_is_no_room() {
    let mixed = |max_records| {
        let mut buffer = buffer(&[], max_records);
        let signals = [Signal::Log, Signal::Metric, Signal::Span];
        for (sequence, signal) in (0..6).zip(signals.into_iter().cycle()) {
            buffer.push(record(sequence, "INFO ").with_signal(signal), NOW);
        }
        buffer
    };
    let mut buffer = mixed(6);
    assert!(buffer.has(Role::Primary, Some(Signal::Span)));
    let batches = buffer.take(NOW);
    let of = |batch: &Batch| {
        let sequences = batch.records().iter().map(|record| record.id().sequence);
        (batch.signal(), sequences.collect::<Vec<_>>())
    };
    let expected = [
        (Signal::Log, vec![0, 3]),
        (Signal::Metric, vec![1, 4]),
        (Signal::Span, vec![2, 5]),
    ];
    assert_eq!(batches.iter().map(of).collect::<Vec<_>>(), expected);
    assert!(!buffer.has(Role::Primary, Some(Signal::Span)));
    buffer.settle(batches, NOW);
    assert_eq!(buffer.held_records(), 6);

    let mut buffer = mixed(2);
    assert_eq!(buffer.shed(), 4);
    assert_eq!(sequences(&mut buffer), [0, 3], "the logs");
}

/// A copy of each record beside it.
fn mirrored(levels: &[&str], max_records: usize) -> Buffer {
    let mut buffer = buffer(&[], max_records);
    for (sequence, level) in (0..).zip(levels) {
        let record = record(sequence, level);
        buffer.push(record.mirrored(), NOW);
        buffer.push(record, NOW);
    }
    buffer
}

#[test]
fn what_is_for_the_archive_only_has_batches_of_its_own_that_keep_nothing_from_the_others() {
    let mut buffer = mirrored(&["INFO "; 3], 9);
    buffer.push(record(3, "DEBUG").archived(), NOW);
    buffer.push(record(4, "INFO ").with_signal(Signal::Span).mirrored(), NOW);
    let batches = buffer.take(NOW);
    let archived: Vec<_> = batches.iter().map(Batch::is_archive_only).collect();
    assert_eq!(archived, [false, true]);
    assert_eq!(batches[1].len(), 5, "of every signal");
    assert_eq!(batches[0].id(), "0000000000000001-0-3");
    // Of those that come back, however many they are, the others are not kept waiting.
    let one = |batch: &Batch| batch.records()[0].clone();
    let again = (0..20).filter_map(|_| Batch::new(NOW, vec![one(&batches[1])]));
    buffer.settle(again.collect(), NOW);
    buffer.push(record(9, "INFO "), NOW);
    let batches = buffer.take(NOW);
    assert!(!batches[0].is_archive_only() && batches.len() == 1 + ARCHIVED_IN_FLIGHT);
    let [fallback, primary] = [Role::Fallback, Role::Primary].map(|role| buffer.has(role, None));
    assert!(fallback && !primary);
}

#[test]
fn copies_and_what_the_primary_was_not_to_get_are_dropped_before_any_other_record() {
    let mut buffer = mirrored(&["ERROR", "DEBUG", "INFO "], 6);
    buffer.push(record(3, "ERROR").archived(), NOW);
    for (most, dropped, left) in [
        (5, 2, vec![0, 1, 2, 2, 3]),
        (4, 1, vec![0, 1, 2, 3]),
        (3, 1, vec![0, 1, 2]),
        (2, 1, vec![0, 2]),
    ] {
        buffer.max_bytes = record(0, "ERROR").cost() * most;
        assert_eq!(buffer.shed(), dropped, "{most}");
        let batches = buffer.take(NOW);
        let records = batches.iter().flat_map(Batch::records);
        let mut sequences: Vec<_> = records.map(|it| it.id().sequence).collect();
        sequences.sort_unstable();
        assert_eq!(sequences, left);
        buffer.settle(batches, NOW);
    }
}

#[test]
fn batches_that_came_back_are_shed_by_severity_too() {
    let mut buffer = buffer(&["ERROR", "DEBUG", "INFO "], 3);
    let batches = buffer.take(NOW);
    buffer.settle(batches, NOW);
    for sequence in 3..5 {
        buffer.push(record(sequence, "INFO "), NOW);
    }
    assert_eq!(buffer.shed(), 2);
    let held = buffer.held_bytes();
    assert_eq!(sequences(&mut buffer), [0, 3, 4]);
    assert_eq!(held, buffer.held_bytes());
}
