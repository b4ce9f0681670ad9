//! A backend by its name: what the plan shows of it, what becomes of the functions, and what is refused.

use std::fs;

use backstop_fake_aws::FunctionSpec;

use crate::stage::{Stage, here};

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_is_planned_in_sight_and_its_token_is_not() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 2, &FunctionSpec::default());
    let before = stage.everything();
    let path = |name: &str| stage.directory.path().join(name);
    fs::write(path("token"), "hunter2\n").unwrap();
    fs::write(path("headers"), "x-team: payments\n").unwrap();
    fs::write(
        path("backstop.toml"),
        "[primary]\nbackend = \"honeycomb\"\nregion = \"eu\"\n[secrets]\ntoken_file = \"token\"\nheader_file = \"headers\"\n",
    )
    .unwrap();
    let layer = &stage.layers[&here()];
    let select = ["--all", "--layer", layer];
    let planned = stage
        .run(&[&["plan", "--out", "plan.json"], &select[..]].concat())
        .await;
    assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
    for line in [
        "+ BACKSTOP_PRIMARY_FORMAT=otlp",
        "+ BACKSTOP_PRIMARY_HEADERS=***",
        "+ BACKSTOP_PRIMARY_URL=https://api.eu1.honeycomb.io",
    ] {
        assert!(planned.stdout.contains(line), "{}", planned.stdout);
    }
    assert!(
        !planned.stdout.contains("BACKSTOP_PRIMARY_TOKEN"),
        "{}",
        planned.stdout
    );

    let applied = stage.run(&["apply", "plan.json", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{}", applied.snapshot());
    let after = serde_json::to_string(&stage.everything()).unwrap();
    let header = "x-honeycomb-team=hunter2,x-team=payments";
    assert!(after.contains(header), "{after}");
    let plan = fs::read_to_string(path("plan.json")).unwrap();
    let journal = fs::read_to_string(stage.journal(&applied.run())).unwrap();
    for text in [
        &planned.stdout,
        &applied.stdout,
        &applied.stderr,
        &plan,
        &journal,
    ] {
        assert!(!text.contains("hunter2"), "{text}");
    }

    // A backend that is typed takes the place of the file's, with its options; and back again, with the token that
    // is in no journal.
    let typed = stage
        .run(
            &[
                &["attach", "--yes", "--backend", "grafana-cloud"][..],
                &[
                    "--backend-option",
                    "zone=prod-eu-west-0",
                    "--backend-option",
                    "instance=123",
                ],
                &["--overwrite", "BACKSTOP_PRIMARY_URL"],
                &select,
            ]
            .concat(),
        )
        .await;
    assert_eq!(typed.code, Some(0), "{}", typed.snapshot());
    let grafana = serde_json::to_string(&stage.everything()).unwrap();
    for text in [
        "123:hunter2",
        "https://otlp-gateway-prod-eu-west-0.grafana.net/otlp",
    ] {
        assert!(grafana.contains(text), "{grafana}");
    }
    let back = stage.run(&["undo", &typed.run(), "--yes"]).await;
    assert_eq!(back.code, Some(0), "{}", back.snapshot());
    assert_eq!(serde_json::to_string(&stage.everything()).unwrap(), after);
    let undone = stage.run(&["undo", &applied.run(), "--yes"]).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(stage.everything(), before);

    // A token that is not the planned one is not taken for it, also inside a header.
    fs::write(path("token"), "another").unwrap();
    let refused = stage.run(&["apply", "plan.json", "--yes"]).await;
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(
        refused
            .stderr
            .contains("has changed since the plan was made"),
        "{}",
        refused.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_wrong_is_refused_before_anything_is_looked_at() {
    let stage = Stage::set().await;
    let path = |name: &str| stage.directory.path().join(name);
    fs::write(path("token"), "hunter2\n").unwrap();
    let layer = &stage.layers[&here()];
    let select = ["plan", "--all", "--layer", layer];
    for (file, arguments, reported) in [
        (
            "[primary]\nbackend = \"honeycmb\"\n",
            &["--token-file", "token"][..],
            "there is no backend \"honeycmb\": did you mean honeycomb?",
        ),
        (
            "[primary]\nbackend = \"honeycomb\"\nregoin = \"eu\"\n",
            &["--token-file", "token"],
            "the backend honeycomb has no option \"regoin\": did you mean region?",
        ),
        (
            "[primary]\nbackend = \"honeycomb\"\n",
            &[],
            "the backend honeycomb needs a token: give it with --token-reference, --token-file or \
             --token-secret-arn",
        ),
        (
            "[primary]\nbackend = \"honeycomb\"\n[settings]\nBACKSTOP_PRIMARY_FORMAT = \"json\"\n",
            &["--token-file", "token"],
            "BACKSTOP_PRIMARY_FORMAT is set, but the backend sets it too: remove one of the two",
        ),
        (
            "[primary]\nregion = \"eu\"\n",
            &[],
            "backend options are given without a backend",
        ),
        (
            "",
            &[
                "--backend",
                "axiom",
                "--backend-option",
                "dataset=hunter2,b",
                "--token-file",
                "token",
            ],
            "the option dataset of the backend axiom is not valid: use letters, digits and ._- only",
        ),
        (
            "",
            &["--backend", "honeycomb", "--backend-option", "region"],
            "write it as OPTION=VALUE",
        ),
    ] {
        fs::write(path("backstop.toml"), file).unwrap();
        let finished = stage.run(&[&select[..], arguments].concat()).await;
        assert_eq!(finished.code, Some(2), "{}", finished.snapshot());
        assert!(finished.stderr.contains(reported), "{}", finished.stderr);
        assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
    }
}

/// Each file below "Recipes" in docs/backends.md, as it is written there.
#[tokio::test(flavor = "multi_thread")]
async fn every_recipe_of_the_page_is_planned_as_it_is_written() {
    let page = include_str!("../../../docs/backends.md");
    let (_, section) = page.split_once("\n## Recipes\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let recipes: Vec<(&str, &str)> = section
        .split("\n### ")
        .skip(1)
        .map(|recipe| {
            let (name, rest) = recipe.split_once('\n').unwrap();
            let (_, file) = rest.split_once("```toml\n").unwrap();
            (name, file.split_once("```").unwrap().0)
        })
        .collect();
    assert_eq!(recipes.len(), 9, "{recipes:?}");
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let path = |name: &str| stage.directory.path().join(name);
    fs::write(path("token"), "hunter2\n").unwrap();
    let layer = &stage.layers[&here()];
    for (name, file) in recipes {
        fs::write(path("backstop.toml"), file).unwrap();
        let planned = stage.run(&["plan", "--all", "--layer", layer]).await;
        assert_eq!(planned.code, Some(0), "{name}: {}", planned.snapshot());
        let url = "+ BACKSTOP_PRIMARY_URL=https://";
        assert!(planned.stdout.contains(url), "{name}: {}", planned.stdout);
    }
}
