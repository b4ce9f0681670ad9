//! What the shipped binary may cost the function it runs beside: memory, threads, system calls.

use std::fs;
use std::time::Duration;

use backstop_simulator::ShutdownReason;
use backstop_simulator::traffic::Traffic;
use backstop_tests::{World, invocation};

use crate::{HERE, Opt, script};

const MEMORY_AFTER_INIT: u64 = 6_000_000;
const MEMORY_AFTER_4_000_RECORDS: u64 = 12_000_000;
/// Of four invocations with 2,000 records each. Where freed memory goes back to the system they are some 800.
const PAGE_FAULTS: u64 = 300;
/// From the start of the program to its first `/next`. What the loader did before is the system's affair:
/// it looks for each library in each folder of `LD_LIBRARY_PATH`.
const SYSTEM_CALLS_AT_INIT: usize = 80;

#[tokio::test]
async fn memory_and_threads_after_init_and_under_load() {
    let opt = Opt::of(HERE);
    let world = World::start().await.unwrap();
    let environment = (world.environment().extension(&opt.extension))
        .start()
        .await
        .unwrap();
    let threads = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", environment.pid())).unwrap();
        tasks.count()
    };
    let after_init = environment.rss_bytes().unwrap();
    println!(
        "after init: {after_init} bytes resident, {} thread",
        threads()
    );
    assert!(after_init <= MEMORY_AFTER_INIT, "{after_init}");
    assert_eq!(threads(), 1);
    let mut traffic = Traffic::new(300);
    for _ in 0..4 {
        let lines = invocation(&mut traffic, 1000, Duration::from_millis(250));
        environment.invoke(lines).await.unwrap();
    }
    let peak = environment.peak_rss_bytes();
    println!(
        "after 4,000 records: at most {peak} bytes resident, {} thread",
        threads()
    );
    assert!(peak <= MEMORY_AFTER_4_000_RECORDS, "{peak}");
    assert_eq!(threads(), 1);
    let outcome = world
        .settle(&environment, traffic.position())
        .await
        .unwrap();
    outcome.assert_nothing_lost();
}

#[tokio::test]
async fn freed_memory_is_kept_and_not_zeroed_again_for_each_body() {
    let opt = Opt::of(HERE);
    let world = World::start().await.unwrap();
    let environment = (world.environment().extension(&opt.extension))
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::plain(300);
    let mut faults = Vec::new();
    for _ in 0..8 {
        let lines = invocation(&mut traffic, 2000, Duration::from_millis(200));
        environment.invoke(lines).await.unwrap();
        faults.push(page_faults(environment.pid()));
    }
    let faults = faults[7] - faults[3];
    println!("8,000 records: {faults} page faults");
    assert!(faults <= PAGE_FAULTS, "{faults}");
    let outcome = world
        .settle(&environment, traffic.position())
        .await
        .unwrap();
    outcome.assert_nothing_lost();
}

/// Pages that the kernel has given to a process, none of them read from a disk (`minflt` in proc(5)).
fn page_faults(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    after_name
        .split_whitespace()
        .nth(7)
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn system_calls_at_init() {
    let opt = Opt::of(HERE);
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let traced = format!(
        "strace --follow-forks --string-limit 64 --output '{}' '{}'",
        trace.display(),
        opt.extension.display()
    );
    let world = World::start().await.unwrap();
    // Counted are those until the environment's init is over, which is at the first `/next`.
    let environment = (world
        .environment()
        .extension(script(directory.path(), &traced)))
    .start()
    .await
    .unwrap();
    let text = fs::read_to_string(&trace).unwrap();
    environment
        .shutdown(ShutdownReason::Spindown)
        .await
        .unwrap();
    let position = |what: &str| {
        let mut lines = text.lines();
        (lines.position(|line| line.contains(what)))
            .unwrap_or_else(|| panic!("no {what} in\n{text}"))
    };
    // The first thing a program of Rust's does is to look whether its standard streams are open.
    let (starts, ready) = (position(" poll("), position("/event/next"));
    let calls = ready - starts;
    println!("system calls at init: {starts} of the loader, {calls} of the program");
    assert!(calls <= SYSTEM_CALLS_AT_INIT, "{calls}\n{text}");
}
