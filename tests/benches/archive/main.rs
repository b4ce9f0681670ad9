//! How fast a million archived records are listed, counted and replayed, and in how much memory, beside
//! `gzip -dc` of the same objects: in objects of 64 MB and of 8 MB of text, and in 100,000 small ones.
//!
//! `scripts/bench archive` runs it with the released command line. Servers and command share the machine.
//!
//! Must not assert on a time. It does assert that every record is counted and sent.

mod s3;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backstop_simulator::server::{Answer, FaultServer};
use backstop_tests::binary;
use backstop_tests::growth::Sample;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use s3::{BUCKET, FlatS3};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// As many records, unless `BACKSTOP_BENCH_RECORDS` says how many.
const RECORDS: u32 = 1_000_000;

fn records() -> u32 {
    let set = std::env::var("BACKSTOP_BENCH_RECORDS").ok();
    set.and_then(|it| it.parse().ok()).unwrap_or(RECORDS)
}

#[derive(Debug, Default)]
struct Intake(AtomicU64);

impl Answer for Intake {
    async fn answer(&self, _request: Request<Bytes>) -> Response<Bytes> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Response::new("{}".into())
    }

    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        response
    }

    fn observe(&self, _request: &Parts, _status: Option<StatusCode>) {}
}

/// A line as the extension writes it, of some 300 bytes.
fn line(number: u64) -> String {
    let noise = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!(
        "{{\"id\":\"{noise:016x}-{number}\",\"time\":\"2026-01-31T08:{:02}:{:02}.000Z\",\"type\":\"function\",\
         \"record\":\"level=info msg=\\\"request handled\\\" path=/orders/{} user={noise:x} took={}ms\\n\",\
         \"request_id\":\"{noise:08x}-e9f4-11e8-9739-2dfe598c3fcd\",\
         \"resource\":{{\"cloud.region\":\"eu-west-1\",\"faas.name\":\"checkout\"}},\
         \"diverted\":{{\"reason\":\"server_error\",\"sink\":\"https\",\"status\":503}}}}\n",
        number / 60 % 60,
        number % 60,
        noise % 10_000,
        noise % 997,
    )
}

/// Objects of this many records, over a few functions.
fn archive(each: u64) -> Result<FlatS3> {
    let mut s3 = FlatS3::default();
    let all = u64::from(records());
    for (object, first) in (0..all).step_by(usize::try_from(each)?).enumerate() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::new(6));
        for number in first..(first + each).min(all) {
            packed.write_all(line(number).as_bytes())?;
        }
        let key = format!(
            "backstop/v1/account=111122223333/region=eu-west-1/function=f{}/dt=2026-01-31/hour={:02}/{object:08}.ndjson.gz",
            object % 10,
            object / 10 % 24,
        );
        s3.objects.insert(key, packed.finish()?.into());
    }
    Ok(s3)
}

/// What a command took.
struct Took {
    seconds: f64,
    peak: u64,
    stdout: Vec<u8>,
}

async fn run(command: &mut Command) -> Result<Took> {
    let started = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pid = child.id().unwrap_or_default();
    let mut peak = 0;
    let mut stdout = child.stdout.take().ok_or("no stdout")?;
    let reading = tokio::spawn(async move {
        let mut kept = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        // What is printed is only counted where it is much.
        while let Ok(read @ 1..) = tokio::io::AsyncReadExt::read(&mut stdout, &mut chunk).await {
            if kept.len() < 1 << 20 {
                kept.extend_from_slice(&chunk[..read]);
            }
        }
        kept
    });
    let ended = loop {
        tokio::select! {
            ended = child.wait() => break ended?,
            () = tokio::time::sleep(Duration::from_millis(10)) => {
                peak = peak.max(Sample::of(pid).map_or(0, |sample| sample.peak));
            }
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    let stdout = reading.await?;
    if !ended.success() {
        let output = child.wait_with_output().await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{ended}: {} {said}", String::from_utf8_lossy(&stdout)).into());
    }
    Ok(Took {
        seconds,
        peak,
        stdout,
    })
}

fn backstop(arguments: &[&str], endpoint: &str, state: &Path) -> Command {
    let path = std::env::var_os("BACKSTOP_CLI").map_or_else(|| binary("backstop"), PathBuf::from);
    let mut command = Command::new(path);
    command
        .args(arguments)
        .args(["--output", "json", "--quiet"])
        .env_clear()
        .env("XDG_STATE_HOME", state)
        .env("AWS_ENDPOINT_URL_S3", endpoint)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    command
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "figures are what it is for")]
async fn main() -> Result {
    // Without this argument it is `cargo test --benches`, which asks for no figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let raw: usize = (0..u64::from(records()))
        .map(|number| line(number).len())
        .sum();
    let megabytes = f64::from(u32::try_from(raw)?) / 1e6;
    println!("{} records, {megabytes:.0} MB of text", records());
    println!(
        "{:34}{:>9}{:>9}{:>12}{:>12}{:>9}",
        "", "seconds", "MB/s", "records/s", "of gzip -dc", "MiB"
    );
    for (name, each) in [("64 MB", 200_000), ("8 MB", 25_000), ("2 kB, packed", 10)] {
        let s3 = Arc::new(archive(each)?);
        let files = tempfile::tempdir()?;
        for (number, bytes) in s3.objects.values().enumerate() {
            std::fs::write(files.path().join(format!("{number:06}.gz")), bytes)?;
        }
        let objects = s3.objects.len();
        println!("{objects} objects of {name}");
        let server = FaultServer::start("S3", Arc::clone(&s3), None)?;
        let intake = Arc::new(Intake::default());
        let primary = FaultServer::start("the intake", Arc::clone(&intake), None)?;
        let (endpoint, to) = (server.endpoint(), format!("{}/v1/logs", primary.endpoint()));
        let state = files.path().join("state");
        let gzip = run(Command::new("sh")
            .args([
                "-c",
                "find \"$1\" -name '*.gz' -print0 | xargs -0 gzip -dc",
                "sh",
            ])
            .arg(files.path()))
        .await?;
        let from = format!("s3://{BUCKET}/backstop");
        let tell = |what: &str, took: &Took| {
            println!(
                "  {what:32}{:>9.2}{:>9.0}{:>12.0}{:>12.2}{:>9}",
                took.seconds,
                megabytes / took.seconds,
                f64::from(records()) / took.seconds,
                gzip.seconds / took.seconds,
                took.peak >> 20,
            );
        };
        tell("gzip -dc", &gzip);
        let took = run(&mut backstop(&["archive", "ls", &from], &endpoint, &state)).await?;
        let lists = s3.lists.swap(0, Ordering::Relaxed);
        tell(&format!("ls, {lists} requests"), &took);
        let took = run(&mut backstop(
            &["archive", "stats", &from],
            &endpoint,
            &state,
        ))
        .await?;
        let counted: Value = serde_json::from_slice(&took.stdout)?;
        assert_eq!(counted["records"], records());
        tell("stats", &took);
        let took = run(&mut backstop(&["archive", "cat", &from], &endpoint, &state)).await?;
        tell("cat", &took);
        for compression in ["none", "gzip"] {
            intake.0.store(0, Ordering::Relaxed);
            let arguments = ["replay", "--from", &from, "--to", &to];
            let mut command = backstop(&arguments, &endpoint, &state);
            command.env("BACKSTOP_PRIMARY_COMPRESSION", compression);
            let took = run(&mut command).await?;
            let summary: Value = serde_json::from_slice(&took.stdout)?;
            assert_eq!(summary["sent"], records(), "{summary}");
            let requests = intake.0.load(Ordering::Relaxed);
            tell(
                &format!("replay, {compression}, {requests} requests"),
                &took,
            );
        }
    }
    Ok(())
}
