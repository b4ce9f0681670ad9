//! A whole rollout on an emulator that is not ours: publish, attach, status, undo and detach over three
//! accounts and regions. The emulator knows revisions, update states, roles and layers of several
//! accounts; what it does not, our own control plane does, in the installer's tests.
//!
//! What the commands say is what docs/installer.md shows: `BACKSTOP_BLESS=1 cargo test --test emulator`
//! writes it there again. `scripts/test` installs the emulator (`BACKSTOP_MINISTACK`) and the layers.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod ministack;
mod replay;
mod template;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use backstop_tests::binary;
use ministack::{ACCOUNTS, Ministack, REGIONS};
use serde_json::Value;
use tokio::process::Command;

const FUNCTIONS: usize = 300;
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/installer.md");
const FROM: &str = "<!-- from the tests: a whole rollout -->\n";
const TO: &str = "<!-- to here -->\n";
/// What the runs are called on the page.
const RUNS: [&str; 2] = ["20260131-090000-271828", "20260131-101500-314159"];

const PROJECT: &str = r#"[targets]
accounts = ["111122223333", "444455556666", "777788889999"]
role = "Operator"
regions = ["eu-west-1", "us-east-1", "ap-southeast-2"]
rate = 15

[select]
tags = { team = "payments" }

[layer]
manifest = "layers.json"

[settings]
BACKSTOP_PRIMARY_URL = "https://intake.example.com/v1/logs"
BACKSTOP_S3_BUCKET = "telemetry-archive"
BACKSTOP_S3_REGION = "eu-west-1"

[secrets]
token_file = "token"
"#;

struct Session {
    directory: tempfile::TempDir,
    endpoint: String,
    transcript: String,
}

impl Session {
    /// The transcript, without what is different each time.
    fn masked(&self) -> String {
        let mut text = self.transcript.clone() + "```\n";
        let runs = self.directory.path().join(".local/state/backstop/runs");
        for (run, name) in runs_in(&runs).iter().zip(RUNS) {
            text = text.replace(run, name);
        }
        text
    }

    fn set(endpoint: &str) -> Self {
        let directory = tempfile::TempDir::new().unwrap();
        std::fs::write(directory.path().join("backstop.toml"), PROJECT).unwrap();
        std::fs::write(directory.path().join("token"), "hunter2").unwrap();
        std::os::unix::fs::symlink(packages(), directory.path().join("dist")).unwrap();
        Self {
            directory,
            endpoint: endpoint.to_owned(),
            transcript: format!("```console\n$ cat backstop.toml\n{PROJECT}"),
        }
    }

    /// Runs the command, keeps what it says, and gives back the run that it began.
    async fn say(&mut self, arguments: &[&str], code: i32) -> String {
        let output = Command::new(binary("backstop"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.directory.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", ACCOUNTS[0])
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", REGIONS[0])
            .current_dir(self.directory.path())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
        assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"));
        // Progress comes first: what is to be done, and then what was.
        let words = arguments.join(" ");
        write!(self.transcript, "\n$ backstop {words}\n{stderr}{stdout}").unwrap();
        let run = stderr.lines().find_map(|line| line.strip_prefix("Run "));
        run.unwrap_or_default().to_owned()
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
    assert!(is_blessed, "docs/installer.md does not show:\n{transcript}");
    std::fs::write(PAGE, format!("{head}{FROM}{transcript}{TO}{tail}")).unwrap();
}

/// Where `scripts/package` puts the layers.
fn packages() -> PathBuf {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let dist = dist.canonicalize().unwrap_or_default();
    assert!(
        dist.join("extension-x86_64.zip").exists(),
        "there is no layer in dist/: run scripts/package"
    );
    dist
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_over_accounts_and_regions_leaves_everything_as_it_was() {
    let emulator = Ministack::start().await;
    emulator.add_functions(FUNCTIONS).await;
    emulator.add_bucket("telemetry-archive", REGIONS[0]).await;
    let before = emulator.configurations().await;
    assert_eq!(before.len(), FUNCTIONS);

    let mut session = Session::set(emulator.endpoint());
    session
        .say(&["layer", "publish", "--manifest", "layers.json"], 0)
        .await;
    let attached = session.say(&["attach", "--grant", "--yes"], 0).await;
    for (name, function) in emulator.configurations().await {
        let is_there = function["Layers"]
            .to_string()
            .contains("backstop-extension-");
        assert_eq!(is_there, name.contains("payments-"), "{name}");
    }
    session.say(&["status"], 0).await;
    session.say(&["detach", "--yes"], 0).await;
    assert_same(&before, &emulator.configurations().await);
    documented(&session.masked());

    // And the same by undoing.
    let second = session.say(&["attach", "--yes", "--quiet"], 0).await;
    assert!(second.is_empty(), "--quiet says nothing");
    let mut quietly = Session {
        transcript: String::new(),
        ..session
    };
    let runs = quietly.directory.path().join(".local/state/backstop/runs");
    let newest = runs_in(&runs).pop().unwrap();
    assert_ne!(newest, attached);
    quietly.say(&["undo", &newest, "--yes"], 0).await;
    assert_same(&before, &emulator.configurations().await);
}

/// The runs, the oldest first.
fn runs_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    let name = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut runs: Vec<String> = entries.map(|entry| name(entry.path())).collect();
    runs.sort_unstable();
    runs
}

fn assert_same(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) {
    for (name, configuration) in before {
        assert_eq!(Some(configuration), after.get(name), "{name}");
    }
    assert_eq!(before.len(), after.len());
}
