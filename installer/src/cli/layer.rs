//! The options of `backstop layer`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::layer::{Binary, GlibcVersion};

/// Build the layer
#[derive(Debug, Args)]
pub struct LayerArgs {
    /// The command.
    #[command(subcommand)]
    pub command: LayerCommand,
}

/// The commands on the layer.
#[derive(Debug, Subcommand)]
pub enum LayerCommand {
    /// Check an extension's binaries and pack them, as layers and for container images
    Build(BuildArgs),
}

/// Check an extension's binaries and pack them, as layers and for container images
///
/// Writes extension-TARGET.zip, the layer, and extension-TARGET.tar.gz, for `ADD … /opt/` in a
/// Dockerfile, with a .sha256 beside each. The same binary gives the same bytes, on any machine.
/// Refuses a binary that Lambda could not load: another architecture, too new a glibc, or one
/// without the usual hardening.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BuildArgs {
    /// A binary, and what it runs on: `x86_64`, `arm64`, `x86_64-musl` or `arm64-musl`
    #[arg(long, value_name = "TARGET=PATH", required = true)]
    pub binary: Vec<Binary>,

    /// Where to put what is packed
    #[arg(long, short, value_name = "DIR", default_value = "dist")]
    pub directory: PathBuf,

    /// The newest glibc that there will be: Amazon Linux 2 has 2.26, Amazon Linux 2023 has 2.34
    #[arg(long, value_name = "VERSION", default_value = "2.26")]
    pub glibc: GlibcVersion,
}

const EXAMPLES: &str = "\
Examples:
  scripts/package        compiles for both architectures and calls this
  backstop layer build --binary arm64=target/aarch64-unknown-linux-gnu/layer/backstop-extension

Exit codes: 0 done, 1 error, 2 usage";
