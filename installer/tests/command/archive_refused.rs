//! What `backstop archive` cannot read, each with what to do about it.

use backstop_simulator::{Fault, LittleServer};

use crate::replay::lines;
use crate::support::{DIRECT, Finished, Stage, backstop, line, run};

async fn of(arguments: &[&str]) -> Finished {
    run(backstop().args(["archive"]).args(arguments)).await
}

#[tokio::test]
async fn what_was_typed_wrong_is_a_usage_error() {
    for (arguments, code, expected) in [
        (
            &["cat", "https://bucket/prefix"][..],
            2,
            "write it as s3://bucket/prefix, or give a directory",
        ),
        (
            &["cat", "/nonexistent/archive"],
            2,
            "there is no file or directory /nonexistent/archive: give one, or a bucket as \
             s3://bucket/prefix",
        ),
        (
            &["stats", "/dev/null"],
            2,
            "/dev/null is not a directory or a regular file",
        ),
        (
            &[
                "ls",
                "s3://b",
                "--since",
                "2026-02-01",
                "--until",
                "2026-01-31",
            ],
            2,
            "--since 2026-02-01T00:00:00Z is not before --until 2026-01-31T00:00:00Z: swap them",
        ),
    ] {
        let finished = of(arguments).await;
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert!(finished.stderr.contains(expected), "{finished:?}");
        assert_eq!(finished.stdout, "");
    }
}

#[tokio::test]
async fn a_bucket_that_cannot_be_read_is_an_error_with_what_to_do() {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.gz"), &lines(0..1, "one"));
    let mut command = backstop();
    command
        .args(["archive", "ls", "s3://nobodys-bucket/backstop"])
        .args(["--endpoint-url", &stage.s3.endpoint()])
        .env("AWS_ACCESS_KEY_ID", stage.s3.access_key())
        .env("AWS_SECRET_ACCESS_KEY", stage.s3.secret_key());
    let finished = run(&mut command).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.stderr.contains("check the bucket's name"),
        "{finished:?}"
    );

    stage.s3.set_region("eu-central-1");
    let finished = run(stage
        .archive("stats", "backstop")
        .args(["--region", "us-east-1"]))
    .await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.stderr.contains("(the bucket is in eu-central-1)"),
        "{finished:?}"
    );
    assert!(
        finished
            .stderr
            .contains("give the bucket's own region with --region"),
        "{finished:?}"
    );

    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.gz"), &lines(0..1, "one"));
    let denied = Some(Fault::Status(403));
    stage.s3.set_fault(denied).await.expect("it holds");
    let finished = run(&mut stage.archive("cat", "backstop")).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.stderr.contains("grant the role s3:ListBucket"),
        "{finished:?}"
    );
}

#[tokio::test]
async fn nothing_is_no_error_and_the_nearest_is_named() {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.gz"), &lines(0..1, "one"));
    for command in ["ls", "cat", "stats"] {
        let finished = run(&mut stage.archive(command, "backstopp")).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let meant = format!("did you mean s3://{}/backstop?", stage.s3.bucket());
        assert!(finished.stderr.contains(&meant), "{finished:?}");
    }
}

#[tokio::test]
async fn options_that_leave_out_everything_are_told_with_what_to_do() {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.gz"), &lines(0..3, "one"));
    for (options, left_out) in [
        (["--until", "2026-01-01"], "1 folder"),
        (["--since", "2999-01-01"], "1 folder"),
        (["--reason", "timeout"], "3 records"),
    ] {
        let mut commands: Vec<_> = ["cat", "stats"]
            .map(|command| stage.archive(command, "backstop"))
            .into();
        // It also names the reason that nothing has.
        if options[0] != "--reason" {
            commands.extend([stage.archive("ls", "backstop"), stage.replay()]);
        }
        for mut command in commands {
            let finished = run(command.args(options)).await;
            assert_eq!(finished.code, Some(0), "{finished:?}");
            let message =
                format!("Nothing is selected: the options leave out {left_out}. Widen them");
            assert!(finished.stderr.contains(&message), "{finished:?}");
        }
    }
}

const XML: &str = "content-type: application/xml\r\n";

fn listing(objects: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>\
         <EncodingType>url</EncodingType>{objects}</ListBucketResult>"
    )
}

async fn at(server: &LittleServer, command: &str) -> Finished {
    let mut backstop = backstop();
    backstop
        .args(["archive", command, "s3://b/backstop", "--endpoint-url"])
        .arg(server.endpoint())
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_MAX_ATTEMPTS", "1");
    run(&mut backstop).await
}

/// What must be restored is seen in the listing: nothing of it is asked for.
#[tokio::test]
async fn archive_classes_are_reported_once_with_the_command_that_restores_them() {
    let text = line("e-1", "one");
    let size = text.len();
    let server = LittleServer::start(move |path| {
        if path.contains("list-type=2") {
            let object = |name: &str, more: &str| {
                format!(
                    "<Contents><Key>backstop/v1/stream=s/{name}</Key><Size>{size}</Size>{more}</Contents>"
                )
            };
            let class = |name| format!("<StorageClass>{name}</StorageClass>");
            let restored = "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>\
                <RestoreExpiryDate>2030-01-01T00:00:00Z</RestoreExpiryDate></RestoreStatus>";
            let objects = [
                object("a", &class("GLACIER")),
                object("b", &class("DEEP_ARCHIVE")),
                object("c", &(class("GLACIER") + restored)),
                object("d", &class("GLACIER_IR")),
            ];
            return (200, XML.to_owned(), listing(&objects.concat()));
        }
        let is_frozen = path.contains("stream%3Ds/a") || path.contains("stream%3Ds/b");
        assert!(!is_frozen, "asked for, and not allowed: {path}");
        (200, String::new(), text.clone())
    });
    for (command, lines) in [("cat", 2), ("stats", 10)] {
        let finished = at(&server, command).await;
        assert_eq!(finished.code, Some(3), "{finished:?}");
        assert!(finished.stdout.lines().count() >= lines, "{finished:?}");
        let said = &finished.stderr;
        assert!(
            said.contains("backstop/v1/stream=s/a: 2 objects ("),
            "{said}"
        );
        assert!(
            said.contains("aws s3api restore-object --bucket b --key"),
            "{said}"
        );
        assert!(said.contains("S3 Batch Operations"), "{said}");
    }
    let listed = at(&server, "ls").await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert_eq!(
        listed.stdout.matches("(restore first)").count(),
        2,
        "{listed:?}"
    );
}

/// Objects may be listed and not read.
#[tokio::test]
async fn an_object_that_may_not_be_read_is_named_with_the_permission() {
    let server = LittleServer::start(move |path| {
        if path.contains("list-type=2") {
            let object = "<Contents><Key>backstop/v1/stream=s/a</Key><Size>9</Size></Contents>";
            return (200, XML.to_owned(), listing(object));
        }
        let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        (403, XML.to_owned(), denied.to_owned())
    });
    for command in ["cat", "stats"] {
        let finished = at(&server, command).await;
        assert_eq!(finished.code, Some(3), "{finished:?}");
        let said = &finished.stderr;
        assert!(
            said.contains("backstop/v1/stream=s/a: cannot read it: AccessDenied"),
            "{said}"
        );
        assert!(
            said.contains("s3:GetObject on its objects, and kms:Decrypt"),
            "{said}"
        );
    }
}

/// A key is only a key: it is asked for as it is, and shown as it can be read.
#[tokio::test]
async fn a_hostile_key_is_read_and_shown_and_nothing_else() {
    let text = line("e-1", "one");
    let size = text.len();
    let server = LittleServer::start(move |path| {
        if path.contains("list-type=2") {
            let keys = ["../../etc/passwd", "a%1B%5B2J%0Ab", "%2F%2Fx"];
            let objects = keys.map(|key| {
                format!(
                    "<Contents><Key>backstop/v1/stream=s/{key}</Key><Size>{size}</Size></Contents>"
                )
            });
            return (200, XML.to_owned(), listing(&objects.concat()));
        }
        if path.contains("/../../etc/passwd") || path.contains("///x") {
            return (200, String::new(), text.clone());
        }
        (
            404,
            XML.to_owned(),
            "<Error><Code>NoSuchKey</Code></Error>".to_owned(),
        )
    });
    let finished = at(&server, "cat").await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert_eq!(finished.stdout.lines().count(), 2, "{finished:?}");
    let shown = "backstop/v1/stream=s/a\\u{1b}[2J\\nb: cannot read it";
    assert!(finished.stderr.contains(shown), "{finished:?}");
    let listed = at(&server, "ls").await;
    assert!(!listed.stdout.contains('\u{1b}'), "{listed:?}");
    assert_eq!(listed.stdout.lines().count(), 4, "{listed:?}");
}

/// 100 kB of gzip that are 100 MB of spaces, and nothing else.
#[tokio::test]
async fn a_bomb_is_read_to_its_end_within_bounds() {
    let stage = Stage::set().await;
    let bomb = backstop_sinks::codec::gzip(&vec![b'x'; 100 << 20]);
    stage.put(&format!("{DIRECT}/bomb.gz"), &bomb);
    stage.put_lines(&format!("{DIRECT}/z.gz"), &lines(0..1, "one"));
    let command = stage.archive("cat", "backstop");
    // No more address space than a command of this size takes.
    let mut limited = tokio::process::Command::new("sh");
    let words: Vec<_> = (command.as_std().get_args())
        .map(|it| it.to_string_lossy().into_owned())
        .collect();
    limited
        .args(["-c", "ulimit -d 196608; exec \"$@\"", "sh"])
        .arg(command.as_std().get_program())
        .args(&words)
        .env_clear()
        .envs(
            command
                .as_std()
                .get_envs()
                .filter_map(|(k, v)| Some((k, v?))),
        );
    let finished = run(&mut limited).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(
        finished.stderr.contains("it is longer than 16777216 bytes"),
        "{finished:?}"
    );
    assert_eq!(finished.stdout.lines().count(), 1, "{finished:?}");
}
