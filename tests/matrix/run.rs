//! Plays one cell: a whole life of an environment, with the fault at its sink and time.

use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{EnvironmentBuilder, Fault};
use backstop_tests::shim::Shim;
use backstop_tests::{Result, World, invocation};

use crate::cell::{Cell, FaultTime, FaultySink, SinkFault};
use crate::verdict::{Evidence, verdict};

const INVOCATIONS: usize = 6;
const LINES: usize = 20;
const LINE_BYTES: usize = 300;
/// Long enough for several of Firehose's records in a call.
const LONG_LINE_BYTES: usize = 20_000;
/// Records that Firehose refuses of each call, until they were sent again.
const REFUSED: usize = 3;
const HANDLER: Duration = Duration::from_millis(15);
const TIMEOUT: Duration = Duration::from_secs(3);
/// How often the memory is looked at while the environment shuts down; the kernel keeps the peak.
const LOOK: Duration = Duration::from_millis(5);

/// What is wrong with the cell; nothing when all holds.
pub(crate) async fn run(cell: Cell) -> Vec<String> {
    match play(cell).await {
        Ok(evidence) => verdict(cell, &evidence),
        Err(error) => vec![error.to_string()],
    }
}

async fn play(cell: Cell) -> Result<Evidence> {
    let world = match cell.format {
        Some(dialect) => World::start_speaking(dialect).await?,
        None if cell.needs_tls() => World::start_tls().await?,
        None => World::start().await?,
    };
    if cell.sink != FaultySink::Primary {
        world.intake.set_fault(Some(Fault::Refuse)).await?;
    }
    if cell.sink == FaultySink::S3 {
        world.firehose.set_fault(Some(Fault::Refuse)).await?;
    }
    if cell.time == FaultTime::Always {
        begin(&world, cell).await?;
    }
    let shim = Shim::new().filter(|_| cell.fault == SinkFault::SilentName);
    let builder = builder(&world, cell);
    let builder = match &shim {
        Some(shim) => shim.load(builder),
        None => builder,
    };
    let environment = builder.start().await?;
    let bytes = if cell.needs_long_lines() {
        LONG_LINE_BYTES
    } else {
        LINE_BYTES
    };
    let mut traffic = Traffic::new(bytes);
    let mut overran = 0;
    let mut asked_before = 0;
    for index in 0..INVOCATIONS {
        if cell.time == FaultTime::MidRun {
            if index == INVOCATIONS / 3 {
                asked_before = asked(&world, cell.sink);
            }
            if (INVOCATIONS / 3..INVOCATIONS * 2 / 3).contains(&index) {
                begin(&world, cell).await?;
            } else {
                end(&world, cell).await?;
            }
        }
        if cell.time == FaultTime::Always && cell.fault == SinkFault::RefusedRecords {
            begin(&world, cell).await?;
        }
        let report = environment
            .invoke(invocation(&mut traffic, LINES, HANDLER))
            .await?;
        overran += u32::from(report.overran);
    }
    if cell.time == FaultTime::AtShutdown {
        asked_before = asked(&world, cell.sink);
        begin(&world, cell).await?;
    }
    let cpu = std::cell::Cell::new(Duration::ZERO);
    let watched = async {
        loop {
            environment.peak_rss_bytes();
            cpu.set(environment.cpu_time().unwrap_or(cpu.get()));
            tokio::time::sleep(LOOK).await;
        }
    };
    let outcome = tokio::select! {
        outcome = world.settle(&environment, traffic.position()) => outcome?,
        () = watched => return Err(backstop_simulator::SimulationError::Over("it was never shut down")),
    };
    Ok(Evidence {
        outcome,
        telemetry: environment.telemetry(),
        overran,
        peak_bytes: environment.peak_rss_bytes(),
        cpu: cpu.get(),
        asked: asked(&world, cell.sink) - asked_before,
    })
}

fn builder(world: &World, cell: Cell) -> EnvironmentBuilder {
    let interval = match cell.time {
        FaultTime::Always | FaultTime::MidRun => "100",
        FaultTime::AtShutdown => "60000",
    };
    let mut builder = world
        .environment()
        .timeout(TIMEOUT)
        .env("BACKSTOP_FLUSH_STRATEGY", cell.strategy)
        .env("BACKSTOP_FLUSH_INTERVAL_MS", interval);
    if cell.sink == FaultySink::S3 && cell.time == FaultTime::Always {
        // The only fallback; otherwise it comes after one that is down.
        builder = builder.env("BACKSTOP_FIREHOSE_STREAM", "");
    }
    if cell.needs_long_lines() {
        builder = builder.env("BACKSTOP_PRIMARY_COMPRESSION", "none");
    }
    let host = match cell.fault {
        SinkFault::UnknownName => Some("backstop.invalid"),
        SinkFault::SilentName => Some("silent.backstop.invalid"),
        SinkFault::Fault(_) | SinkFault::RefusedRecords => None,
    };
    if let Some(host) = host {
        let (variable, path) = match cell.sink {
            FaultySink::Primary => ("BACKSTOP_PRIMARY_URL", "/logs"),
            FaultySink::Firehose => ("AWS_ENDPOINT_URL_FIREHOSE", ""),
            FaultySink::S3 => ("AWS_ENDPOINT_URL_S3", ""),
        };
        builder = builder.env(variable, format!("https://{host}{path}"));
    }
    builder
}

async fn begin(world: &World, cell: Cell) -> Result {
    match (cell.fault, cell.sink) {
        (SinkFault::Fault(fault), _) => set(world, cell.sink, Some(fault)).await,
        (SinkFault::UnknownName | SinkFault::SilentName, _) => Ok(()),
        (SinkFault::RefusedRecords, _) => {
            world.firehose.fail_next_records(REFUSED);
            Ok(())
        }
    }
}

async fn end(world: &World, cell: Cell) -> Result {
    world.firehose.fail_next_records(0);
    set(world, cell.sink, None).await
}

async fn set(world: &World, sink: FaultySink, fault: Option<Fault>) -> Result {
    match sink {
        FaultySink::Primary => world.intake.set_fault(fault).await,
        FaultySink::Firehose => world.firehose.set_fault(fault).await,
        FaultySink::S3 => world.s3.set_fault(fault).await,
    }
}

/// Requests that have reached the sink.
fn asked(world: &World, sink: FaultySink) -> u64 {
    let requests = match sink {
        FaultySink::Primary => world.intake.requests(),
        FaultySink::Firehose => world.firehose.requests(),
        FaultySink::S3 => world.s3.requests(),
    };
    requests.values().sum()
}
