//! `backstop drill` on a simulated control plane whose function runs the real extension.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod killed;
mod refused;
mod stage;

use serde_json::Value;
use stage::{Finished, LINES, Stage};

const INVOCATIONS: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_diverts_restores_to_the_byte_replays_and_counts() {
    let stage = Stage::set().await;
    let before = stage.plane.snapshot();
    let page = stage.home.path().join("drill.html");
    let path = page.display().to_string();
    let drill = [
        "--yes",
        "--invocations",
        "4",
        "--output",
        "json",
        "--report",
        &path,
    ];
    let drilled = Finished::from(stage.drill(&drill).output().await.unwrap());
    assert_eq!(drilled.code, Some(0), "{drilled:?}");
    assert_eq!(stage.plane.snapshot(), before);
    assert_eq!(stage.plane.count("UpdateFunctionConfiguration"), 2);
    assert_eq!(stage.plane.count("Invoke"), 8);

    let result = drilled.json();
    assert_eq!(result["ok"], true, "{result:#}");
    assert_eq!(result["failure"], "refused");
    for phase in ["before", "during"] {
        assert_eq!(result[phase]["invocations"], INVOCATIONS, "{result:#}");
        assert_eq!(result[phase]["coldStarts"], 1, "{result:#}");
        assert!(result[phase]["billedMs"]["p50"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(result["missingInvocations"], serde_json::json!([]));
    assert_eq!(result["missingRecords"], 0);
    // Every line of the second half is in the archive, and at the primary after the replay.
    let lines = (stage.s3.archive_lines().unwrap().iter())
        .filter(|line| line["type"] == "function")
        .count();
    assert_eq!(lines, 4 * LINES);
    let archived = stage.s3.archive_lines().unwrap().len() as u64;
    assert_eq!(result["archived"], archived, "{result:#}");
    assert_eq!(result["records"], serde_json::json!({ "s3": archived }));
    assert_eq!(result["replay"]["sent"], archived, "{result:#}");
    let all: Vec<u64> = (0..8 * LINES as u64).collect();
    let mut arrived: Vec<u64> = stage.intake.sequences().into_keys().collect();
    arrived.sort_unstable();
    assert_eq!(arrived, all, "every line of both halves is at the primary");

    // The page has the numbers of the JSON.
    let page = std::fs::read_to_string(page).unwrap();
    let embedded = page.split("id=\"result\">").nth(1).unwrap();
    let embedded: Value =
        serde_json::from_str(embedded.split("</script>").next().unwrap()).unwrap();
    assert_eq!(embedded, result);
    let cells: Vec<&str> = page.split("data-path=\"").skip(1).collect();
    assert!(cells.len() > 12, "{page}");
    for cell in cells {
        let (path, rest) = cell.split_once("\">").unwrap();
        let shown: f64 = rest
            .split('<')
            .next()
            .unwrap()
            .replace(',', "")
            .parse()
            .unwrap();
        assert_eq!(
            result.pointer(path).and_then(Value::as_f64),
            Some(shown),
            "{path}"
        );
    }
    assert!(
        !page.contains(" src=") && !page.contains(" href="),
        "it loads nothing"
    );
    if let Some(chromium) = backstop_tests::browser::chromium() {
        backstop_tests::browser::assert_shows(&chromium, &page, &result);
    }

    // It is a run that is undone, and leaves nothing to undo.
    let runs = stage.run(&["runs", "--output", "json"]).await.json();
    assert_eq!(runs["runs"][1]["action"], "drill", "{runs:#}");
    assert_eq!(runs["runs"][1]["isUndone"], true, "{runs:#}");
    let again = stage.run(&["undo", "--last", "--yes"]).await;
    assert!(again.stderr.contains("has no run to undo"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_fits_a_terminal_and_ends_with_the_verdict() {
    let stage = Stage::set().await;
    let mut drill = stage.drill(&["--yes", "--invocations", "2", "--no-replay"]);
    let drilled = Finished::from(drill.env("COLUMNS", "80").output().await.unwrap());
    assert_eq!(drilled.code, Some(0), "{drilled:?}");
    let shown = &drilled.stdout;
    for part in [
        "before  during",
        "cold starts",
        "records in the archive",
        "by s3",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("replayed"), "{shown}");
    assert!(
        shown.ends_with("0 records missing; configuration restored\n"),
        "{shown}"
    );
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
}

/// What is not in the archive is named by its id, and fails the drill.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_takes_nothing_fails_the_drill_and_names_the_invocations() {
    let stage = Stage::set().await;
    let before = stage.plane.snapshot();
    let fault = Some(backstop_simulator::Fault::Status(503));
    stage.s3.set_fault(fault).await.unwrap();
    let s3 = stage.home.path().join("empty");
    std::fs::create_dir_all(s3.join("backstop/v1")).unwrap();
    let archive = s3.display().to_string();
    let drill = [
        "--yes",
        "--invocations",
        "2",
        "--output",
        "json",
        "--archive",
        &archive,
        "--archive-wait",
        "1",
    ];
    let drilled = Finished::from(stage.drill(&drill).output().await.unwrap());
    assert_eq!(drilled.code, Some(3), "{drilled:?}");
    assert_eq!(stage.plane.snapshot(), before);
    let result = drilled.json();
    assert_eq!(result["ok"], false);
    assert_eq!(result["restored"], true);
    let ids = |of: &Value| -> Vec<Value> { of.as_array().unwrap().clone() };
    let during = ids(&result["during"]["each"]);
    let requests: Vec<Value> = during.iter().map(|it| it["requestId"].clone()).collect();
    assert_eq!(ids(&result["missingInvocations"]), requests);
}

/// A server of the operator's own gets records and no key.
#[tokio::test(flavor = "multi_thread")]
async fn an_own_address_that_fails_gets_no_key() {
    let stage = Stage::set().await;
    let before = stage.plane.snapshot();
    let own = backstop_simulator::FakeIntake::start_plaintext()
        .await
        .unwrap();
    let fault = Some(backstop_simulator::Fault::Status(500));
    own.set_fault(fault).await.unwrap();
    // What may be a key is not shown: the stage looks for this one in all that is printed.
    let url = format!("{}?key=hunter2", own.url());
    let drill = [
        "--yes",
        "--invocations",
        "2",
        "--output",
        "json",
        "--primary-url",
        &url,
    ];
    let drilled = Finished::from(stage.drill(&drill).output().await.unwrap());
    assert_eq!(drilled.code, Some(0), "{drilled:?}");
    assert_eq!(stage.plane.snapshot(), before);
    assert!(own.requests().get(&500).is_some_and(|count| *count > 0));
    let headers = format!("{:?}", own.last_headers());
    assert!(
        headers.contains("backstop-drill") && !headers.contains("hunter2"),
        "{headers}"
    );
    let result = drilled.json();
    assert_eq!(
        result["missingRecords"],
        Value::Null,
        "numbers prove nothing here"
    );
    assert!(result["replay"]["sent"].as_u64().unwrap() > 0, "{result:#}");
}

/// The stream's destination is not among the function's variables.
#[tokio::test(flavor = "multi_thread")]
async fn a_streams_records_are_found_where_it_delivers() {
    let stage = Stage::with_stream().await;
    let before = stage.plane.snapshot();
    let unknown = Finished::from(stage.drill(&["--yes"]).output().await.unwrap());
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.stderr.contains("give --archive"), "{unknown:?}");
    assert_eq!(stage.plane.count("Invoke"), 0);

    let archive = format!("s3://{}/backstop", stage.s3.bucket());
    let drill = [
        "--yes",
        "--invocations",
        "2",
        "--output",
        "json",
        "--archive",
        &archive,
    ];
    let drilling = stage.begin(&drill);
    let delivering = async {
        loop {
            stage.firehose.flush().await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let output = tokio::select! {
        output = drilling.wait_with_output() => output.unwrap(),
        () = delivering => unreachable!("it goes on until the drill ends"),
    };
    let drilled = Finished::from(output);
    assert_eq!(drilled.code, Some(0), "{drilled:?}");
    assert_eq!(stage.plane.snapshot(), before);
    let result = drilled.json();
    let archived = stage.s3.archive_lines().unwrap().len() as u64;
    assert_eq!(
        result["records"],
        serde_json::json!({ "firehose": archived }),
        "{result:#}"
    );
    assert_eq!(result["replay"]["sent"], archived, "{result:#}");
}

/// The function's own S3 is looked at beside the place of the stream.
#[tokio::test(flavor = "multi_thread")]
async fn records_are_found_in_the_archive_of_the_stream_and_in_the_functions_own() {
    let stage = Stage::with_stream().await;
    stage.plane.change(&stage::here(), "orders", |spec| {
        for (name, value) in [
            ("BACKSTOP_FALLBACK", "firehose,s3"),
            ("BACKSTOP_S3_BUCKET", stage.s3.bucket()),
            ("BACKSTOP_S3_PREFIX", "own"),
        ] {
            spec.environment.insert(name.to_owned(), value.to_owned());
        }
    });
    let fault = Some(backstop_simulator::Fault::Status(503));
    stage.firehose.set_fault(fault).await.unwrap();
    let archive = format!("s3://{}/backstop", stage.s3.bucket());
    let drill = [
        "--yes",
        "--invocations",
        "2",
        "--output",
        "json",
        "--archive",
        &archive,
    ];
    let drilled = Finished::from(stage.drill(&drill).output().await.unwrap());
    assert_eq!(drilled.code, Some(0), "{drilled:?}");
    let result = drilled.json();
    let archived = stage.s3.archive_lines().unwrap().len() as u64;
    assert_eq!(result["records"], serde_json::json!({ "s3": archived }));
    assert_eq!(result["replay"]["sent"], archived, "{result:#}");
    assert_eq!(result["streamReplay"]["sent"], 0, "{result:#}");
    let stream = result["streamArchive"].as_str().unwrap();
    assert!(stream.starts_with(&archive), "{stream}");
}

/// What the drill changed is restored; what somebody else changed meanwhile is left, and said.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_changes_during_a_drill_is_left_and_said() {
    for (name, value, code, is_replayed) in [
        ("TABLE", "payments", 0, true),
        (
            "BACKSTOP_PRIMARY_URL",
            "https://other.example.com/",
            3,
            false,
        ),
    ] {
        let stage = Stage::set().await;
        let mut expected = String::new();
        stage.plane.change(&stage::here(), "orders", |spec| {
            expected = spec.environment["BACKSTOP_PRIMARY_URL"].clone();
        });
        let held = stage
            .plane
            .hold("Invoke", 3, backstop_fake_aws::Moment::BeforeItIsDone);
        let drill = stage.begin(&["--yes", "--invocations", "2", "--output", "json"]);
        held.reached().await;
        stage.plane.change(&stage::here(), "orders", |spec| {
            spec.environment.insert(name.to_owned(), value.to_owned());
        });
        held.release();
        let drilled = Finished::from(drill.wait_with_output().await.unwrap());
        assert_eq!(drilled.code, Some(code), "{name}: {drilled:?}");
        let result = drilled.json();
        assert_eq!(result["restored"], true, "{name}: {result:#}");
        assert_eq!(result["changedByOthers"], serde_json::json!([name]));
        assert_eq!(result["replay"].is_object(), is_replayed, "{result:#}");
        let now = stage.plane.configuration(&stage::here(), "orders").unwrap();
        let variables = &now["Environment"]["Variables"];
        assert_eq!(variables[name], value);
        if is_replayed {
            assert_eq!(variables["BACKSTOP_PRIMARY_URL"], expected, "{variables}");
        } else {
            let problems = result["problems"].to_string();
            assert!(problems.contains("nothing was replayed"), "{problems}");
        }
    }
}
