//! What a replay does with the objects whose records are all at the primary.

use crate::replay::{assert_balanced, counts, lines};
use crate::support::{DIRECT, STREAM, Stage, line, run};

const KEYS: [&str; 3] = ["b1.ndjson.gz", "b2.ndjson.gz", "b3 +é.ndjson.gz"];

async fn stage() -> Stage {
    let stage = Stage::set().await;
    for (name, number) in KEYS.iter().zip(0..) {
        let ids = number * 10..number * 10 + 10;
        stage.put_lines(&format!("{DIRECT}/{name}"), &lines(ids, "one"));
    }
    stage
}

#[tokio::test]
async fn objects_are_tagged_and_skipped_the_next_time_by_the_same_target_only() {
    let stage = stage().await;
    let first = run(&mut stage.replay()).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(counts(&first.json(), &["sent", "objectsMarked"]), [30, 3]);
    let tags = stage.s3.tags();
    assert_eq!(tags.len(), 3, "{tags:?}");
    assert!(
        tags.values()
            .all(|tags| tags[0].starts_with("backstop-replayed=")),
        "{tags:?}"
    );
    stage.put_lines(&format!("{STREAM}/new.gz"), &lines(90..95, "new"));

    let second = run(&mut stage.replay()).await;
    assert_eq!(second.code, Some(0), "{second:?}");
    assert_eq!(counts(&second.json(), &["sent", "objectsReplayed"]), [5, 3]);
    let included = run(stage.replay().arg("--include-replayed")).await;
    assert_eq!(
        counts(&included.json(), &["sent", "objectsReplayed"]),
        [35, 0]
    );
    // To another one they were not replayed; both are remembered.
    let other = run(stage.replay().args(["--format", "json"])).await;
    assert_eq!(counts(&other.json(), &["sent", "objectsReplayed"]), [35, 0]);
    assert!(stage.s3.tags().values().all(|tags| tags[0].contains(' ')));
    for format in ["ndjson", "json"] {
        let again = run(stage.replay().args(["--format", format])).await;
        assert_eq!(counts(&again.json(), &["sent", "objectsReplayed"]), [0, 4]);
    }
}

/// A mark says that all of an object is at the primary: it is not set for less.
#[tokio::test]
async fn an_object_of_which_something_is_left_is_not_marked() {
    let stage = stage().await;
    stage.intake.refuse_lines_with(Some((400, "poison")));
    stage.put_lines(
        &format!("{STREAM}/poison.gz"),
        &[line("p-1", "poison"), line("p-2", "x")],
    );
    let other = line("o-1", "x").replace("checkout", "other");
    stage.put_lines(&format!("{STREAM}/mixed.gz"), &[line("m-1", "x"), other]);
    stage.put_lines(
        &format!("{STREAM}/broken.gz"),
        &[line("k-1", "x"), "not a record".to_owned()],
    );
    for after in ["tag", "delete"] {
        let finished = run(stage
            .replay()
            .args(["--function", "checkout", "--after", after]))
        .await;
        assert_eq!(finished.code, Some(3), "{finished:?}");
        assert_balanced(&finished.json());
        let tags = stage.s3.tags();
        let keys = stage.s3.object_keys().expect("the bucket can be read");
        for name in ["poison", "mixed", "broken"] {
            assert!(!tags.keys().any(|path| path.contains(name)), "{tags:?}");
            assert!(keys.iter().any(|key| key.contains(name)), "{keys:?}");
        }
    }
}

/// A stream's object may hold copies for the archive beside what was diverted: the archive has nothing else of them.
#[tokio::test]
async fn an_object_with_copies_for_the_archive_is_neither_moved_nor_deleted() {
    for after in ["move", "delete"] {
        let stage = stage().await;
        let copy = |id: &str| {
            let line = line(id, "x");
            let (start, _) = line.rsplit_once('}').expect("it is an object");
            format!("{start},\"route\":\"archived\"}}")
        };
        let both = [line("b-1", "x"), copy("b-2")];
        stage.put_lines(&format!("{STREAM}/both.gz"), &both);
        stage.put_lines(&format!("{STREAM}/copies.gz"), &[copy("c-1")]);
        let finished = run(stage.replay().args(["--after", after])).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(
            counts(&finished.json(), &["sent", "objectsMarked"]),
            [31, 3]
        );
        let keys = stage.s3.object_keys().expect("the bucket can be read");
        for name in ["both", "copies"] {
            let is_there = |key: &String| key.contains(name) && !key.contains("replayed");
            assert!(keys.iter().any(is_there), "{keys:?}");
        }
        // A tag keeps what was sent from being sent again, and no copy from being sent at all.
        let tagged = run(&mut stage.replay()).await;
        assert_eq!(counts(&tagged.json(), &["sent"]), [1], "{tagged:?}");
        let again = run(&mut stage.replay()).await;
        assert_eq!(counts(&again.json(), &["sent"]), [0], "{again:?}");
        let included = run(stage.replay().arg("--include-mirrored")).await;
        assert_eq!(counts(&included.json(), &["sent"]), [3], "{included:?}");
    }
}

#[tokio::test]
async fn objects_are_moved_or_deleted_or_kept_by_option() {
    for (after, marked, left) in [("move", 3, 3), ("delete", 3, 0), ("keep", 0, 3)] {
        let stage = stage().await;
        let finished = run(stage.replay().args(["--after", after])).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(
            counts(&finished.json(), &["sent", "objectsMarked"]),
            [30, marked]
        );
        let keys = stage.s3.object_keys().expect("the bucket can be read");
        assert_eq!(keys.len(), left, "{keys:?}");
        let is_moved = keys
            .iter()
            .all(|key| key.starts_with("backstop/replayed/v1/account="));
        assert_eq!(is_moved, after != "keep", "{keys:?}");
        let again = run(stage.replay().args(["--after", after])).await;
        let expected = if after == "keep" { 30 } else { 0 };
        assert_eq!(counts(&again.json(), &["sent"]), [expected]);
    }
}

/// The operator needs the permission for marks. Without it the records still arrive.
#[tokio::test]
async fn a_mark_that_is_denied_is_reported_once_and_costs_no_record() {
    let stage = stage().await;
    stage.s3.deny_tags(true);
    let finished = run(&mut stage.replay()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let summary = finished.json();
    assert_eq!(
        counts(&summary, &["sent", "objectsMarked", "objectsUnmarked"]),
        [30, 0, 3]
    );
    let problems = summary["problems"].as_array().cloned().unwrap_or_default();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = problems[0]["problem"].as_str().unwrap_or_default();
    assert!(
        problem.contains("s3:PutObjectTagging on the objects, or give --after keep"),
        "{problem}"
    );
}

#[tokio::test]
async fn nothing_is_changed_in_a_directory() {
    let stage = stage().await;
    let replay = |more: &[&str]| {
        let typed = stage.replay();
        let words: Vec<_> = (typed.as_std().get_args()).map(ToOwned::to_owned).collect();
        let from = words
            .iter()
            .position(|word| word == "--from")
            .expect("it is there");
        let mut command = crate::support::backstop();
        command
            .env_remove("HOME")
            .args(&words[..=from])
            .arg(stage.path("backstop"))
            .args(&words[from + 2..])
            .args(more)
            .envs((typed.as_std().get_envs()).filter_map(|(name, value)| Some((name, value?))));
        command
    };
    for _ in 0..2 {
        let finished = run(&mut replay(&[])).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(
            counts(&finished.json(), &["sent", "objectsMarked"]),
            [30, 0]
        );
    }
    let refused = run(&mut replay(&["--after", "delete"])).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("Backstop changes nothing in a directory"),
        "{refused:?}"
    );
}
