//! What a person sees: the screens at 80 and at 120 columns.
//!
//! The environment names an endpoint where nothing answers: what is typed wins. Invariants: no line is wider
//! than the terminal but for one word, and nothing is cut.

use std::fmt::Write as _;

use backstop_fake_aws::{FunctionSpec, Place};
use insta::assert_snapshot;

use crate::stage::{ACCOUNT, Finished, Stage, here};

/// Nothing listens there.
const DEAD: &str = "http://127.0.0.1:9";

async fn screen(stage: &Stage, width: usize, arguments: &[&str]) -> Finished {
    let endpoint = stage.plane.endpoint();
    let mut command = stage.backstop(arguments);
    command
        .args(["--endpoint-url", &endpoint])
        .env("AWS_ENDPOINT_URL", DEAD)
        .env("COLUMNS", width.to_string());
    let finished: Finished = command.output().await.unwrap().into();
    for line in finished.stdout.lines() {
        let is_one_word = !line.trim().contains(' ');
        assert!(line.chars().count() <= width || is_one_word, "{line}");
    }
    finished
}

#[tokio::test(flavor = "multi_thread")]
async fn screens_fit_the_terminal() {
    for width in [80, 120] {
        let places = [
            here(),
            Place::new(ACCOUNT, "us-east-1"),
            Place::new("444455556666", "ap-southeast-2"),
        ];
        let stage = Stage::in_places(&places).await;
        let names = "payments-reconciliation-nightly-export";
        for place in &places {
            stage.add(place, names, 7, &FunctionSpec::default());
        }
        let aliased = FunctionSpec {
            name: "storefront-checkout-api".to_owned(),
            aliases: vec!["live".to_owned()],
            ..FunctionSpec::default()
        };
        stage.plane.add_function(&here(), aliased);
        let where_to = [
            "--regions",
            "eu-west-1,us-east-1,ap-southeast-2",
            "--accounts",
            "111122223333,444455556666",
            "--role",
            "Operator",
        ];
        let mut layers = vec![
            "--all",
            "--set",
            "BACKSTOP_PRIMARY_URL=https://intake.example.com/v1",
        ];
        layers.extend(stage.layers.values().flat_map(|arn| ["--layer", arn]));
        let with = |command: &[&'static str]| [command, &layers[..], &where_to].concat();
        let mut screens = String::new();
        let mut show = |title: &str, finished: &Finished| {
            writeln!(screens, "$ backstop {title}\n{}", stage.masked(finished)).unwrap();
        };
        show("plan", &screen(&stage, width, &with(&["plan"])).await);
        let attached = screen(&stage, width, &with(&["attach", "--yes", "--rate", "100"])).await;
        assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
        show("attach", &attached);
        stage.plane.deploy(
            &here(),
            "storefront-checkout-api",
            ("BACKSTOP_PRIMARY_URL", "x"),
        );
        let status = [&["status"], &where_to[..]].concat();
        show("status", &screen(&stage, width, &status).await);
        show("runs", &screen(&stage, width, &["runs"]).await);
        show(
            "runs RUN",
            &screen(&stage, width, &["runs", &attached.run()]).await,
        );
        let full = ["runs", &attached.run(), "--full"];
        show("runs RUN --full", &screen(&stage, width, &full).await);
        let list = [&["layer", "list"], &where_to[..]].concat();
        show("layer list", &screen(&stage, width, &list).await);
        // The rest of the commands, without a snapshot of each.
        let one = "storefront-checkout-api";
        let doctor = ["doctor", one, "--region", "eu-west-1"];
        let drill = ["drill", one, "--region", "eu-west-1", "--yes"];
        let prune = [&["layer", "prune", "--dry-run"], &where_to[..]].concat();
        let detach = [&["detach", "--all", "--dry-run"], &where_to[..]].concat();
        let undo = ["undo", &attached.run(), "--yes", "--rate", "100"];
        let explain = ["plan", "--explain", "all"];
        for arguments in [&doctor[..], &drill, &prune, &detach, &explain, &undo] {
            let shown = screen(&stage, width, arguments).await;
            assert!(
                shown.code.is_some_and(|code| code != 2),
                "{}",
                shown.snapshot()
            );
            // A refusal is an error, and has no table.
            assert!(
                !shown.stdout.is_empty() || shown.code == Some(5),
                "{arguments:?}"
            );
        }
        // Names for completions are those of the last plan, each once.
        let names = stage.run(&["completions", "--functions"]).await.stdout;
        assert_eq!(names.lines().count(), 8, "{names}");
        assert!(names.lines().any(|it| it == one), "{names}");
        let filters = vec![(r"\d{4}-\d\d-\d\d\b", "YYYY-MM-DD")];
        insta::with_settings!({filters => filters}, {
            assert_snapshot!(format!("screens_{width}"), screens);
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_on_signs_and_words_and_never_in_json() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 2, &FunctionSpec::default());
    let image = FunctionSpec {
        name: "image".to_owned(),
        package_type: backstop_fake_aws::PackageType::Image,
        ..FunctionSpec::default()
    };
    stage.plane.add_function(&here(), image);
    let colours = ["--all", "--dry-run", "--color", "always"];
    let coloured = stage.attach(&colours).await;
    let shown = coloured.stdout.replace('\x1b', "ESC");
    for part in [
        "ESC[1;32mPlan to attach: 2 to change, 0 unchanged, 1 refusedESC[0m",
        "    ESC[32m+ESC[0m layer ",
        "    ESC[1;33m!ESC[0m no fallback",
        "  ESC[31mimageESC[0m\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = stage
        .attach(&[&colours[..], &["--output", "json"]].concat())
        .await;
    let plain = stage.attach(&["--all", "--dry-run"]).await;
    for finished in [json, plain] {
        assert!(
            !finished.stdout.contains('\x1b') && !finished.stderr.contains('\x1b'),
            "{finished:?}"
        );
    }
}
