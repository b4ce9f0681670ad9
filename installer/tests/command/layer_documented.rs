//! What docs/layer.md shows of the commands is what they say.

use backstop_fake_aws::FunctionSpec;

use crate::layer_stage::{LayerStage, place};

const DOCUMENTATION: &str = include_str!("../../../docs/layer.md");

#[tokio::test]
async fn what_the_documentation_shows_is_what_is_said() {
    let stage = LayerStage::set();
    let regions = ["--regions", "eu-west-1,us-east-1"];
    let publish = [
        &["publish"],
        &regions[..],
        &[
            "--share-organization",
            "o-abcde12345",
            "--manifest",
            "layers.json",
        ],
    ]
    .concat();
    stage.plane.set_region_down("us-east-1", true);
    shown(&stage, &publish, 3).await;
    stage.plane.set_region_down("us-east-1", false);
    shown(&stage, &publish, 0).await;

    stage.pack("second");
    let again = ["publish", "--regions", "eu-west-1", "--quiet"];
    stage.finished(&again).await;
    shown(&stage, &[&["list"], &regions[..]].concat(), 0).await;

    let arn = "arn:aws:lambda:eu-west-1:111122223333:layer:backstop-extension-arm64-0-1-0:1";
    let function = FunctionSpec {
        name: "orders".to_owned(),
        layers: vec![arn.to_owned()],
        ..FunctionSpec::default()
    };
    stage.plane.add_function(&place(0, 1), function);
    let prune = ["--keep", "1", "--include-shared", "--dry-run"];
    shown(&stage, &[&["prune"], &regions[..], &prune].concat(), 0).await;
}

/// Runs the command, and compares what it says with what is shown below it.
async fn shown(stage: &LayerStage, arguments: &[&str], code: i32) {
    let finished = stage.finished(arguments).await;
    assert_eq!(finished.code, Some(code), "{finished:?}");
    let block = format!(
        "$ backstop layer {}\n{}",
        arguments.join(" "),
        finished.stdout
    );
    // Lines that are too long for the page are cut there.
    let is_same = |(shown, line): (&str, &str)| match shown.strip_suffix('…') {
        Some(head) => line.starts_with(head),
        None => shown == line,
    };
    let page: Vec<&str> = DOCUMENTATION.lines().collect();
    let block: Vec<&str> = block.trim_end().lines().collect();
    let is_shown = (page.windows(block.len())).any(|shown| {
        shown
            .iter()
            .copied()
            .zip(block.iter().copied())
            .all(is_same)
    });
    assert!(
        is_shown,
        "docs/layer.md does not show:\n{}",
        block.join("\n")
    );
}
