//! The options of `plan`.

use std::path::PathBuf;

use clap::Args;

use super::{
    AllowArgs, ExtraArgs, GrantArgs, IntentArgs, SelectArgs, StateArgs, TargetArgs, WaveArgs,
};
use crate::plan::Reason;

const PLAN_EXAMPLES: &str = "\
Examples:
  backstop plan 'orders-*' --layers layers.json \\
      --set BACKSTOP_PRIMARY_URL=https://intake.example.com/
  backstop plan --tag team=payments --regions all \\
      --accounts-file accounts --role Operator --out plan.json
  backstop plan --explain env-unreadable

Exit codes: 0 done, 1 error, 2 usage, 3 some accounts or regions could not be read, 4 with
--detailed-exitcode: the plan changes something";

/// Show what attach would change, function by function, and change nothing
///
/// Each function gets one verdict with a reason. `--out` writes the plan to a file, which `backstop
/// apply` carries out. A plan contains no secrets.
#[derive(Debug, Args)]
#[command(after_help = PLAN_EXAMPLES)]
pub struct PlanArgs {
    /// Plan a detach instead of an attach
    #[arg(long, display_order = 500)]
    pub detach: bool,

    /// Write the plan to this file
    #[arg(long, value_name = "FILE", display_order = 501)]
    pub out: Option<PathBuf>,

    /// Show every function's name
    #[arg(long, display_order = 502)]
    pub full: bool,

    /// Exit with 4 if the plan changes anything
    #[arg(long, display_order = 503)]
    pub detailed_exitcode: bool,

    /// Explain a reason code, or `all` of them, and exit
    #[arg(long, value_name = "CODE", value_parser = reasons, display_order = 504)]
    pub explain: Option<Reasons>,

    /// Which functions.
    #[command(flatten)]
    pub select: SelectArgs,

    /// The layer and the settings.
    #[command(flatten)]
    pub intent: IntentArgs,

    /// Overrides.
    #[command(flatten)]
    pub allow: AllowArgs,

    /// Versions, aliases and grants.
    #[command(flatten)]
    pub extras: ExtraArgs,

    /// Grants to execution roles.
    #[command(flatten)]
    pub grant: GrantArgs,

    /// Waves.
    #[command(flatten)]
    pub waves: WaveArgs,

    /// Accounts and regions.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

/// Some reasons.
#[derive(Debug, Clone)]
pub struct Reasons(pub Vec<Reason>);

fn reasons(code: &str) -> Result<Reasons, String> {
    if code == "all" {
        return Ok(Reasons(Reason::ALL.to_vec()));
    }
    code.parse().map(|reason| Reasons(vec![reason]))
}
