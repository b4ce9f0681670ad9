//! The spool on a real file system: what is kept is found, and nothing that stands in its place can
//! do harm.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Cursor;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backstop_delivery::{
    Batch, DropReason, EnvironmentId, Record, RecordId, SharedLedger, SinkName, SystemClock, Wall,
};
use bytes::Bytes;

use super::*;
use crate::buffer::Handover;
use crate::diagnostics::Log;

const NOW: Wall = Wall(Duration::from_secs(1_700_000_000));
const CAP: usize = 1024 * 1024;

fn record(sequence: u64) -> Record {
    let id = RecordId {
        environment: EnvironmentId(7),
        sequence,
    };
    let text = format!(r#""time":"t","type":"function","record":"line {sequence}""#);
    Record::new(id, Bytes::from(text))
}

fn buffer_of(sequences: impl IntoIterator<Item = u64>) -> Buffer {
    let mut buffer = Buffer::new(CAP);
    for sequence in sequences {
        buffer.push(record(sequence), NOW);
    }
    buffer
}

/// A flush in which a sink takes all but these.
fn deliver_all_but(buffer: &mut Buffer, left: &[u64]) {
    let mut batches = buffer.take(NOW);
    for batch in &mut batches {
        batch.retain(|record| left.contains(&record.id().sequence));
    }
    batches.retain(|batch| !batch.is_empty());
    buffer.settle(batches, NOW);
}

fn sequences(contents: &Contents) -> Vec<u64> {
    let records = contents.groups.iter().flat_map(|group| &group.records);
    records.map(|record| record.id().sequence).collect()
}

/// A place for a spool, which is not there yet.
fn place() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("backstop");
    (root, directory)
}

fn recovered(directory: &Path) -> Contents {
    Spool::new(directory.to_owned(), CAP)
        .recover(CAP, NOW)
        .unwrap()
}

/// The next run of an environment: its ledger, and what its buffer holds.
fn inherit(directory: &Path) -> (SharedLedger, Buffer) {
    let (ledger, mut buffer) = (SharedLedger::default(), Buffer::new(CAP));
    handover(directory).inherit(&mut buffer, &ledger, NOW);
    (ledger, buffer)
}

fn handover(directory: &Path) -> Handover {
    Handover::new(
        Spool::new(directory.to_owned(), CAP),
        Books::new(directory.to_owned(), true),
        Log::silent(Arc::new(SystemClock)),
    )
}

fn waiting(buffer: &Buffer) -> Vec<u64> {
    buffer
        .waiting()
        .map(|record| record.id().sequence)
        .collect()
}

#[test]
fn what_is_kept_is_found_and_what_is_settled_is_not() {
    let (_root, directory) = place();
    let mut spool = Spool::new(directory.clone(), CAP);
    let mut buffer = buffer_of(1..=5);
    spool.keep(&mut buffer).unwrap();
    buffer.push(record(6), NOW);
    spool.keep(&mut buffer).unwrap();
    drop(spool);
    let contents = recovered(&directory);
    assert_eq!(sequences(&contents), [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        (contents.left, contents.torn, contents.foreign),
        (None, 0, 0)
    );

    let mut spool = Spool::new(directory.clone(), CAP);
    spool.recover(CAP, NOW).unwrap();
    deliver_all_but(&mut buffer, &[2, 3, 6]);
    spool.strike(&mut buffer).unwrap();
    buffer.push(record(7), NOW);
    spool.keep(&mut buffer).unwrap();
    drop(spool);
    assert_eq!(sequences(&recovered(&directory)), [2, 3, 6, 7]);

    let mut spool = Spool::new(directory.clone(), CAP);
    spool.recover(CAP, NOW).unwrap();
    deliver_all_but(&mut buffer, &[]);
    spool.strike(&mut buffer).unwrap();
    assert_eq!(fs::metadata(directory.join("spool")).unwrap().len(), 0);
}

#[test]
fn nothing_is_written_while_nothing_waits_or_the_spool_is_off() {
    let (_root, directory) = place();
    let mut spool = Spool::new(directory.clone(), CAP);
    spool.keep(&mut Buffer::new(CAP)).unwrap();
    spool.strike(&mut Buffer::new(CAP)).unwrap();
    assert!(!directory.exists());
    let mut off = Spool::new(directory.clone(), 0);
    off.keep(&mut buffer_of([1])).unwrap();
    assert!(off.close(&mut buffer_of([1])).is_err());
    assert!(!directory.exists());
    inherit(&directory);
    assert!(!directory.exists(), "init writes nothing");
}

#[test]
fn only_the_user_can_read_it() {
    let (_root, directory) = place();
    handover(&directory).keep(&mut buffer_of([1]));
    handover(&directory).count(&SharedLedger::default().lock());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join("spool")), 0o600);
    assert_eq!(mode(&directory.join("ledger")), 0o600);
}

#[test]
fn a_batch_that_was_sent_is_found_as_the_same_batch() {
    let (_root, directory) = place();
    let mut buffer = buffer_of(1..=3);
    let mut batches = buffer.take(NOW);
    batches[0].mark_ambiguous();
    let id = batches[0].id();
    buffer.settle(batches, NOW);
    buffer.push(record(4), NOW);
    assert!(handover(&directory).leave(&mut buffer));

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

/// However the file was cut off, the frames before the cut are whole and the rest costs nothing; what
/// is written afterwards is found.
#[test]
fn a_torn_tail_is_cut_off_wherever_it_is_torn() {
    let (_root, directory) = place();
    let mut spool = Spool::new(directory.clone(), CAP);
    let mut buffer = Buffer::new(CAP);
    let mut ends = vec![0];
    for sequence in 1..=4 {
        buffer.push(record(sequence), NOW);
        spool.keep(&mut buffer).unwrap();
        ends.push(spool.length);
    }
    drop(spool);
    let whole = fs::read(directory.join("spool")).unwrap();
    for cut in 0..=whole.len() {
        fs::write(directory.join("spool"), &whole[..cut]).unwrap();
        let expected = ends.iter().rposition(|end| *end <= cut as u64).unwrap() as u64;
        let mut spool = Spool::new(directory.clone(), CAP);
        let found = spool.recover(CAP, NOW).unwrap();
        assert_eq!(
            sequences(&found),
            (1..=expected).collect::<Vec<_>>(),
            "cut at {cut}"
        );
        spool.keep(&mut buffer_of([9])).unwrap();
        drop(spool);
        assert_eq!(
            sequences(&recovered(&directory)).last(),
            Some(&9),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_changed_byte_costs_its_frame_and_what_follows_and_nothing_before() {
    let (_root, directory) = place();
    let mut spool = Spool::new(directory.clone(), CAP);
    for sequence in 1..=3 {
        spool.keep(&mut buffer_of([sequence])).unwrap();
    }
    let first_ends = spool.length / 3;
    drop(spool);
    let whole = fs::read(directory.join("spool")).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        let length = changed.len() as u64;
        let found = read(&mut Cursor::new(changed), length, CAP, "").unwrap();
        let found: BTreeSet<u64> = sequences(&found).into_iter().collect();
        assert!(
            found.is_subset(&BTreeSet::from([1, 2, 3])),
            "changed at {at}: {found:?}"
        );
        assert!(found.len() < 3, "changed at {at}, and nobody noticed");
        if at as u64 > first_ends + 8 {
            assert!(found.contains(&1), "changed at {at}");
        }
    }
}

#[test]
fn text_that_is_no_record_never_becomes_one() {
    let (_root, directory) = place();
    let hostile = [
        "\"record\":1},{\"record\":2",
        "\"record\":\"a\nb\"",
        "",
        "\u{0}",
        "\"time\":\"t\",\"type\":\"function\",\"record\":\n\"two\nlines\"",
    ];
    let mut buffer = Buffer::new(CAP);
    for (sequence, text) in (1..).zip(hostile) {
        let id = RecordId {
            environment: EnvironmentId(7),
            sequence,
        };
        buffer.push(Record::new(id, Bytes::from(text)), NOW);
        let mut spool = Spool::new(directory.clone(), CAP);
        spool.keep(&mut buffer).unwrap();
        drop(spool);
        for group in recovered(&directory).groups {
            for record in group.records {
                let line = format!("{{{}}}", String::from_utf8_lossy(record.fragment()));
                assert!(!line.contains('\n'), "{line}");
                serde_json::from_str::<serde_json::Value>(&line).unwrap();
            }
        }
        fs::remove_file(directory.join("spool")).unwrap();
        buffer = Buffer::new(CAP);
    }
}

#[test]
fn links_pipes_and_directories_in_its_place_are_neither_followed_nor_waited_for() {
    for name in ["spool", "ledger"] {
        for kind in ["link", "pipe", "directory", "hard link"] {
            let (root, directory) = place();
            handover(&directory).keep(&mut buffer_of([1]));
            let (victim, target) = (root.path().join("victim"), directory.join(name));
            fs::write(&victim, "precious").unwrap();
            drop(fs::remove_file(&target));
            match kind {
                "link" => symlink(&victim, &target).unwrap(),
                "hard link" => fs::hard_link(&victim, &target).unwrap(),
                "directory" => fs::create_dir(&target).unwrap(),
                // Without a process of its own: a fork would hold the locks of other tests for a moment.
                _ => rustix::fs::mkfifoat(rustix::fs::CWD, &target, 0o600.into()).unwrap(),
            }
            let ledger = SharedLedger::default();
            let mut handover = handover(&directory);
            handover.inherit(&mut Buffer::new(CAP), &ledger, NOW);
            handover.keep(&mut buffer_of([2]));
            handover.count(&ledger.lock());
            assert_eq!(
                fs::read_to_string(&victim).unwrap(),
                "precious",
                "{name} {kind}"
            );
        }
    }
}

#[test]
fn a_directory_that_others_can_enter_is_not_used() {
    let (_root, directory) = place();
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    let mut spool = Spool::new(directory.clone(), CAP);
    let error = spool.keep(&mut buffer_of([1])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "its directory is not a private one of this user"
    );
    assert!(!directory.join("spool").exists());
}

#[test]
fn a_second_process_does_not_write_into_it() {
    let (_root, directory) = place();
    let mut first = Spool::new(directory.clone(), CAP);
    first.keep(&mut buffer_of([1])).unwrap();
    let mut second = Spool::new(directory.clone(), CAP);
    let error = second.keep(&mut buffer_of([2])).unwrap_err();
    assert_eq!(error.to_string(), "in use by another process");

    let ledger = SharedLedger::default();
    let mut books = Books::new(directory.clone(), true);
    books.write(&ledger.lock()).unwrap();
    let mut third = handover(&directory);
    let mut buffer = Buffer::new(CAP);
    third.inherit(&mut buffer, &ledger, NOW);
    assert_eq!(buffer.held_records(), 0);
    third.keep(&mut buffer_of([3]));
    third.count(&ledger.lock());
    assert!(!third.leave(&mut buffer_of([3])));
    third.clear();
    third.reported();
    drop((first, books));
    assert_eq!(
        sequences(&recovered(&directory)),
        [1],
        "it is still the first's"
    );
    assert!(directory.join("ledger").exists());
}

#[test]
fn beyond_its_bound_records_stay_in_memory_and_what_is_kept_stays_whole() {
    let (_root, directory) = place();
    let mut spool = Spool::new(directory.clone(), 500);
    let mut buffer = buffer_of(1..=3);
    spool.keep(&mut buffer).unwrap();
    for sequence in 4..=20 {
        buffer.push(record(sequence), NOW);
    }
    let error = spool.keep(&mut buffer).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(buffer.held_records(), 20);
    let length = spool.length;
    spool.keep(&mut buffer).unwrap_err();
    assert_eq!(spool.length, length, "nothing is appended again and again");
    drop(spool);
    assert_eq!(sequences(&recovered(&directory)), [1, 2, 3]);
}

#[test]
fn it_is_written_anew_when_most_of_it_is_no_longer_needed() {
    let (_root, directory) = place();
    let mut spool = Spool::new(directory.clone(), 8 * CAP);
    let mut buffer = Buffer::new(8 * CAP);
    let text = format!(
        r#""time":"t","type":"function","record":"{}""#,
        "x".repeat(300_000)
    );
    for sequence in 1..=7 {
        let id = record(sequence).id();
        buffer.push(Record::new(id, Bytes::from(text.clone())), NOW);
    }
    buffer.push(record(8), NOW);
    spool.keep(&mut buffer).unwrap();
    deliver_all_but(&mut buffer, &[8]);
    buffer.push(record(9), NOW);
    spool.strike(&mut buffer).unwrap();
    assert!(fs::metadata(directory.join("spool")).unwrap().len() < 500);
    assert!(!directory.join("spool.new").exists());
    buffer.push(record(10), NOW);
    spool.keep(&mut buffer).unwrap();
    drop(spool);
    assert_eq!(sequences(&recovered(&directory)), [8, 9, 10]);
}

#[test]
fn a_run_that_was_killed_leaves_its_counts_and_its_loss_is_counted() {
    let (_root, directory) = place();
    let ledger = SharedLedger::default();
    ledger.lock().receive(10);
    ledger.lock().deliver(SinkName::Https, 4);
    let mut first = handover(&directory);
    first.keep(&mut buffer_of(5..=8));
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
    first.keep(&mut buffer_of(1..=3));
    // All but one were delivered and counted; the kill came before they were struck off the spool.
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
    first.keep(&mut buffer_of(1..=3));
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
    assert!(handover(&directory).leave(&mut buffer_of(1..=3)));
    let path = directory.join("spool");
    let whole = fs::read(&path).unwrap();
    // The reader's bound stands in for any record that is refused.
    let found = read(&mut Cursor::new(&whole), whole.len() as u64, 250, "").unwrap();
    assert_eq!((found.left, found.len()), (Some(3), 2));
    let (ledger, mut buffer) = (SharedLedger::default(), Buffer::new(250));
    handover(&directory).inherit(&mut buffer, &ledger, NOW);
    assert_eq!(ledger.lock().dropped(DropReason::Killed), 1);
    assert!(ledger.lock().adds_up(2), "{}", ledger.lock().line());
}
