//! `backstop replay --enqueue` and `--follow`: what is refused before anything is asked of AWS.

use crate::support::{backstop, run};

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/111122223333/backstop-replay";

#[tokio::test]
async fn what_does_not_go_with_a_queue_is_refused_and_no_password_is_shown() {
    let directory = env!("CARGO_TARGET_TMPDIR");
    let with_password = "https://user:hunter2@sqs.eu-west-1.amazonaws.com/111122223333/q";
    let archive = "s3://archive/backstop";
    let nowhere = "https://queue.example.com/111122223333/q";
    for (arguments, part) in [
        (
            vec!["--from", directory, "--enqueue", QUEUE],
            "a function reads no directory: give --from s3://",
        ),
        (
            vec!["--from", archive, "--enqueue", with_password],
            "no user name and no password",
        ),
        (
            vec!["--follow", with_password],
            "no user name and no password",
        ),
        (
            vec!["--from", archive, "--enqueue", nowhere],
            "names no region: give the queue's with --region",
        ),
        (
            vec!["--follow", QUEUE, "--since", "2026-01-31"],
            "cannot be used with",
        ),
        (
            vec!["--follow", QUEUE, "--function", "f"],
            "cannot be used with",
        ),
        (
            vec!["--follow", QUEUE, "--concurrency", "8"],
            "cannot be used with",
        ),
        (
            vec!["--follow", QUEUE, "--enqueue", QUEUE],
            "cannot be used with",
        ),
        (
            vec!["--from", archive, "--enqueue", QUEUE, "--rate", "5"],
            "cannot be used with",
        ),
    ] {
        let mut command = backstop();
        command.arg("replay").args(&arguments);
        let finished = run(&mut command).await;
        assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:?}");
        let said = format!("{finished:?}");
        assert!(said.contains(part), "{arguments:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
