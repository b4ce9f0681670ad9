//! A long life: ten thousand invocations of one environment, its sinks failing and recovering at
//! random all the while.
//!
//! `scripts/soak` runs it. [`plan`] draws what happens from a seed, [`sample`] watches the process
//! from outside, [`totals`] holds what was emitted against where it is found. A run fails when a
//! record is lost without being counted, when more is in two places than the ledger knows of, or
//! when memory or descriptors grow with the number of invocations.
//!
//! Must not assert on a time: how long a run takes is the machine's business.

mod plan;
mod sample;
mod totals;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use backstop_simulator::ShutdownReason;
use backstop_tests::{Result, World, extension};

use plan::{Options, Plan};
use sample::Samples;
use totals::Totals;

/// Invocations between two samples.
const EVERY: u64 = 100;
const TOLD_EVERY: u64 = 1_000;
/// The default of `BACKSTOP_MAX_ADDED_MS`, and what the platform's own steps and a busy machine add to it.
const BOUND: Duration = Duration::from_millis(500);
const TOLERANCE: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() -> ExitCode {
    // Without this argument it is `cargo test --benches`, which asks for no soak.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            tell(&problem);
            return ExitCode::from(2);
        }
    };
    tell(&format!(
        "{} invocations of {}, strategy {}, seed {}",
        options.invocations,
        extension().display(),
        options.strategy,
        options.seed
    ));
    match soak(&options).await {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            for problem in problems {
                tell(&format!("FAILED: {problem}"));
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            tell(&format!("FAILED: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs it all and prints the table. What is wrong, if anything.
async fn soak(options: &Options) -> Result<Vec<String>> {
    let world = World::start().await?;
    let environment = world
        .environment()
        // The least there is: a buffer of 12.8 MiB, so that its bound has something to say.
        .memory_mb(128)
        .env("BACKSTOP_FLUSH_STRATEGY", &options.strategy)
        .envs(
            std::env::vars()
                .filter(|(name, _)| name.starts_with("BACKSTOP_") && name != "BACKSTOP_EXTENSION"),
        )
        .start()
        .await?;
    let mut plan = Plan::new(options.seed);
    let mut samples = Samples::default();
    for done in 1..=options.invocations {
        plan.turn(&world).await?;
        let report = environment.invoke(plan.invocation()).await?;
        if report.overran {
            return Ok(vec![format!(
                "invocation {done} was held until the function's timeout"
            )]);
        }
        samples.added.push(report.added);
        if report.added > BOUND + TOLERANCE {
            samples.late += 1;
            tell(&format!(
                "{done}: waited {:?}, {}",
                report.added,
                plan.shown()
            ));
        }
        if done % EVERY == 0 {
            samples.take(environment.pid())?;
        }
        if done % TOLD_EVERY == 0 {
            tell(&format!("{done} invocations, {}", samples.latest()));
        }
        tokio::time::sleep(plan.gap()).await;
    }
    plan.clear(&world).await?;
    let peak = environment.peak_rss_bytes();
    let report = environment.shutdown(ShutdownReason::Spindown).await?;
    world.firehose.flush().await?;
    let totals = Totals::new(&world, &environment, &plan, &report)?;
    let mut problems = totals.problems();
    problems.extend(samples.problems());
    if !problems.is_empty() {
        tell(&report.stderr.join("\n"));
    }
    let mut table = String::from("| | |\n|---|---:|\n");
    let rows = plan.rows().into_iter();
    let rows = rows.chain(totals.rows()).chain(samples.rows(peak));
    for (figure, value) in rows.chain([verdict(&problems)]) {
        // Writing to a String cannot fail.
        writeln!(table, "| {figure} | {value} |").unwrap_or_default();
    }
    print(&table);
    Ok(problems)
}

fn verdict(problems: &[String]) -> (String, String) {
    let said = if problems.is_empty() {
        "held"
    } else {
        "BROKEN"
    };
    (
        "all of the above within its limits".to_owned(),
        said.to_owned(),
    )
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(clippy::print_stderr, reason = "stdout is the table's alone")]
fn tell(line: &str) {
    eprintln!("{line}");
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn print(table: &str) {
    print!("{table}");
}
