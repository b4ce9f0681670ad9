//! How long a rollout over 10,000 functions takes, beside the least that the quotas of Lambda's control
//! plane allow, and what memory it needs; and the same for 100,000 functions of an organisation.
//!
//! On the fake control plane, with its quotas and the rates of the command scaled together: up for few
//! places, because Lambda's own would make it a quarter of an hour, and down for many, because two cores
//! cannot play two hundred places at once. Then a second rollout is interrupted in the middle and taken
//! up again, and `status` reads all of it. `scripts/bench fleet` and `scripts/bench organisation` run it.
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

/// How many functions, and where.
#[derive(Debug, Clone, Copy)]
struct Size {
    accounts: usize,
    regions: &'static [&'static str],
    /// In each account and region.
    functions: usize,
    /// By how much more than Lambda's own the quotas are.
    scale: f64,
    /// The most that `seconds / least` should be.
    aim: f64,
    aim_mib: u64,
}

const FLEET: Size = Size {
    accounts: 2,
    regions: &["eu-west-1", "us-east-1"],
    functions: 2_500,
    scale: 4.0,
    aim: 1.15,
    aim_mib: 200,
};
const ORGANISATION: Size = Size {
    accounts: 50,
    regions: &["eu-west-1", "eu-central-1", "us-east-1", "us-west-2"],
    functions: 500,
    scale: 0.1,
    aim: 1.05,
    aim_mib: 250,
};

/// Lambda's own: of `GetFunction`, of everything else together.
const QUOTAS: [f64; 2] = [100.0, 15.0];
const UPDATE: Duration = Duration::from_secs(1);

#[tokio::main]
#[expect(clippy::print_stdout, reason = "figures are what it is for")]
async fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Without this argument it is `cargo test --benches`, which asks for no figures.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let is_large = arguments.iter().any(|argument| argument == "organisation");
    let size = if is_large { ORGANISATION } else { FLEET };
    let fleet = Fleet::build(size)?;
    let (seconds, peak) = fleet.attach(None).await?;
    fleet.assert_written_once();
    let (limit, count, scale) = (size.least(size.scale), size.count(), size.scale);
    println!("plan and apply, {count} functions  {seconds:.1} s");
    println!(
        "least by the quotas x {scale}         {limit:.1} s, ratio {:.2} (aim {})",
        seconds / limit,
        size.aim
    );
    println!(
        "peak resident memory             {peak} MiB (aim {})",
        size.aim_mib
    );
    println!(
        "with Lambda's own quotas: {} functions a place; lists {:.1} s + GetFunction {:.0} s + updates {:.0} s = {:.0} s at least",
        size.functions,
        size.pages() / QUOTAS[1],
        size.per_place() / QUOTAS[0],
        size.per_place() / QUOTAS[1],
        size.least(1.0)
    );
    let (seconds, peak) = fleet.status().await?;
    println!("status                           {seconds:.1} s, {peak} MiB");
    let fleet = Fleet::build(size)?;
    fleet.attach(Some(count / 3)).await?;
    let before = fleet.writes();
    let (seconds, peak) = fleet.resume().await?;
    fleet.assert_written_once();
    println!(
        "interrupted after {before} writes, taken up again: {count} functions, each written once; {seconds:.1} s, {peak} MiB"
    );
    Ok(())
}

impl Size {
    fn accounts(self) -> impl Iterator<Item = String> {
        (0..self.accounts).map(|index| format!("{:012}", 111_122_223_333 + index))
    }

    fn places(self) -> impl Iterator<Item = Place> {
        self.accounts().flat_map(move |account| {
            let regions = self.regions.iter();
            regions.map(move |region| Place::new(&account, region))
        })
    }

    fn count(self) -> usize {
        self.functions * self.accounts * self.regions.len()
    }

    #[expect(clippy::cast_precision_loss, reason = "it is small")]
    fn per_place(self) -> f64 {
        self.functions as f64
    }

    fn pages(self) -> f64 {
        self.per_place() / 50.0
    }

    /// Places are worked on at the same time; in each, functions are listed and read before the first is
    /// written, and each is written once. What else is read while it is written has its own quota.
    fn least(self, scale: f64) -> f64 {
        let planning = self.pages() / QUOTAS[1] + self.per_place() / QUOTAS[0];
        (planning + self.per_place() / QUOTAS[1]) / scale
    }
}

struct Fleet {
    size: Size,
    plane: ControlPlane,
    directory: tempfile::TempDir,
    layers: Vec<String>,
}

impl Fleet {
    fn build(size: Size) -> Result<Self> {
        let plane = ControlPlane::start()?;
        plane.set_update_time(UPDATE);
        plane.set_quota(Some(size.scale));
        let mut layers = Vec::new();
        for place in size.places() {
            for number in 0..size.functions {
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
                plane.add_function(&place, spec);
            }
            layers.push(plane.add_layer(&place, "backstop-extension-x86_64-0-1-0", "extension"));
        }
        Ok(Self {
            size,
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
            .env(
                "AWS_ACCESS_KEY_ID",
                ControlPlane::access_key(&self.own_account()),
            )
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", self.size.regions[0])
            .current_dir(self.directory.path())
            .kill_on_drop(true);
        command
    }

    fn own_account(&self) -> String {
        self.size.accounts().next().unwrap_or_default()
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
        let everywhere = self.everywhere();
        let mut arguments = vec!["attach", "--yes"];
        arguments.extend(everywhere.iter().map(String::as_str));
        arguments.extend(["--set", "BACKSTOP_PRIMARY_URL=https://intake.example.com/"]);
        for layer in &self.layers {
            arguments.extend(["--layer", layer]);
        }
        self.run(&arguments, interrupted_after).await
    }

    async fn status(&self) -> Result<(f64, u64)> {
        let everywhere = self.everywhere();
        let mut arguments = vec!["status"];
        arguments.extend(everywhere.iter().map(String::as_str));
        self.run(&arguments, None).await
    }

    /// The options that select all functions, at the rates of the control plane.
    fn everywhere(&self) -> Vec<String> {
        let rate = |quota: f64| format!("{}", quota * self.size.scale);
        let accounts: Vec<String> = self.size.accounts().collect();
        let options = [
            ("--role", "Operator".to_owned()),
            ("--regions", self.size.regions.join(",")),
            ("--accounts", accounts.join(",")),
            ("--rate", rate(QUOTAS[1])),
            ("--read-rate", rate(QUOTAS[0])),
        ];
        let options = options
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        std::iter::once("--all".to_owned()).chain(options).collect()
    }

    /// Goes on with the one run that there is.
    async fn resume(&self) -> Result<(f64, u64)> {
        let runs = self.directory.path().join(".local/state/backstop/runs");
        let run = std::fs::read_dir(runs)?
            .flatten()
            .next()
            .map(|entry| entry.path());
        let run = run.as_ref().and_then(|path| path.file_stem()?.to_str());
        self.run(&["resume", "--yes", run.unwrap_or_default()], None)
            .await
    }

    /// Every function, once.
    fn assert_written_once(&self) {
        let writes = self.plane.writes();
        assert_eq!(writes.len(), self.size.count());
        assert!(writes.values().all(|writes| *writes == 1));
    }
}
