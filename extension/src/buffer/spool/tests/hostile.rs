//! What stands in the place of the spool's files and does no harm.

use super::*;

#[test]
fn only_the_user_can_read_it() {
    let (_root, directory) = place();
    handover(&directory).keep(&mut buffer_of([1]), &counts(1).lock());
    handover(&directory).count(&SharedLedger::default().lock());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join("spool")), 0o600);
    assert_eq!(mode(&directory.join("ledger")), 0o600);
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

/// It goes into a line of the archive as it is: a second line, or half a character, would cost others theirs.
#[test]
fn an_original_that_is_no_json_on_one_line_is_not_believed() {
    for (original, is_sound) in [
        (r#""a secret""#, true),
        (r#"{"a":[1,2]}"#, true),
        ("{\n}", false),
        ("{\r}", false),
        ("\"\\ud800\"", false),
    ] {
        let (_root, directory) = place();
        let forged = record(1).with_original(Some(Bytes::from(original)));
        let mut buffer = Buffer::new(CAP);
        buffer.push(forged, NOW);
        Spool::new(directory.clone(), CAP)
            .keep(&mut buffer)
            .unwrap();
        let groups = recovered(&directory).groups;
        let found = groups[0].records[0].original();
        assert_eq!(found, is_sound.then_some(original.as_bytes()), "{original}");
    }
}

#[test]
fn links_pipes_and_directories_in_its_place_are_neither_followed_nor_waited_for() {
    for name in ["spool", "ledger"] {
        for kind in ["link", "pipe", "directory", "hard link"] {
            let (root, directory) = place();
            handover(&directory).keep(&mut buffer_of([1]), &counts(1).lock());
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
            handover.inherit(&mut Buffer::new(CAP), &ledger, |_| Signal::Log, NOW);
            handover.keep(&mut buffer_of([2]), &ledger.lock());
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
    let mut file = LedgerFile::new(directory.clone(), true);
    file.write(&ledger.lock()).unwrap();
    let mut third = handover(&directory);
    let mut buffer = Buffer::new(CAP);
    third.inherit(&mut buffer, &ledger, |_| Signal::Log, NOW);
    assert_eq!(buffer.held_records(), 0);
    third.keep(&mut buffer_of([3]), &ledger.lock());
    third.count(&ledger.lock());
    assert_eq!(third.leave(&mut buffer_of([3])), 1);
    third.clear();
    third.reported();
    drop((first, file));
    assert_eq!(
        sequences(&recovered(&directory)),
        [1],
        "it is still the first's"
    );
    assert!(directory.join("ledger").exists());
}

/// What is opened under conditions is removed under the same.
#[test]
fn what_is_not_a_file_of_ours_is_not_removed() {
    for kind in ["link", "pipe", "directory", "hard link", "in use"] {
        let (root, directory) = place();
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        let (victim, target) = (root.path().join("victim"), directory.join("spool"));
        fs::write(&victim, "precious").unwrap();
        let mut held = None;
        match kind {
            "link" => symlink(&victim, &target).unwrap(),
            "hard link" => fs::hard_link(&victim, &target).unwrap(),
            "directory" => fs::create_dir(&target).unwrap(),
            "pipe" => rustix::fs::mkfifoat(rustix::fs::CWD, &target, 0o600.into()).unwrap(),
            _ => {
                held = Some(
                    SpoolDirectory::new(directory.clone())
                        .create("spool")
                        .unwrap(),
                );
            }
        }
        SpoolDirectory::new(directory.clone())
            .remove("spool")
            .unwrap_err();
        assert!(fs::symlink_metadata(&target).is_ok(), "{kind}");
        drop(held);
    }
    let (_root, directory) = place();
    SpoolDirectory::new(directory.clone())
        .remove("spool")
        .unwrap();
    drop(
        SpoolDirectory::new(directory.clone())
            .create("spool")
            .unwrap(),
    );
    SpoolDirectory::new(directory.clone())
        .remove("spool")
        .unwrap();
    assert!(!directory.join("spool").exists());
}
