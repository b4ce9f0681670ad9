//! The files that come with a release are found without an option, and `--version` names them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use backstop_fake_aws::ControlPlane;
use tokio::process::Command;

use crate::layer_stage::{ACCOUNTS, LayerStage, write};
use crate::support::{Finished, run};

const NAMES: [&str; 2] = ["extension-x86_64.zip", "extension-arm64.zip"];

/// The command as it is installed below a prefix.
fn install(prefix: &Path) -> PathBuf {
    let installed = prefix.join("bin/backstop");
    fs::create_dir_all(prefix.join("bin")).expect("the directory is ours");
    let built = env!("CARGO_BIN_EXE_backstop");
    // A copy has a hundred megabytes; a link is enough where the file system allows it.
    if fs::hard_link(built, &installed).is_err() {
        fs::copy(built, &installed).expect("the directory is ours");
    }
    installed
}

/// Moves the zips of the stage into a directory.
fn carry(stage: &LayerStage, directory: &Path) {
    fs::create_dir_all(directory).expect("the directory is ours");
    for name in NAMES {
        let from = stage.path("dist").join(name);
        fs::rename(from, directory.join(name)).expect("the directory is ours");
    }
}

fn describe(directory: &Path, release: &str) {
    for name in NAMES {
        let bill = format!(r#"{{"metadata":{{"component":{{"version":"{release}"}}}}}}"#);
        let path = directory.join(name).with_extension("cdx.json");
        write(&path, bill.as_bytes());
    }
}

async fn publish(stage: &LayerStage, program: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(program);
    command
        .args([
            "layer",
            "publish",
            "--endpoint-url",
            &stage.plane.endpoint(),
        ])
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("AWS_ACCESS_KEY_ID", ControlPlane::access_key(ACCOUNTS[0]))
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", "eu-west-1")
        .current_dir(stage.path(""));
    run(&mut command).await
}

#[tokio::test]
async fn the_layers_of_the_release_are_published_without_an_option() {
    for place in ["prefix/share/backstop", "prefix/bin", "dist"] {
        let stage = LayerStage::set();
        let program = install(&stage.path("prefix"));
        let directory = stage.path(place);
        if place != "dist" {
            carry(&stage, &directory);
            // Other bytes in `dist` are not those of this release.
            stage.pack("built here");
        }
        let finished = publish(&stage, &program, &["--output", "json"]).await;
        assert_eq!(finished.code, Some(0), "{place}: {finished:?}");
        let shown = directory.strip_prefix(stage.path("")).expect("it is below");
        let shown = shown.join(NAMES[0]).display().to_string();
        assert!(finished.stderr.contains(&shown), "{place}: {finished:?}");
        let bytes = fs::read(directory.join(NAMES[0])).expect("it is there");
        let layers = finished.json()["layers"].clone();
        let layers = layers.as_array().expect("there are layers");
        let sha256 = backstop::layer::sha256(&bytes);
        assert!(
            layers
                .iter()
                .any(|layer| layer["sha256"] == sha256.as_str()),
            "{place}: {layers:?}"
        );
    }
}

#[tokio::test]
async fn without_layers_the_error_names_each_place_and_the_ways_out() {
    let stage = LayerStage::set();
    fs::remove_dir_all(stage.path("dist")).expect("the directory is ours");
    let program = install(&stage.path("prefix"));
    let finished = publish(&stage, &program, &[]).await;
    assert_eq!(finished.code, Some(2), "{finished:?}");
    for word in [
        "prefix/bin, ",
        "prefix/share/backstop, ",
        "dist\n",
        "pipx install backstop-cli",
        "--directory",
        "scripts/package",
    ] {
        assert!(finished.stderr.contains(word), "{word}: {finished:?}");
    }
    assert_eq!(stage.plane.calls(), []);
}

#[tokio::test]
async fn a_layer_of_another_release_is_not_published_under_this_name() {
    let stage = LayerStage::set();
    let program = install(&stage.path("prefix"));
    describe(&stage.path("dist"), "0.0.9");
    let finished = publish(&stage, &program, &[]).await;
    assert_eq!(finished.code, Some(5), "{finished:?}");
    assert!(
        finished.stderr.contains(
            "dist/extension-x86_64.zip cannot be published as release 0.1.0: its bill of materials \
             says 0.0.9; give --release 0.0.9"
        ),
        "{finished:?}"
    );
    assert_eq!(stage.plane.calls(), []);
    let finished = publish(&stage, &program, &["--release", "0.0.9"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[tokio::test]
async fn the_version_names_the_layers_with_release_and_checksum() {
    let stage = LayerStage::set();
    let program = install(&stage.path("prefix"));
    let version = async || run(Command::new(&program).arg("--version").env_clear()).await;
    let bare = version().await;
    assert_eq!(bare.code, Some(0), "{bare:?}");
    assert_eq!(
        bare.stdout,
        format!(
            "backstop {}\ncarries no layers\n",
            env!("CARGO_PKG_VERSION")
        )
    );

    let share = stage.path("prefix/share/backstop");
    carry(&stage, &share);
    write(&share.join("backstop-extension"), b"");
    let mut expected = format!("backstop {}\n", env!("CARGO_PKG_VERSION"));
    let share = share.canonicalize().expect("it is there");
    describe(&share, "0.1.0");
    fs::remove_file(share.join("extension-arm64.cdx.json")).expect("it is ours");
    for (name, release) in NAMES.iter().zip(["0.1.0", "unknown"]) {
        let bytes = fs::read(share.join(name)).expect("it is there");
        let sha256 = &backstop::layer::sha256(&bytes)[..12];
        let path = share.join(name);
        let path = path.display();
        writeln!(expected, "  {path}  release {release}  sha256 {sha256}").ok();
    }
    let extension = share.join("backstop-extension");
    writeln!(expected, "  {}", extension.display()).ok();
    // A link to the command, such as pipx makes, finds the same.
    let link = stage.path("link");
    std::os::unix::fs::symlink(&program, &link).expect("the directory is ours");
    for program in [&program, &link] {
        let finished = run(Command::new(program).arg("--version").env_clear()).await;
        assert_eq!(finished.stdout, expected, "{finished:?}");
    }
}
