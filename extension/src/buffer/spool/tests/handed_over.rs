//! What a run leaves to the next: in order, or by a kill.

use super::*;

#[test]
fn a_batch_that_was_sent_is_found_as_the_same_batch() {
    let (_root, directory) = place();
    let mut buffer = buffer_of(1..=3);
    let mut batches = buffer.take(NOW);
    batches[0].mark_ambiguous();
    let id = batches[0].id();
    buffer.settle(batches, NOW);
    buffer.push(record(4), NOW);
    assert_eq!(handover(&directory).leave(&mut buffer), 0);

    let (ledger, mut buffer) = inherit(&directory);
    assert_eq!(waiting(&buffer), [1, 2, 3, 4]);
    let batches = buffer.take(NOW);
    let summary: Vec<_> = batches
        .iter()
        .map(|batch| (batch.id(), batch.is_ambiguous()))
        .collect();
    assert_eq!(summary[0], (id, true));
    assert!(!summary[1].1, "never sent, so never ambiguous");
    assert_eq!(ledger.lock().counts()[..2], [4, 4], "received, pending");
}

#[test]
fn a_run_that_was_killed_leaves_its_counts_and_its_loss_is_counted() {
    let (_root, directory) = place();
    let ledger = SharedLedger::default();
    ledger.lock().receive(10);
    ledger.lock().deliver(SinkName::Https, 4);
    let mut first = handover(&directory);
    first.keep(&mut buffer_of(5..=8), &ledger.lock());
    first.count(&ledger.lock());
    drop(first);

    let (ledger, buffer) = inherit(&directory);
    let ledger = ledger.lock();
    assert_eq!(waiting(&buffer), [5, 6, 7, 8]);
    assert_eq!(
        (ledger.received(), ledger.delivered(SinkName::Https)),
        (10, 4)
    );
    assert_eq!(ledger.dropped(DropReason::Killed), 2);
    assert!(ledger.adds_up(4), "{}", ledger.line());
}

#[test]
fn records_of_a_killed_run_may_have_been_delivered_and_go_out_as_ambiguous() {
    let (_root, directory) = place();
    let ledger = SharedLedger::default();
    ledger.lock().receive(3);
    let mut first = handover(&directory);
    first.keep(&mut buffer_of(1..=3), &ledger.lock());
    // All but one were delivered and counted; the kill came before they were removed from the spool.
    ledger.lock().deliver(SinkName::S3, 2);
    first.count(&ledger.lock());
    drop(first);

    let (ledger, mut buffer) = inherit(&directory);
    assert!(ledger.lock().adds_up(3), "{}", ledger.lock().line());
    assert!(buffer.take(NOW).iter().all(Batch::is_ambiguous));
}

#[test]
fn a_second_kill_loses_nothing_that_the_first_had_left() {
    let (_root, directory) = place();
    let ledger = SharedLedger::default();
    ledger.lock().receive(3);
    let mut first = handover(&directory);
    first.keep(&mut buffer_of(1..=3), &ledger.lock());
    first.count(&ledger.lock());
    drop(first);
    for _ in 0..3 {
        let (ledger, buffer) = inherit(&directory);
        assert_eq!(waiting(&buffer), [1, 2, 3]);
        assert_eq!(ledger.lock().received(), 3);
        assert_eq!(ledger.lock().dropped(DropReason::Killed), 0);
    }
}

#[test]
fn of_a_spool_left_in_order_what_cannot_be_read_is_counted_as_lost() {
    let (_root, directory) = place();
    assert_eq!(handover(&directory).leave(&mut buffer_of(1..=3)), 0);
    let path = directory.join("spool");
    let whole = fs::read(&path).unwrap();
    // The reader's bound takes the place of any reason to refuse a record.
    let two = record(1).cost() * 2 + 1;
    let found = read(&mut Cursor::new(&whole), whole.len() as u64, two, "").unwrap();
    assert_eq!((found.left, found.len()), (Some(3), 2));
    let (ledger, mut buffer) = (SharedLedger::default(), Buffer::new(two));
    handover(&directory).inherit(&mut buffer, &ledger, |_| Signal::Log, NOW);
    assert_eq!(ledger.lock().dropped(DropReason::Killed), 1);
    assert!(ledger.lock().adds_up(2), "{}", ledger.lock().line());
}

/// To close is to note what is there: it takes no room for another copy.
#[test]
fn a_full_spool_is_left_as_it_is_and_only_what_has_no_copy_is_lost() {
    let one = 20 + record(100).fragment().len();
    // Room for a hundred records once, and a few more.
    let most_bytes = 100 * one * 16 / 15 + 200;
    for unkept in [0, 200] {
        let (_root, directory) = place();
        let new = || {
            Handover::new(
                Spool::new(directory.clone(), most_bytes),
                LedgerFile::new(directory.clone(), true),
                Log::silent(Arc::new(SystemClock)),
            )
        };
        let (mut first, mut buffer, ledger) = (new(), buffer_of(100..140), counts(100));
        first.keep(&mut buffer, &ledger.lock());
        let mut batches = buffer.take(NOW);
        batches[0].mark_ambiguous();
        let id = batches[0].id();
        buffer.settle(batches, NOW);
        for sequence in 140..200 {
            buffer.push(record(sequence), NOW);
        }
        first.keep(&mut buffer, &ledger.lock());
        assert!(buffer.is_kept());
        for sequence in 200..200 + unkept {
            buffer.push(record(sequence), NOW);
        }
        let lost = first.leave(&mut buffer);
        assert_eq!(lost > 0, unkept > 0, "{lost} of {unkept} lost");
        first.reported();
        drop(first);

        let (ledger, mut buffer) = (SharedLedger::default(), Buffer::new(CAP));
        new().inherit(&mut buffer, &ledger, |_| Signal::Log, NOW);
        let kept = 100 + unkept - lost;
        assert_eq!(ledger.lock().recovered(), kept);
        assert!(ledger.lock().adds_up(kept));
        assert_eq!(waiting(&buffer), (100..100 + kept).collect::<Vec<_>>());
        let batches = buffer.take(NOW);
        assert_eq!((batches[0].id(), batches[0].is_ambiguous()), (id, true));
        assert!(!batches[1].is_ambiguous());
    }
}

/// A flush that did not end: a sink may have taken what was under way.
#[test]
fn what_is_under_way_at_the_end_keeps_its_copy_and_is_ambiguous() {
    let (_root, directory) = place();
    let (mut first, mut buffer, ledger) = (handover(&directory), buffer_of(1..=2), counts(4));
    first.keep(&mut buffer, &ledger.lock());
    buffer.push(record(3), NOW);
    let under_way = buffer.take(NOW);
    buffer.push(record(4), NOW);
    assert_eq!(first.leave(&mut buffer), 1, "3 has no copy");
    first.reported();
    drop((first, under_way));
    let (ledger, mut buffer) = inherit(&directory);
    assert_eq!(waiting(&buffer), [1, 2, 4]);
    assert_eq!(ledger.lock().recovered(), 3);
    let ambiguous: Vec<bool> = buffer.take(NOW).iter().map(Batch::is_ambiguous).collect();
    assert_eq!(ambiguous, [true, false]);
}

/// An earlier end in order says nothing of batches at a later one.
#[test]
fn a_spool_is_closed_again_and_again() {
    let (_root, directory) = place();
    let mut buffer = buffer_of(1..=4);
    for run in 0..4 {
        let mut next = handover(&directory);
        let ledger = SharedLedger::default();
        if run == 0 {
            ledger.lock().receive(4);
        } else {
            buffer = Buffer::new(CAP);
            next.inherit(&mut buffer, &ledger, |_| Signal::Log, NOW);
            ledger.lock().deliver(SinkName::Https, 1);
        }
        // One is delivered in each run but the first.
        let expected: Vec<u64> = (run + 1..=4).collect();
        deliver_all_but(&mut buffer, &expected);
        next.flush_is_over(&mut buffer, &ledger.lock());
        assert_eq!(next.leave(&mut buffer), 0);
        next.reported();
        drop(next);
        let left = recovered(&directory);
        assert_eq!(sequences(&left), expected);
        assert_eq!(left.groups.len(), 1, "one batch");
        assert!(left.groups[0].batch.is_some());
    }
}

/// At the end, as at the beginning: a directory that is not ours is not touched.
#[test]
fn files_of_a_directory_that_is_not_ours_are_left_alone() {
    for kind in ["a link", "open to others"] {
        let (root, directory) = place();
        let elsewhere = root.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::set_permissions(&elsewhere, Permissions::from_mode(0o700)).unwrap();
        if kind == "a link" {
            symlink(&elsewhere, &directory).unwrap();
        } else {
            fs::rename(&elsewhere, &directory).unwrap();
            fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        }
        for name in ["spool", "ledger", "spool.new"] {
            fs::write(directory.join(name), "precious").unwrap();
        }
        let (ledger, mut buffer) = (counts(0), buffer_of(1..=2));
        let mut handover = handover(&directory);
        handover.inherit(&mut Buffer::new(CAP), &ledger, |_| Signal::Log, NOW);
        handover.keep(&mut buffer, &ledger.lock());
        handover.count(&ledger.lock());
        assert_eq!(handover.leave(&mut buffer), 2, "{kind}");
        handover.clear();
        handover.reported();
        for name in ["spool", "ledger", "spool.new"] {
            let text = fs::read_to_string(directory.join(name)).unwrap();
            assert_eq!(text, "precious", "{kind}: {name}");
        }
    }
}

/// The kill came while records were written: they are in no count yet, and all that is known of them is
/// what the frame says of itself.
#[test]
fn records_of_a_write_that_was_cut_short_are_counted_as_lost() {
    let (_root, directory) = place();
    let (mut first, mut buffer, ledger) = (handover(&directory), buffer_of(1..=3), counts(3));
    first.keep(&mut buffer, &ledger.lock());
    first.received(&buffer, &ledger.lock());
    let whole = fs::metadata(directory.join("spool")).unwrap().len();
    ledger.lock().receive(2);
    buffer.push(record(4), NOW);
    buffer.push(record(5), NOW);
    first.keep(&mut buffer, &ledger.lock());
    drop(first);
    let torn = fs::read(directory.join("spool")).unwrap();
    fs::write(directory.join("spool"), &torn[..torn.len() - 20]).unwrap();
    assert!(torn.len() as u64 > whole + 40);
    let (ledger, buffer) = inherit(&directory);
    assert_eq!(waiting(&buffer), [1, 2, 3]);
    assert_eq!(ledger.lock().dropped(DropReason::Killed), 2);
    assert_eq!(ledger.lock().received(), 5);
    assert!(ledger.lock().adds_up(3));
}

/// The function cut the file in the middle of records that are in the counts: those say what waits, and only
/// that can be lost.
#[test]
fn a_torn_frame_that_the_counts_know_of_is_not_counted_again() {
    let (_root, directory) = place();
    let (mut first, mut buffer, ledger) = (handover(&directory), buffer_of(1..=3), counts(3));
    first.keep(&mut buffer, &ledger.lock());
    ledger.lock().deliver(SinkName::S3, 2);
    first.count(&ledger.lock());
    drop(first);
    let spool = fs::read(directory.join("spool")).unwrap();
    fs::write(directory.join("spool"), &spool[..spool.len() - 20]).unwrap();
    let (ledger, buffer) = inherit(&directory);
    assert!(waiting(&buffer).is_empty());
    assert_eq!(ledger.lock().dropped(DropReason::Killed), 1);
    assert!(ledger.lock().adds_up(0));
}
