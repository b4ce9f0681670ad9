//! What `backstop layer publish`, `list` and `prune` do not begin with.

use std::fs::File;

use crate::layer_stage::{LayerStage, executable, here, write, zip};
use crate::support::{backstop, run};

const EXTENSION: &str = "extensions/backstop-extension";
const ARM64: [&str; 2] = ["--zip", "arm64=layer.zip"];

#[tokio::test]
async fn a_zip_that_no_function_could_start_is_refused_and_no_call_is_made() {
    let stage = LayerStage::set();
    let path = stage.path("layer.zip");
    let other = executable(62, "x86_64");
    for (contents, problem) in [
        (
            zip(&[("backstop-extension", 0o755, &here(""))]),
            "it has no extensions/backstop-extension",
        ),
        (
            zip(&[(EXTENSION, 0o644, &here(""))]),
            "the mode of extensions/backstop-extension is 0644; it must be 0755",
        ),
        (
            zip(&[(EXTENSION, 0o755, &other)]),
            "its binary is built for x86_64, not for arm64",
        ),
        (
            zip(&[(EXTENSION, 0o755, b"#!/bin/sh\n")]),
            "it is not a 64-bit ELF executable",
        ),
        (b"no zip".to_vec(), "the file is not a zip"),
        (
            broken(zip(&[(EXTENSION, 0o755, &here("some text"))])),
            "the zip is broken",
        ),
    ] {
        write(&path, &contents);
        let fine = ["publish", "--zip", "x86_64=dist/extension-x86_64.zip"];
        let finished = stage.finished(&[&fine[..], &ARM64].concat()).await;
        assert_eq!(finished.code, Some(5), "{problem}: {finished:?}");
        let expected = format!("layer.zip cannot be published: {problem}");
        assert!(
            finished.stderr.contains(&expected),
            "{problem}: {finished:?}"
        );
    }
    assert_eq!(stage.plane.calls(), []);
}

#[tokio::test]
async fn a_zip_that_is_too_large_is_refused_by_its_size() {
    let stage = LayerStage::set();
    let file = File::create(stage.path("layer.zip")).expect("the directory is ours");
    file.set_len(52_428_801).expect("it is sparse");
    let finished = stage.finished(&[&["publish"], &ARM64[..]].concat()).await;
    insta::assert_snapshot!(finished.snapshot(), @r"
    exit code: 5
    ----- stdout -----
    ----- stderr -----
    Reading layer.zip
    error: layer.zip cannot be published: it has 52,428,801 bytes, but Lambda accepts at most 52,428,800
    ");
}

#[tokio::test]
async fn a_zip_that_is_not_what_was_built_is_refused() {
    let stage = LayerStage::set();
    write(
        &stage.path("dist/extension-arm64.zip.sha256"),
        b"00ff  extension-arm64.zip\n",
    );
    let finished = stage.finished(&["publish"]).await;
    assert_eq!(finished.code, Some(5), "{finished:?}");
    assert!(
        finished.stderr.contains("but its .sha256 file says 00ff"),
        "{finished:?}"
    );
}

#[tokio::test]
async fn a_manifest_that_could_not_be_written_is_found_out_before_anything_is_published() {
    let stage = LayerStage::set();
    write(&stage.path("package.json"), b"{\"name\":\"theirs\"}");
    for (manifest, problem) in [
        ("package.json", "package.json is not a manifest"),
        (
            "absent/layers.json",
            "the manifest's directory absent does not exist",
        ),
    ] {
        let finished = stage.finished(&["publish", "--manifest", manifest]).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains(problem), "{finished:?}");
    }
    assert_eq!(stage.plane.calls(), []);
    assert_eq!(stage.json("package.json")["name"], "theirs");
}

#[tokio::test]
async fn usage_errors_have_exit_code_2_and_say_what_to_write() {
    let directory = tempfile::TempDir::new().expect("there is room for a directory");
    let mut all = Vec::new();
    for arguments in [
        &["publish"][..],
        &["publish", "--zip", "arm64"],
        &["publish", "--zip", "mips=layer.zip"],
        &["publish", "--zip", "arm64=a.zip", "--zip", "arm64=b.zip"],
        &["publish", "--zip", "arm64=a.zip", "--directory", "dist"],
        &["publish", "--share", "1111-2222-3333"],
        &["publish", "--share-organization", "example"],
        &["publish", "--public", "--share", "111122223333"],
        &["publish", "--release", "v1"],
        &["prune", "--keep", "0"],
        &["prune", "--older-than", "a while"],
    ] {
        let finished = run(backstop()
            .arg("layer")
            .args(arguments)
            .current_dir(directory.path()))
        .await;
        assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:?}");
        let shown = finished.snapshot();
        all.push(format!(
            "$ backstop layer {}\n{}",
            arguments.join(" "),
            built_elsewhere(&shown)
        ));
    }
    insta::assert_snapshot!("layer_usage", all.join("\n"));
}

#[tokio::test]
async fn help_is_told() {
    for command in ["publish", "list", "prune"] {
        let finished = run(backstop().args(["layer", command, "--help"])).await;
        insta::assert_snapshot!(format!("help_layer_{command}"), finished.snapshot());
    }
}

/// Without the directories of this build.
fn built_elsewhere(text: &str) -> String {
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_backstop"));
    let built = built.canonicalize().expect("it is built");
    let bin = built.parent().expect("it is in a directory");
    let prefix = bin.parent().expect("it is in a directory");
    text.replace(&bin.display().to_string(), "PREFIX/bin")
        .replace(&prefix.display().to_string(), "PREFIX")
}

/// With bytes of its first file's contents changed.
fn broken(mut zip: Vec<u8>) -> Vec<u8> {
    let contents = 30 + EXTENSION.len();
    for byte in &mut zip[contents + 4..contents + 8] {
        *byte ^= 0xff;
    }
    zip
}
