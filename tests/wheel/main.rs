//! The wheel, from its file to a rollout that is undone, in a directory that has nothing but Python.
//!
//! What the commands say is what docs/installation.md shows: `BACKSTOP_BLESS=1 cargo test --test wheel`
//! writes it there. The binaries are those beside the tests; the layers those of `scripts/package`.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod packed;
mod release;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use backstop_fake_aws::{ControlPlane, FunctionSpec, Place};
use backstop_tests::binary;
use packed::{python, wheel};
use serde_json::Value;
use tokio::process::Command;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/installation.md");
const FROM: &str = "<!-- from the tests: from a wheel to a rollout -->\n";
const TO: &str = "<!-- to here -->\n";
const HOME: &str = "/home/you";
/// What the runs are called on the page.
const RUNS: [&str; 2] = ["20260131-090000-271828", "20260131-101500-314159"];

/// A directory with a venv, and what was said in it.
struct Session {
    directory: tempfile::TempDir,
    endpoint: String,
    transcript: String,
}

impl Session {
    /// Runs a program of the venv and keeps what it says.
    async fn say(&mut self, shown: &str, program: &str, arguments: &[&str]) -> String {
        let said = self.run(program, arguments).await;
        write!(self.transcript, "$ {shown}\n{said}\n").unwrap();
        said
    }

    /// `backstop` with the arguments as they are shown.
    async fn backstop(&mut self, line: &str) -> String {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let shown = format!("backstop {}", line.replace("  ", " \\\n      "));
        self.say(&shown, "backstop", &arguments).await
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> String {
        let home = self.directory.path();
        let output = Command::new(home.join(".venv/bin").join(program))
            .args(arguments)
            .env_clear()
            // Nothing but the venv: what is found came with the wheel.
            .env("PATH", home.join(".venv/bin"))
            .env("HOME", home)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", ControlPlane::access_key(ACCOUNT))
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", REGION)
            .current_dir(home)
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{arguments:?}: {stdout}{stderr}");
        // Progress comes first: what is to be done, and then what was.
        format!("{stderr}{stdout}")
    }

    /// The transcript without what is different each time.
    fn masked(&self, layers: &[String]) -> String {
        let home = self.directory.path().canonicalize().unwrap();
        let mut text = format!("```console\n{}\n```\n", self.transcript.trim_end());
        text = text.replace(&home.display().to_string(), HOME);
        let runs = self.transcript.lines();
        let runs = runs.filter_map(|line| line.strip_prefix("Run "));
        for (run, shown) in runs.zip(RUNS) {
            text = text.replace(run, shown);
        }
        for (sha256, shown) in layers.iter().zip(["2ea1800cb996", "2f0899062736"]) {
            text = text.replace(sha256, shown);
        }
        text
    }
}

/// Holds the page to what was said, or writes it there.
fn documented(transcript: &str) {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (head, rest) = page.split_once(FROM).expect("the page has the mark");
    let (shown, tail) = rest.split_once(TO).expect("the page has the mark");
    if shown == transcript {
        return;
    }
    let is_blessed = std::env::var_os("BACKSTOP_BLESS").is_some_and(|value| value == "1");
    assert!(
        is_blessed,
        "docs/installation.md does not show:\n{transcript}"
    );
    std::fs::write(PAGE, format!("{head}{FROM}{transcript}{TO}{tail}")).unwrap();
}

/// Copies without symbols: packing them would take longer than the test.
fn stripped(name: &str, directory: &Path) -> PathBuf {
    let to = directory.join(name);
    let strip = std::process::Command::new("strip")
        .arg("-o")
        .args([&to, &binary(name)])
        .status();
    if !strip.is_ok_and(|status| status.success()) {
        std::fs::copy(binary(name), &to).unwrap();
    }
    to
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_but_python_a_rollout_is_made_and_undone() {
    let built = tempfile::TempDir::new().unwrap();
    let wheel = wheel(
        &stripped("backstop", built.path()),
        &stripped("backstop-extension", built.path()),
        built.path(),
    );
    let plane = ControlPlane::start().unwrap();
    for name in ["payments-orders", "payments-refunds"] {
        let spec = FunctionSpec {
            name: name.to_owned(),
            runtime: Some("python3.13".to_owned()),
            timeout: Some(30),
            memory_mb: Some(512),
            ..FunctionSpec::default()
        };
        plane.add_function(&Place::new(ACCOUNT, REGION), spec);
    }
    let before = plane.snapshot();

    let mut session = Session {
        directory: tempfile::TempDir::new().unwrap(),
        endpoint: plane.endpoint(),
        transcript: "$ python3 -m venv .venv && . .venv/bin/activate\n".to_owned(),
    };
    let home = session.directory.path().to_owned();
    python(&["-m", "venv", &home.join(".venv").display().to_string()]);
    std::fs::write(home.join("token"), "hunter2").unwrap();
    // The file and not the name: no index is asked.
    let file = wheel.display().to_string();
    let install = ["install", "--quiet", "--no-index", "--no-deps"];
    let mut arguments = install.to_vec();
    arguments.extend(["--disable-pip-version-check", &file]);
    let said = session
        .say("pip install --quiet backstop-cli", "pip", &arguments)
        .await;
    assert_eq!(said, "");

    let version = session.backstop("--version").await;
    let sha256 = |line: &str| Some(line.split_once("  sha256 ")?.1.to_owned());
    let layers: Vec<String> = version.lines().filter_map(sha256).collect();
    assert_eq!(layers.len(), 2, "{version}");

    demonstrated(&session);

    session
        .backstop("layer publish --manifest layers.json")
        .await;
    let attached = session
        .backstop(
            "attach payments-* --layers layers.json --grant --yes  \
             --set BACKSTOP_PRIMARY_URL=https://logs.example.com/v1 --token-file token  \
             --set BACKSTOP_S3_BUCKET=my-archive --set BACKSTOP_S3_REGION=eu-west-1",
        )
        .await;
    let run = attached.lines().find_map(|line| line.strip_prefix("Run "));
    let run = run.unwrap().to_owned();
    for configuration in plane.snapshot().values() {
        let layers = configuration["Configuration"]["Layers"].to_string();
        assert!(layers.contains("backstop-extension-"), "{configuration}");
    }
    session.backstop("status").await;
    session.backstop(&format!("undo {run} --yes")).await;
    assert_eq!(plane.snapshot(), before);
    documented(&session.masked(&layers));
}

/// README's commands below "See it work", as they are written: they end with a record of the archive.
fn demonstrated(session: &Session) {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("## See it work\n").unwrap();
    let (_, block) = section.split_once("```console\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let lines = block.lines().filter_map(|line| line.strip_prefix("$ "));
    let script = lines.collect::<Vec<_>>().join("\n");
    let home = session.directory.path();
    let output = std::process::Command::new("/bin/sh")
        .args(["-ec", &script])
        .env_clear()
        .env(
            "PATH",
            format!("{}/.venv/bin:/usr/bin:/bin", home.display()),
        )
        .env("HOME", home)
        .current_dir(home)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(stdout.contains("\n0 of 1,"), "{stdout}");
    let record: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(record["diverted"]["status"], 503, "{record}");
    assert!(record["id"].is_string(), "{record}");
}
