//! README's flow, line by line as it is written there, against the control plane.

use backstop_fake_aws::ControlPlane;
use backstop_fake_aws::FunctionSpec;

use crate::layer_stage::{ACCOUNTS, LayerStage, REGIONS, place};
use crate::support::{Finished, backstop, run};

/// The commands in the first block after this heading, each on one line.
fn commands(readme: &str, heading: &str) -> Vec<String> {
    let (_, section) = readme.split_once(heading).expect("the heading is there");
    let (_, block) = section.split_once("```console\n").expect("it has a block");
    let (block, _) = block.split_once("```").expect("the block ends");
    let block = block.replace("\\\n", " ");
    let lines = block.lines().filter_map(|line| line.strip_prefix("$ "));
    lines.map(str::to_owned).collect()
}

async fn finished(stage: &LayerStage, line: &str) -> Finished {
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let mut command = backstop();
    command
        .args(words)
        .args(["--endpoint-url", &stage.plane.endpoint()])
        .env("HOME", stage.path(""))
        .env("AWS_ACCESS_KEY_ID", ControlPlane::access_key(ACCOUNTS[0]))
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", "eu-west-1")
        .current_dir(stage.path(""));
    run(&mut command).await
}

#[tokio::test]
async fn the_flow_leaves_functions_that_can_write_to_the_fallback() {
    let readme = include_str!("../../../README.md");
    let stage = LayerStage::set();
    std::fs::write(stage.path("token"), "hunter2").expect("the directory is ours");
    for region in 1..REGIONS.len() {
        let spec = FunctionSpec {
            name: "payments".to_owned(),
            runtime: Some("nodejs22.x".to_owned()),
            timeout: Some(30),
            memory_mb: Some(512),
            tags: [("team".to_owned(), "payments".to_owned())].into(),
            ..FunctionSpec::default()
        };
        stage.plane.add_function(&place(0, region), spec);
    }
    let before = stage.plane.snapshot();
    let mut last = String::new();
    for line in commands(readme, "## Use it") {
        // The bucket is S3's, and not of this control plane; an emulator has the template's stack.
        if line.starts_with("aws ") || line.contains(" archive template ") {
            continue;
        }
        let is_undo = line.contains(" undo ");
        if is_undo {
            for region in ["eu-west-1", "us-east-1"] {
                let line = format!("backstop doctor payments --regions {region} --output json");
                let doctor = finished(&stage, &line).await;
                assert_eq!(doctor.code, Some(0), "{doctor:?}");
                let text = doctor.stdout.replace([' ', '\n'], "");
                assert!(
                    text.contains(r#""check":"archive","state":"ok""#),
                    "{doctor:?}"
                );
                assert!(!text.contains(r#""state":"problem""#), "{doctor:?}");
            }
        }
        let asks = is_undo || line.contains(" apply ");
        let line = line.replace("RUN", &last) + if asks { " --yes" } else { "" };
        let done = finished(&stage, &line).await;
        assert_eq!(done.code, Some(0), "{line}: {done:?}");
        let run = done.stderr.lines().find_map(|it| it.strip_prefix("Run "));
        last = run.map_or(last, str::to_owned);
        if line.contains(" plan ") {
            assert!(!done.stdout.contains("\n    ! "), "{done:?}");
        }
    }
    assert_eq!(stage.plane.snapshot(), before);
}
