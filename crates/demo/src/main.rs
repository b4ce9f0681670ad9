//! `backstop demo` alone, for those who build it.

use std::process::ExitCode;

use anyhow::Context as _;
use backstop_demo::DemoArgs;
use backstop_output::{Output, OutputArgs};
use clap::Parser;

/// Run the real extension through an outage on this machine, replay, and count
#[derive(Debug, Parser)]
#[command(name = "backstop-demo", max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    demo: DemoArgs,

    #[command(flatten)]
    printing: OutputArgs,
}

fn main() -> ExitCode {
    let Cli { demo, printing } = Cli::parse();
    run(demo, printing.open()).unwrap_or_else(|error| {
        Output::error(&error);
        ExitCode::FAILURE
    })
}

fn run(args: DemoArgs, output: Output) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler Ctrl-C ends the process, which is what is meant.
            std::future::pending::<()>().await;
        }
    };
    let code = runtime.block_on(backstop_demo::command(args, output, interrupted))?;
    output.hint(
        "To install the command line, which has every other command",
        "docs/installation.md",
    );
    Ok(code)
}
