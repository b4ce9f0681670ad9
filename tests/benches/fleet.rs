//! How long a rollout over 10,000 functions takes, beside the least that the quotas of Lambda's control
//! plane allow, and what memory it needs.
//!
//! Two accounts in two regions, on the fake control plane, with its quotas and the rates of the command
//! scaled up together: Lambda's own would make it a quarter of an hour. `scripts/bench fleet` runs it. Then a second rollout is interrupted in the middle and taken up again.
//!
//! Must not assert on a time. It does assert that every function is written, once, and that nothing is
//! said of throttling.

use std::process::Stdio;
use std::time::Duration;

use backstop_fake_aws::ControlPlane;
use backstop_fake_aws::{FunctionSpec, Place};
use backstop_tests::binary;
use backstop_tests::growth::Sample;
use tokio::process::Command;
use tokio::time::Instant;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const FUNCTIONS: usize = 2_500;
/// By how much more than Lambda's own.
const SCALE: f64 = 4.0;
/// Lambda's own: of `GetFunction`, of everything else together.
const QUOTAS: [f64; 2] = [100.0, 15.0];
const UPDATE: Duration = Duration::from_secs(1);

#[tokio::main]
#[expect(clippy::print_stdout, reason = "figures are what it is for")]
async fn main() -> Result {
    // Without this argument it is `cargo test --benches`, which asks for no figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let fleet = Fleet::build()?;
    let (seconds, peak) = fleet.attach(None).await?;
    fleet.assert_written_once();
    let limit = least(SCALE);
    let count = FUNCTIONS * ACCOUNTS.len() * REGIONS.len();
    println!("plan and apply, {count} functions  {seconds:.1} s");
    println!(
        "least by the quotas x {SCALE}          {limit:.1} s, ratio {:.2} (aim 1.15)",
        seconds / limit
    );
    println!("peak resident memory             {peak} MiB (aim 200)");
    println!(
        "with Lambda's own quotas: {} functions a place; lists {} + GetFunction {} + updates {} = {:.0} s at least",
        FUNCTIONS,
        format_args!("{:.1} s", pages() / QUOTAS[1]),
        format_args!("{:.0} s", per_place() / QUOTAS[0]),
        format_args!("{:.0} s", per_place() / QUOTAS[1]),
        least(1.0)
    );
    let fleet = Fleet::build()?;
    fleet.attach(Some(count / 3)).await?;
    let before = fleet.writes();
    fleet.resume().await?;
    fleet.assert_written_once();
    println!(
        "interrupted after {before} writes, taken up again: {count} functions, each written once"
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "it is small")]
fn per_place() -> f64 {
    FUNCTIONS as f64
}

fn pages() -> f64 {
    per_place() / 50.0
}

/// Places are worked on at the same time; in each, functions are listed and read before the first is
/// written, and each is written once. What else is read while it is written has its own quota.
fn least(scale: f64) -> f64 {
    let planning = (pages() / QUOTAS[1]).max(0.0) + per_place() / QUOTAS[0];
    (planning + per_place() / QUOTAS[1]) / scale
}

fn places() -> impl Iterator<Item = (&'static str, &'static str)> {
    ACCOUNTS
        .into_iter()
        .flat_map(|account| REGIONS.map(|region| (account, region)))
}

struct Fleet {
    plane: ControlPlane,
    directory: tempfile::TempDir,
    layers: Vec<String>,
}

impl Fleet {
    fn build() -> Result<Self> {
        let plane = ControlPlane::start()?;
        plane.set_update_time(UPDATE);
        plane.set_quota(Some(SCALE));
        for (account, region) in places() {
            for number in 0..FUNCTIONS {
                let mut spec = FunctionSpec {
                    name: format!("function-{number:05}"),
                    unzipped_bytes: 1_000_000,
                    ..FunctionSpec::default()
                };
                for variable in 0..10 {
                    let name = format!("VARIABLE_{variable}");
                    spec.environment
                        .insert(name, "a value of usual length".repeat(4));
                }
                plane.add_function(&Place::new(account, region), spec);
            }
        }
        let mut layers = Vec::new();
        for (account, region) in places() {
            let at = Place::new(account, region);
            layers.push(plane.add_layer(&at, "backstop-extension-x86_64-0-1-0", "extension"));
        }
        Ok(Self {
            plane,
            layers,
            directory: tempfile::TempDir::new()?,
        })
    }

    fn backstop(&self) -> Command {
        let mut command = Command::new(
            std::env::var_os("BACKSTOP_CLI").map_or_else(|| binary("backstop"), Into::into),
        );
        command
            .env_clear()
            .env("HOME", self.directory.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", self.plane.endpoint())
            .env("AWS_ACCESS_KEY_ID", ControlPlane::access_key(ACCOUNTS[0]))
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", REGIONS[0])
            .current_dir(self.directory.path())
            .kill_on_drop(true);
        command
    }

    fn writes(&self) -> usize {
        self.plane.writes().values().sum()
    }

    /// The command on all functions; the seconds that it took and the most memory, in MiB. Interrupted after
    /// this many writes.
    async fn run(
        &self,
        arguments: &[&str],
        interrupted_after: Option<usize>,
    ) -> Result<(f64, u64)> {
        let path = self.directory.path().join("stderr");
        let mut command = self.backstop();
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&path)?);
        let start = Instant::now();
        let mut child = command.spawn()?;
        let pid = child.id().unwrap_or_default();
        let (mut peak, mut is_interrupted) = (0, false);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            peak = Sample::of(pid).map_or(peak, |sample| sample.peak.max(peak));
            if !is_interrupted && interrupted_after.is_some_and(|most| self.writes() >= most) {
                is_interrupted = true;
                Command::new("kill")
                    .args(["-INT", &pid.to_string()])
                    .status()
                    .await?;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let seconds = start.elapsed().as_secs_f64();
        let said = std::fs::read_to_string(path)?;
        assert!(!said.contains("TooManyRequests"), "{said}");
        assert_eq!(
            status.code(),
            Some(if is_interrupted { 130 } else { 0 }),
            "{said}"
        );
        Ok((seconds, peak >> 20))
    }

    async fn attach(&self, interrupted_after: Option<usize>) -> Result<(f64, u64)> {
        let rate = |quota: f64| format!("{}", quota * SCALE);
        let (regions, accounts) = (REGIONS.join(","), ACCOUNTS.join(","));
        let (others, get_function) = (rate(QUOTAS[1]), rate(QUOTAS[0]));
        let mut arguments = vec!["attach", "--all", "--yes", "--role", "Operator"];
        arguments.extend(["--regions", &regions, "--accounts", &accounts]);
        arguments.extend(["--rate", &others, "--read-rate", &get_function]);
        arguments.extend(["--set", "BACKSTOP_PRIMARY_URL=https://intake.example.com/"]);
        for layer in &self.layers {
            arguments.extend(["--layer", layer]);
        }
        self.run(&arguments, interrupted_after).await
    }

    /// Goes on with the one run that there is.
    async fn resume(&self) -> Result {
        let runs = self.directory.path().join(".local/state/backstop/runs");
        let run = std::fs::read_dir(runs)?
            .flatten()
            .next()
            .map(|entry| entry.path());
        let run = run.as_ref().and_then(|path| path.file_stem()?.to_str());
        self.run(&["resume", "--yes", run.unwrap_or_default()], None)
            .await?;
        Ok(())
    }

    /// Every function, once.
    fn assert_written_once(&self) {
        let writes = self.plane.writes();
        assert_eq!(writes.len(), FUNCTIONS * ACCOUNTS.len() * REGIONS.len());
        assert!(writes.values().all(|writes| *writes == 1));
    }
}
