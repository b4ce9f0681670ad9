//! What is kept is found, whatever becomes of the file's end.

use super::*;

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
    spool.write_removals(&mut buffer).unwrap();
    buffer.push(record(7), NOW);
    spool.keep(&mut buffer).unwrap();
    drop(spool);
    assert_eq!(sequences(&recovered(&directory)), [2, 3, 6, 7]);

    let mut spool = Spool::new(directory.clone(), CAP);
    spool.recover(CAP, NOW).unwrap();
    deliver_all_but(&mut buffer, &[]);
    spool.write_removals(&mut buffer).unwrap();
    drop(spool);
    assert!(recovered(&directory).is_empty());
}

#[test]
fn what_was_added_to_a_record_is_kept_with_it() {
    let (_root, directory) = place();
    let mut buffer = Buffer::new(CAP);
    let member = || Some(Arc::from(&br#","request_id":"r""#[..]));
    buffer.push(record(1).with_member(member()), NOW);
    buffer.push(record(2), NOW);
    Spool::new(directory.clone(), CAP)
        .keep(&mut buffer)
        .unwrap();
    let contents = recovered(&directory);
    let records = contents.groups.iter().flat_map(|group| &group.records);
    let kept: Vec<_> = records.map(|record| record.members().concat()).collect();
    let expected = [record(1).with_member(member()), record(2)];
    assert_eq!(kept, expected.map(|record| record.members().concat()));
}

#[test]
fn nothing_is_written_while_nothing_waits_or_the_spool_is_off() {
    let (_root, directory) = place();
    let mut spool = Spool::new(directory.clone(), CAP);
    spool.keep(&mut Buffer::new(CAP)).unwrap();
    spool.write_removals(&mut Buffer::new(CAP)).unwrap();
    assert!(!directory.exists());
    let mut off = Spool::new(directory.clone(), 0);
    off.keep(&mut buffer_of([1])).unwrap();
    assert!(off.close(&mut buffer_of([1])).is_err());
    assert!(!directory.exists());
    inherit(&directory);
    assert!(!directory.exists(), "init writes nothing");
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
        ends.push(end(&spool));
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
    let (first_ends, end) = (end(&spool) / 3, end(&spool));
    drop(spool);
    let whole = fs::read(directory.join("spool")).unwrap();
    for at in 0..usize::try_from(end).unwrap() {
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
        if at as u64 > first_ends + 20 {
            assert!(found.contains(&1), "changed at {at}");
        }
    }
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
    let length = end(&spool);
    spool.keep(&mut buffer).unwrap_err();
    assert_eq!(end(&spool), length, "nothing is appended again and again");
    assert!(fs::metadata(directory.join("spool")).unwrap().len() <= 500);
    drop(spool);
    assert_eq!(
        sequences(&recovered(&directory)),
        [1, 2, 3, 4, 5, 6],
        "what fits, the oldest first"
    );
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
    spool.write_removals(&mut buffer).unwrap();
    assert!(fs::metadata(directory.join("spool")).unwrap().len() < 500);
    assert!(!directory.join("spool.new").exists());
    buffer.push(record(10), NOW);
    spool.keep(&mut buffer).unwrap();
    drop(spool);
    assert_eq!(sequences(&recovered(&directory)), [8, 9, 10]);
}
