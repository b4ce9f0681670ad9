//! The options of the commands that change functions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{
    AccessArgs, ExtraArgs, GrantArgs, SelectArgs, StateArgs, TargetArgs, UsageError, WaveArgs,
};
use crate::plan::{Allowed, Reason};
use crate::project::Project;
use crate::settings::{BackendChoice, ExplicitSettings};

/// The layer and the settings that functions are to have.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Layer and settings")]
pub struct IntentArgs {
    /// Manifest that `layer publish` wrote, with the layer of each region and architecture
    #[arg(long, value_name = "FILE", display_order = 600)]
    pub layers: Option<PathBuf>,

    /// Layer version to use instead of a manifest; give one for each region and architecture
    #[arg(long, value_name = "ARN", value_parser = layer_arn, display_order = 601)]
    pub layer: Vec<String>,

    /// Set a variable of the extension, such as `BACKSTOP_PRIMARY_URL=https://intake.example.com/`
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable, display_order = 602)]
    pub set: Vec<(String, String)>,

    /// Backend of the primary, such as `honeycomb`; docs/backends.md lists them
    #[arg(long, value_name = "NAME", display_order = 602)]
    pub backend: Option<String>,

    /// Set an option of the backend, such as `region=eu`
    #[arg(long, value_name = "OPTION=VALUE", value_parser = backend_option, display_order = 602)]
    pub backend_option: Vec<(String, String)>,

    /// File with the primary's token; `-` for stdin
    #[arg(long, value_name = "FILE", display_order = 603)]
    pub token_file: Option<PathBuf>,

    /// Where the function reads the primary's token: `secret:ARN`, `secret:ARN#KEY`, `ssm:NAME` or
    /// `kms:CIPHERTEXT`
    #[arg(long, value_name = "REFERENCE", display_order = 603)]
    pub token_reference: Option<String>,

    /// Secrets Manager secret whose present value is set as the primary's token
    #[arg(long, value_name = "ARN", display_order = 604)]
    pub token_secret_arn: Option<String>,

    /// File with the primary's headers, one `name: value` per line
    #[arg(long, value_name = "FILE", display_order = 605)]
    pub header_file: Option<PathBuf>,

    /// File with the primary's address, if the address contains a key
    #[arg(long, value_name = "FILE", display_order = 606)]
    pub url_file: Option<PathBuf>,

    /// Replace the value of this variable even if someone else set it
    #[arg(long, value_name = "NAME", display_order = 607)]
    pub overwrite: Vec<String>,
}

/// Overrides of what is refused.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Overrides")]
pub struct AllowArgs {
    /// Include functions that `CloudFormation` or Terraform manages and may revert
    #[arg(long, display_order = 650)]
    pub include_managed: bool,

    /// Include functions in state Inactive
    #[arg(long, display_order = 651)]
    pub include_inactive: bool,

    /// Include functions with another vendor's telemetry extension
    #[arg(long, display_order = 652)]
    pub beside_others: bool,
}

/// How to go about changes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Execution")]
pub struct ApplyOptions {
    /// Skip the confirmation
    #[arg(long, short, display_order = 670)]
    pub yes: bool,

    /// Seconds to wait for a function that another update is changing
    #[arg(long, value_name = "SECONDS", value_parser = super::targets::seconds, default_value = "300", display_order = 671)]
    pub wait: Duration,

    /// Show every function's name instead of a few of each group
    #[arg(long, display_order = 672)]
    pub full: bool,

    /// Waves.
    #[command(flatten)]
    pub waves: WaveArgs,
}

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

/// Carry out a plan from `backstop plan --out`, and nothing else
///
/// If someone changed a function since the plan was made, apply keeps their change and merges the
/// plan's into it.
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct ApplyArgs {
    /// Plan file from `backstop plan --out`
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,

    /// Confirmation, waiting and waves.
    #[command(flatten)]
    pub apply_options: ApplyOptions,

    /// Connection and rate.
    #[command(flatten)]
    pub access: AccessArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

/// Attach the layer and its settings to functions: plan, ask, apply
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct AttachArgs {
    /// Show the plan, and change nothing
    #[arg(long, display_order = 500)]
    pub dry_run: bool,

    /// Change nothing if any function is refused
    #[arg(long, display_order = 501)]
    pub strict: bool,

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

    /// Confirmation, waiting and waves.
    #[command(flatten)]
    pub apply_options: ApplyOptions,

    /// Accounts and regions.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

/// Detach the layer and its settings from functions: plan, ask, apply
///
/// If a recorded run attached the function, detach restores what the function had before. Otherwise
/// it removes every Backstop layer and every variable `BACKSTOP_…`.
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct DetachArgs {
    /// Show the plan, and change nothing
    #[arg(long, display_order = 500)]
    pub dry_run: bool,

    /// Change nothing if any function is refused
    #[arg(long, display_order = 501)]
    pub strict: bool,

    /// Which functions.
    #[command(flatten)]
    pub select: SelectArgs,

    /// Overrides.
    #[command(flatten)]
    pub allow: AllowArgs,

    /// Versions, aliases and grants.
    #[command(flatten)]
    pub extras: ExtraArgs,

    /// Confirmation, waiting and waves.
    #[command(flatten)]
    pub apply_options: ApplyOptions,

    /// Accounts and regions.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

const PLAN_EXAMPLES: &str = "\
Examples:
  backstop plan 'orders-*' --layers layers.json \\
      --set BACKSTOP_PRIMARY_URL=https://intake.example.com/
  backstop plan --tag team=payments --regions all \\
      --accounts-file accounts --role Operator --out plan.json
  backstop plan --explain env-unreadable

Exit codes: 0 done, 1 error, 2 usage, 3 some accounts or regions could not be read, 4 with
--detailed-exitcode: the plan changes something";

pub(super) const CHANGE_CODES: &str = "Exit codes: 0 done, 1 error, 2 usage, 3 something failed, 5 \
    every function was refused, 130 interrupted";

/// Some reasons.
#[derive(Debug, Clone)]
pub struct Reasons(pub Vec<Reason>);

fn reasons(code: &str) -> Result<Reasons, String> {
    if code == "all" {
        return Ok(Reasons(Reason::ALL.to_vec()));
    }
    code.parse().map(|reason| Reasons(vec![reason]))
}

impl AllowArgs {
    /// As a value.
    pub fn allowed(self) -> Allowed {
        Allowed {
            managed: self.include_managed,
            inactive: self.include_inactive,
            beside_others: self.beside_others,
        }
    }
}

impl IntentArgs {
    /// What was said of settings, here and in the file.
    pub fn explicit(&self, project: &Project) -> Result<ExplicitSettings, UsageError> {
        let mut variables: BTreeMap<String, String> = (project.settings.iter())
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        let mut seen = BTreeMap::new();
        for (name, value) in &self.set {
            if seen.insert(name, value).is_some() {
                return Err(UsageError(format!(
                    "--set {name} is given twice: give it once"
                )));
            }
            variables.insert(name.clone(), value.clone());
        }
        let backend = self.backend(project)?;
        let secrets = &project.secrets;
        // A token on the command line overrides one in the file.
        let is_typed = self.token_file.is_some()
            || self.token_secret_arn.is_some()
            || self.token_reference.is_some();
        let (token_file, token_secret_arn, token_reference) = if is_typed {
            (
                &self.token_file,
                &self.token_secret_arn,
                &self.token_reference,
            )
        } else {
            (
                &secrets.token_file,
                &secrets.token_secret_arn,
                &secrets.token_reference,
            )
        };
        Ok(ExplicitSettings {
            variables,
            backend,
            url_file: self.url_file.clone().or_else(|| secrets.url_file.clone()),
            token_file: token_file.clone(),
            token_secret_arn: token_secret_arn.clone(),
            token_reference: token_reference.clone(),
            header_file: (self.header_file.clone()).or_else(|| secrets.header_file.clone()),
        })
    }
}

impl IntentArgs {
    /// A backend that is typed takes the place of the file's, with its options.
    fn backend(&self, project: &Project) -> Result<BackendChoice, UsageError> {
        let mut choice = match &self.backend {
            Some(name) => BackendChoice {
                name: Some(name.clone()),
                ..BackendChoice::default()
            },
            None => project.backend(),
        };
        let mut seen = BTreeSet::new();
        for (name, value) in &self.backend_option {
            if !seen.insert(name) {
                return Err(UsageError(format!(
                    "--backend-option {name} is given twice: give it once"
                )));
            }
            choice.options.insert(name.clone(), value.clone());
        }
        Ok(choice)
    }
}

pub(super) fn backend_option(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as OPTION=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if name.starts_with(crate::change::PREFIX) => {
            Ok((name.to_owned(), value.to_owned()))
        }
        Some(_) => Err("--set takes variables of the extension only (BACKSTOP_…)".to_owned()),
        None => Err("write it as NAME=VALUE".to_owned()),
    }
}

fn layer_arn(text: &str) -> Result<String, String> {
    match crate::change::LayerArn::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("not the ARN of a layer version, which ends in a version number".to_owned()),
    }
}
