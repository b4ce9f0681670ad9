//! What the extension's process costs the function it runs beside: time, CPU and memory, measured
//! around the real binary in a simulated execution environment, each figure beside its aim.
//!
//! `scripts/bench` runs it with the binary of the layer (`BACKSTOP_EXTENSION`), and beside it the least
//! that an extension can be (`BACKSTOP_BARE`, from `extension/examples/bare.rs`). CPU is what the
//! scheduler has counted for all threads of the process, so that a busy machine does not change it
//! much; times are as good as the machine is quiet, hence the least beside the median.
//!
//! Must not assert on a figure: the reader of the table judges it. It does assert that nothing is
//! lost, as figures of a run that lost records would say nothing.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use backstop_simulator::traffic::{FunctionRecord, Traffic};
use backstop_simulator::{Environment, EnvironmentBuilder, Fault, ShutdownReason, SimulationError};
use backstop_tests::throttle::Throttle;
use backstop_tests::{Result, World, extension, invocation};

const SPAWNS: usize = 20;
/// The length of a function record, in bytes.
const RECORD_BYTES: usize = 300;
const BURST: usize = 100_000;
/// What [`vary`] adds to a record.
const VARIED_BYTES: usize = 80;
const STEADY_INVOCATIONS: usize = 25;
const STEADY_LINES: usize = 2000;
const STARVED_LINES: usize = 60_000;
const INVOCATIONS: usize = 200;
/// Before those: for the breaker to open, or the connection to be there.
const WARM_UP: usize = 20;
const LINES: usize = 5;
const HANDLER: Duration = Duration::from_millis(5);

#[tokio::main]
async fn main() -> Result {
    // Without this argument it is `cargo test --benches`, which asks for no figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let mut table = Table::default();
    starts(&mut table).await?;
    some_records(&mut table).await?;
    burst(&mut table).await?;
    steady(&mut table).await?;
    starved(&mut table).await?;
    for (strategy, health, fault, aim) in [
        ("auto", "healthy", None, "p50 < 1 ms"),
        ("auto", "refused", Some(Fault::Refuse), "p50 < 30 ms"),
        ("end", "healthy", None, ""),
        ("end", "refused", Some(Fault::Refuse), ""),
    ] {
        let figure = format!("added per invocation, {strategy}, primary {health}: p50 / p99");
        table.row(&figure, &added(strategy, fault).await?, aim);
    }
    table.print();
    Ok(())
}

/// From the start of the process to its first `/next`, and its end with nothing to do; where there is a
/// bare one, by turns with it.
async fn starts(table: &mut Table) -> Result {
    let world = World::start().await?;
    let bare = std::env::var_os("BACKSTOP_BARE").map(PathBuf::from);
    let (mut ours, mut theirs) = (Starts::default(), Starts::default());
    // The first of each finds cold caches, in the kernel and in here.
    for is_counted in std::iter::once(false).chain([true; SPAWNS]) {
        let mut start = Starts::default();
        start.add(world.environment()).await?;
        if is_counted {
            ours.append(start);
        }
        if let Some(bare) = &bare {
            let mut start = Starts::default();
            start.add(world.environment().extension(bare)).await?;
            if is_counted {
                theirs.append(start);
            }
        }
    }
    let rows = [
        (
            "spawn to register",
            ours.register,
            theirs.register,
            "<= 3 ms",
        ),
        ("spawn to first /next", ours.next, theirs.next, ""),
        ("init CPU", ours.cpu, theirs.cpu, "<= 2 ms"),
        (
            "shutdown, only init's events to send",
            ours.end,
            theirs.end,
            "",
        ),
    ];
    for (figure, ours, theirs, aim) in rows {
        let label = format!("{figure}: least / median of {SPAWNS}");
        table.row(&label, &least_and_median(&ours), aim);
        if !theirs.is_empty() {
            table.row("  bare", &least_and_median(&theirs), "");
            let aim = if figure == "spawn to register" {
                "<= 2"
            } else {
                ""
            };
            table.row("  ratio of least / of median", &ratio(&ours, &theirs), aim);
        }
    }
    let rss = megabytes(at(&sorted(&ours.rss), 50));
    table.row("RSS after init: median", &rss, "<= 6 MB");
    if bare.is_some() {
        table.row("  bare", &megabytes(at(&sorted(&theirs.rss), 50)), "");
    }
    Ok(())
}

/// What was measured of processes that started.
#[derive(Default)]
struct Starts {
    register: Vec<Duration>,
    next: Vec<Duration>,
    cpu: Vec<Duration>,
    rss: Vec<u64>,
    end: Vec<Duration>,
}

impl Starts {
    async fn add(&mut self, environment: EnvironmentBuilder) -> Result {
        let environment = environment.start().await?;
        self.cpu.push(cpu_of(&environment)?);
        self.rss.push(environment.rss_bytes().unwrap_or_default());
        self.register.push(environment.start_timings().register);
        self.next.push(environment.start_timings().first_next);
        let report = environment.shutdown(ShutdownReason::Spindown).await?;
        self.end.push(report.duration);
        Ok(())
    }

    fn append(&mut self, other: Self) {
        self.register.extend(other.register);
        self.next.extend(other.next);
        self.cpu.extend(other.cpu);
        self.rss.extend(other.rss);
        self.end.extend(other.end);
    }
}

fn sorted<T: Copy + Ord>(values: &[T]) -> Vec<T> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted
}

fn least_and_median(times: &[Duration]) -> String {
    let times = sorted(times);
    format!("{} / {}", millis(at(&times, 0)), millis(at(&times, 50)))
}

fn ratio(ours: &[Duration], theirs: &[Duration]) -> String {
    let (ours, theirs) = (sorted(ours), sorted(theirs));
    let of = |percent| at(&ours, percent).as_secs_f64() / at(&theirs, percent).as_secs_f64();
    format!("{:.2} / {:.2}", of(0), of(50))
}

/// What a function that logs now and then makes the extension grow to.
async fn some_records(table: &mut Table) -> Result {
    let world = World::start().await?;
    let environment = world.environment().start().await?;
    let mut traffic = Traffic::new(RECORD_BYTES);
    for _ in 0..4 {
        let lines = invocation(&mut traffic, 1000, Duration::from_millis(250));
        environment.invoke(lines).await?;
    }
    let outcome = world.settle(&environment, traffic.position()).await?;
    outcome.assert_nothing_lost();
    table.row(
        "peak RSS, 4,000 records over 4 invocations",
        &megabytes(environment.peak_rss_bytes()),
        "<= 12 MB",
    );
    Ok(())
}

/// All at once, as fast as the platform posts it.
async fn burst(table: &mut Table) -> Result {
    let world = World::start().await?;
    let environment = patient(world.environment()).start().await?;
    let before = cpu_of(&environment)?;
    let mut traffic = Traffic::plain(RECORD_BYTES - VARIED_BYTES);
    let mut lines = invocation(&mut traffic, BURST, Duration::ZERO);
    vary(&mut lines.lines);
    let report = environment.invoke(lines).await?;
    let cpu = cpu_of(&environment)?.saturating_sub(before);
    let delivered = world.intake.record_count();
    assert!(
        delivered >= BURST,
        "only {delivered} were delivered in time"
    );
    let peak = environment.peak_rss_bytes();
    let outcome = world.settle(&environment, traffic.position()).await?;
    outcome.assert_nothing_lost();
    let peak = format!("{:.1} MiB", to_f64(peak) / f64::from(1 << 20));
    table.row("burst of 100,000 records: peak RSS", &peak, "<= 40 MiB");
    let each = cpu.as_secs_f64() * 1e6 / to_f64(delivered as u64);
    table.row(
        "burst of 100,000 records: CPU per record",
        &format!("{each:.2} µs"),
        "",
    );
    let whole = format!("{:.2} s", (report.runtime + report.added).as_secs_f64());
    table.row(
        "burst of 100,000 records: until all are delivered",
        &whole,
        "",
    );
    Ok(())
}

/// A function that logs much, again and again, while the primary is healthy; with the spool and without.
async fn steady(table: &mut Table) -> Result {
    for handler in [200, 500] {
        for (spool, is_kept) in [("with", true), ("without", false)] {
            let world = World::start().await?;
            let builder = world.environment();
            let environment = if is_kept {
                builder.start().await?
            } else {
                builder.env("BACKSTOP_SPOOL_MAX_BYTES", "0").start().await?
            };
            let mut traffic = Traffic::plain(RECORD_BYTES - VARIED_BYTES);
            let mut before = Duration::ZERO;
            for index in 0..=STEADY_INVOCATIONS {
                let mut lines =
                    invocation(&mut traffic, STEADY_LINES, Duration::from_millis(handler));
                vary(&mut lines.lines);
                environment.invoke(lines).await?;
                if index == 0 {
                    // The first one pays for the connection.
                    before = cpu_of(&environment)?;
                }
            }
            let cpu = cpu_of(&environment)?.saturating_sub(before);
            let outcome = world.settle(&environment, traffic.position()).await?;
            outcome.assert_nothing_lost();
            let each = cpu.as_secs_f64() / to_f64((STEADY_INVOCATIONS * STEADY_LINES) as u64);
            table.row(
                &format!("CPU per 100,000 records, 2,000 in each {handler} ms, {spool} the spool"),
                &format!("{:.3} s", each * 1e5),
                "",
            );
        }
    }
    Ok(())
}

/// A burst in one invocation of a function of 128 MB, and the ordinary one after it.
async fn starved(table: &mut Table) -> Result {
    for (health, fault) in [("healthy", None), ("refused", Some(Fault::Refuse))] {
        let world = World::start().await?;
        world.intake.set_fault(fault).await?;
        let mut throttle = Throttle::new(health);
        let environment = world.environment().freeze(throttle.may_freeze());
        let environment = environment.start().await?;
        let limited = throttle.limit(environment.pid());
        limited.map_err(|error| SimulationError::Process(error.to_string()))?;
        let mut traffic = Traffic::new(RECORD_BYTES);
        let mut added = Vec::new();
        for lines in [STARVED_LINES, LINES, LINES] {
            let lines = invocation(&mut traffic, lines, HANDLER);
            added.push(millis(environment.invoke(lines).await?.added));
        }
        let peak = megabytes(environment.peak_rss_bytes());
        let outcome = world.settle(&environment, traffic.position()).await?;
        outcome.assert_nothing_lost();
        assert!(throttle.has_bitten(), "it never waited for its share");
        let figure = format!("a fourteenth of a core, 60,000 lines, primary {health}: added");
        table.row(&figure, &added[0], "<= 500 ms");
        table.row(
            "  in the two invocations after it",
            &added[1..].join(" / "),
            "<= 500 ms",
        );
        table.row("  peak RSS", &peak, "<= 40 MiB");
    }
    Ok(())
}

/// What short invocations, one after the other, wait for the extension.
async fn added(strategy: &str, fault: Option<Fault>) -> Result<String> {
    let world = World::start().await?;
    world.intake.set_fault(fault).await?;
    let environment = world
        .environment()
        .env("BACKSTOP_FLUSH_STRATEGY", strategy)
        .start()
        .await?;
    let mut traffic = Traffic::new(RECORD_BYTES);
    let mut added = vec![];
    for _ in 0..WARM_UP + INVOCATIONS {
        let lines = invocation(&mut traffic, LINES, HANDLER);
        added.push(environment.invoke(lines).await?.added);
    }
    let outcome = world.settle(&environment, traffic.position()).await?;
    outcome.assert_nothing_lost();
    let mut added = added.split_off(WARM_UP);
    added.sort_unstable();
    Ok(format!(
        "{} / {}",
        millis(at(&added, 50)),
        millis(at(&added, 99))
    ))
}

/// Ends each line with numbers of its own (xorshift). The rest of it is the same filler again and
/// again, which gzip takes in a third of the time that it needs for the logs of a real function.
fn vary(lines: &mut [FunctionRecord]) {
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise
    };
    for FunctionRecord(line) in lines {
        let text = line.as_str().unwrap_or_default().trim_end();
        let (high, low, took) = (next(), next(), next() % 10_000);
        let order = next() % 100_000_000;
        *line =
            format!("{text} customer={high:016x}{low:016x} order={order:08} took={took:04} ms\n")
                .into();
    }
}

/// For a burst that this side may need longer to make and to take than the extension: nothing of it is
/// to wait for the next invocation.
fn patient(environment: EnvironmentBuilder) -> EnvironmentBuilder {
    environment
        .timeout(Duration::from_mins(2))
        .env("BACKSTOP_MAX_ADDED_MS", "10000")
}

/// The CPU time that the process has used: the sum of its threads.
fn cpu_of(environment: &Environment) -> Result<Duration> {
    let pid = environment.pid();
    let unreadable = |error: std::io::Error| {
        SimulationError::Process(format!("the CPU time of {pid} cannot be read: {error}"))
    };
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).map_err(unreadable)? {
        let path = thread.map_err(unreadable)?.path().join("schedstat");
        // A thread that has just ended is none any more.
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let running = text.split(' ').next().and_then(|first| first.parse().ok());
        nanoseconds += running.unwrap_or(0_u64);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The value below which `percent` of these are, which are sorted.
fn at<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", to_f64(bytes) / 1e6)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sizes and counts of one process, printed with a decimal or two"
)]
fn to_f64(number: u64) -> f64 {
    number as f64
}

/// The figures so far.
#[derive(Default)]
struct Table(Vec<[String; 3]>);

impl Table {
    fn row(&mut self, figure: &str, measured: &str, aim: &str) {
        self.0.push([figure, measured, aim].map(str::to_owned));
    }

    #[expect(
        clippy::print_stdout,
        reason = "the figures are what this program is for"
    )]
    fn print(&self) {
        let width = |column: usize| {
            let widths = self.0.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or_default()
        };
        let (figures, measured) = (width(0), width(1));
        let mut text = format!("{}\n", extension().display());
        for [figure, value, aim] in &self.0 {
            let line = format!("{figure:<figures$}  {value:>measured$}  {aim}");
            writeln!(text, "{}", line.trim_end()).expect("a string takes everything");
        }
        print!("{text}");
    }
}
