//! The function empties `/tmp`, or moves, cuts or replaces what is in it, between any two events.

use std::fs::File;

use super::*;

/// What a function may do, and whether the next run can be served afterwards.
const TAMPERINGS: [(&str, bool); 15] = [
    ("nothing", true),
    ("remove the directory", true),
    ("remove the files", true),
    ("remove the spool", true),
    ("remove the ledger", true),
    ("cut the spool", true),
    ("move the directory", true),
    ("move the spool", true),
    ("replace the spool", true),
    ("forbid reading the spool", true),
    ("forbid writing to the directory", true),
    ("make the directory public", true),
    ("put another public directory in its place", false),
    ("put a directory in the spool's place", false),
    ("put a link in the spool's place", false),
];

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn perform(tampering: &str, directory: &Path) {
    let (spool, ledger) = (directory.join("spool"), directory.join("ledger"));
    let aside = directory.with_extension("moved");
    match tampering {
        "nothing" => {}
        "remove the directory" => fs::remove_dir_all(directory).unwrap(),
        "remove the files" => {
            fs::remove_file(&spool).unwrap();
            fs::remove_file(&ledger).unwrap();
        }
        "remove the spool" => fs::remove_file(&spool).unwrap(),
        "remove the ledger" => fs::remove_file(&ledger).unwrap(),
        "cut the spool" => File::options()
            .write(true)
            .open(&spool)
            .and_then(|file| file.set_len(30))
            .unwrap(),
        "move the directory" => fs::rename(directory, aside).unwrap(),
        "move the spool" => fs::rename(&spool, aside).unwrap(),
        "replace the spool" => {
            fs::rename(&spool, aside).unwrap();
            fs::write(&spool, "something else").unwrap();
        }
        "forbid reading the spool" => mode(&spool, 0o000),
        "forbid writing to the directory" => {
            fs::remove_file(&spool).unwrap();
            mode(directory, 0o500);
        }
        "make the directory public" => {
            for path in [directory, &spool, &ledger] {
                mode(path, 0o777);
            }
        }
        "put another public directory in its place" => {
            fs::remove_dir_all(directory).unwrap();
            fs::create_dir(directory).unwrap();
            mode(directory, 0o755);
        }
        "put a directory in the spool's place" => {
            fs::remove_file(&spool).unwrap();
            fs::create_dir(&spool).unwrap();
        }
        _ => {
            fs::rename(&spool, &aside).unwrap();
            symlink(&aside, &spool).unwrap();
        }
    }
}

/// A run with three records that wait in the spool; then what empties it.
fn run_until(tampering: &str, directory: &Path) -> (Handover, Buffer, SharedLedger) {
    let (mut handover, mut buffer, ledger) = (handover(directory), buffer_of(1..=3), counts(3));
    handover.keep(&mut buffer, &ledger.lock());
    handover.received(&buffer, &ledger.lock());
    perform(tampering, directory);
    (handover, buffer, ledger)
}

#[test]
fn whatever_the_function_did_what_waits_is_found_after_the_next_look() {
    for (tampering, _) in TAMPERINGS.iter().filter(|(_, is_usable)| *is_usable) {
        let (_root, directory) = place();
        let (mut first, mut buffer, ledger) = run_until(tampering, &directory);
        buffer.push(record(4), NOW);
        ledger.lock().receive(1);
        first.keep(&mut buffer, &ledger.lock());
        first.received(&buffer, &ledger.lock());
        drop(first);
        let (ledger, buffer) = inherit(&directory);
        assert_eq!(waiting(&buffer), [1, 2, 3, 4], "{tampering}");
        assert!(ledger.lock().adds_up(4), "{tampering}");
        let lost = ledger.lock().dropped(DropReason::Killed);
        assert_eq!(lost, 0, "{tampering}");
    }
}

#[test]
fn before_a_freeze_it_looks_although_nothing_is_new() {
    for (tampering, _) in TAMPERINGS.iter().filter(|(_, is_usable)| *is_usable) {
        let (_root, directory) = place();
        let (mut first, mut buffer, ledger) = run_until(tampering, &directory);
        first.keep(&mut buffer, &ledger.lock());
        drop(first);
        let (ledger, buffer) = inherit(&directory);
        assert_eq!(waiting(&buffer), [1, 2, 3], "{tampering}");
        assert!(ledger.lock().adds_up(3), "{tampering}");
    }
}

#[test]
fn what_came_back_from_a_flush_has_a_copy_again() {
    for (tampering, _) in TAMPERINGS.iter().filter(|(_, is_usable)| *is_usable) {
        let (_root, directory) = place();
        let (mut first, mut buffer, ledger) = run_until("nothing", &directory);
        first.flush_begins(&ledger.lock());
        let mut batches = buffer.take(NOW);
        perform(tampering, &directory);
        // Arrives while the flush is under way: it is then that the loss is seen.
        buffer.push(record(4), NOW);
        ledger.lock().receive(1);
        first.keep(&mut buffer, &ledger.lock());
        ledger.lock().deliver(SinkName::Https, 2);
        batches[0].retain(|record| record.id().sequence == 2);
        buffer.settle(batches, NOW);
        first.flush_is_over(&mut buffer, &ledger.lock());
        first.keep(&mut buffer, &ledger.lock());
        drop(first);
        let (ledger, buffer) = inherit(&directory);
        assert_eq!(
            BTreeSet::from_iter(waiting(&buffer)),
            BTreeSet::from([2, 4]),
            "{tampering}"
        );
        assert!(ledger.lock().adds_up(2), "{tampering}");
        assert_eq!(ledger.lock().received(), 4, "{tampering}");
    }
}

/// The ledger line calls pending what the next run will find, and nothing else.
#[test]
fn a_run_that_ends_claims_only_what_the_next_one_finds() {
    for (tampering, is_usable) in TAMPERINGS {
        let (_root, directory) = place();
        let (mut first, mut buffer, _) = run_until(tampering, &directory);
        let lost = first.leave(&mut buffer);
        first.reported();
        drop(first);
        let (ledger, buffer) = inherit(&directory);
        let expected = if is_usable { vec![1, 2, 3] } else { vec![] };
        assert_eq!(waiting(&buffer), expected, "{tampering}");
        assert_eq!(lost, 3 - expected.len() as u64, "{tampering}");
        assert_eq!(
            ledger.lock().recovered(),
            expected.len() as u64,
            "{tampering}"
        );
    }
}

#[test]
fn counts_are_written_again_where_their_file_is_gone() {
    for tampering in ["remove the directory", "remove the ledger"] {
        let (_root, directory) = place();
        let (mut first, _, ledger) = run_until(tampering, &directory);
        first.count(&ledger.lock());
        drop(first);
        assert!(directory.join("ledger").exists(), "{tampering}");
    }
}

/// A file that is emptied keeps its blocks, and nothing in them is ever found again.
#[test]
fn nothing_of_an_earlier_generation_comes_back() {
    let (_root, directory) = place();
    let mut spool = Spool::new(directory.clone(), CAP);
    for first in [1, 101, 201, 301] {
        // Shorter each time: behind the end stand whole frames of the time before.
        for round in 0..10 - first / 100 {
            let mut buffer = buffer_of([first + round]);
            spool.keep(&mut buffer).unwrap();
        }
        let found = read_now(&directory);
        let expected: Vec<u64> = (first..first + 10 - first / 100).collect();
        assert_eq!(sequences(&found), expected);
        assert_eq!(found.torn, 0);
        spool.write_removals(&mut Buffer::new(CAP)).unwrap();
        let found = read_now(&directory);
        assert_eq!((sequences(&found), found.torn), (vec![], 0));
    }
    let length = fs::metadata(directory.join("spool")).unwrap().len();
    assert!(length > 500, "{length}: the blocks are there still");
}

/// The kill came before the end mark: what stands behind the new frame is a whole one of the time before.
#[test]
fn a_write_without_its_end_mark_brings_nothing_of_an_earlier_generation_back() {
    let (_root, directory) = place();
    let mut spool = Spool::new(directory.clone(), CAP);
    for sequence in [1, 2] {
        spool.keep(&mut buffer_of([sequence])).unwrap();
    }
    let before = fs::read(directory.join("spool")).unwrap();
    spool.write_removals(&mut Buffer::new(CAP)).unwrap();
    // As long as the first one was.
    spool.keep(&mut buffer_of([3])).unwrap();
    let end = usize::try_from(end(&spool)).unwrap();
    let mut torn = fs::read(directory.join("spool")).unwrap();
    torn[end..].copy_from_slice(&before[end..]);
    fs::write(directory.join("spool"), torn).unwrap();
    assert_eq!(sequences(&read_now(&directory)), [3]);
}

fn read_now(directory: &Path) -> Contents {
    let mut file = File::open(directory.join("spool")).unwrap();
    let length = file.metadata().unwrap().len();
    read(&mut file, length, CAP, "").unwrap()
}

/// The function opened everything to everybody, and a kill came before the next look.
#[test]
fn what_waits_is_found_in_a_directory_that_was_opened_to_others() {
    let (_root, directory) = place();
    drop(run_until("make the directory public", &directory));
    let (ledger, buffer) = inherit(&directory);
    assert_eq!(waiting(&buffer), [1, 2, 3]);
    assert!(ledger.lock().adds_up(3));
    let mode = fs::metadata(&directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
