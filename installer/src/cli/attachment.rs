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
#[command(next_help_heading = "What")]
pub struct IntentArgs {
    /// The manifest of `layer publish`, with the layer of each region and architecture
    #[arg(long, value_name = "FILE", display_order = 600)]
    pub layers: Option<PathBuf>,

    /// A layer version, in place of a manifest; the one that fits region and architecture is taken
    #[arg(long, value_name = "ARN", value_parser = layer_arn, display_order = 601)]
    pub layer: Vec<String>,

    /// A variable of the extension, such as `BACKSTOP_PRIMARY_URL=https://intake.example.com/`
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable, display_order = 602)]
    pub set: Vec<(String, String)>,

    /// The primary by the name of its backend, such as `honeycomb`; docs/backends.md lists them
    #[arg(long, value_name = "NAME", display_order = 602)]
    pub backend: Option<String>,

    /// An option of the backend, such as `region=eu`
    #[arg(long, value_name = "OPTION=VALUE", value_parser = backend_option, display_order = 602)]
    pub backend_option: Vec<(String, String)>,

    /// A file with the primary's token; `-` for stdin
    #[arg(long, value_name = "FILE", display_order = 603)]
    pub token_file: Option<PathBuf>,

    /// A secret of Secrets Manager with the primary's token
    #[arg(long, value_name = "ARN", display_order = 604)]
    pub token_secret_arn: Option<String>,

    /// A file with the primary's headers, `name: value` on each line
    #[arg(long, value_name = "FILE", display_order = 605)]
    pub header_file: Option<PathBuf>,

    /// A file with the primary's address, where that holds a key
    #[arg(long, value_name = "FILE", display_order = 606)]
    pub url_file: Option<PathBuf>,

    /// Set this variable also where someone else has set it otherwise
    #[arg(long, value_name = "NAME", display_order = 607)]
    pub overwrite: Vec<String>,
}

/// Overrides of what is refused.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Overrides")]
pub struct AllowArgs {
    /// Include functions that `CloudFormation` or Terraform manages, and may revert
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
#[command(next_help_heading = "How")]
pub struct ApplyOptions {
    /// Do not ask
    #[arg(long, short, display_order = 670)]
    pub yes: bool,

    /// Seconds to wait for a function that is being updated
    #[arg(long, value_name = "SECONDS", value_parser = super::targets::seconds, default_value = "300", display_order = 671)]
    pub wait: Duration,

    /// Show every function's name, also of many for which the same holds
    #[arg(long, display_order = 672)]
    pub full: bool,

    /// In waves.
    #[command(flatten)]
    pub waves: WaveArgs,
}

/// Show what attaching would change, function by function, and change nothing
///
/// Each function gets one verdict with a reason. The plan can be kept in a file, and `backstop apply`
/// does what it says. No secret is in it.
#[derive(Debug, Args)]
#[command(after_help = PLAN_EXAMPLES)]
pub struct PlanArgs {
    /// Plan to detach, not to attach
    #[arg(long, display_order = 500)]
    pub detach: bool,

    /// Keep the plan in this file
    #[arg(long, value_name = "FILE", display_order = 501)]
    pub out: Option<PathBuf>,

    /// Show every function's name
    #[arg(long, display_order = 502)]
    pub full: bool,

    /// Exit with 4 where anything is to be changed
    #[arg(long, display_order = 503)]
    pub detailed_exitcode: bool,

    /// Say what a reason means, and do nothing else; `all` for every one
    #[arg(long, value_name = "CODE", value_parser = reasons, display_order = 504)]
    pub explain: Option<Reasons>,

    /// Which functions.
    #[command(flatten)]
    pub select: SelectArgs,

    /// What.
    #[command(flatten)]
    pub intent: IntentArgs,

    /// Overrides.
    #[command(flatten)]
    pub allow: AllowArgs,

    /// What is done besides.
    #[command(flatten)]
    pub extras: ExtraArgs,

    /// What roles are granted.
    #[command(flatten)]
    pub grant: GrantArgs,

    /// In waves.
    #[command(flatten)]
    pub waves: WaveArgs,

    /// Where.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

/// Do what a plan says, and nothing else
///
/// A function that was changed since it was planned is merged again; what someone else did stays.
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct ApplyArgs {
    /// A plan of `backstop plan --out`
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,

    /// How.
    #[command(flatten)]
    pub apply_options: ApplyOptions,

    /// How to get there.
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

    /// Change nothing at all where any function is refused
    #[arg(long, display_order = 501)]
    pub strict: bool,

    /// Which functions.
    #[command(flatten)]
    pub select: SelectArgs,

    /// What.
    #[command(flatten)]
    pub intent: IntentArgs,

    /// Overrides.
    #[command(flatten)]
    pub allow: AllowArgs,

    /// What is done besides.
    #[command(flatten)]
    pub extras: ExtraArgs,

    /// What roles are granted.
    #[command(flatten)]
    pub grant: GrantArgs,

    /// How.
    #[command(flatten)]
    pub apply_options: ApplyOptions,

    /// Where.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

/// Take the layer and its settings off functions: plan, ask, apply
///
/// Where the runs of the state tell what was there before, that is put back; elsewhere every layer of
/// ours and every variable `BACKSTOP_…` is taken away.
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct DetachArgs {
    /// Show the plan, and change nothing
    #[arg(long, display_order = 500)]
    pub dry_run: bool,

    /// Change nothing at all where any function is refused
    #[arg(long, display_order = 501)]
    pub strict: bool,

    /// Which functions.
    #[command(flatten)]
    pub select: SelectArgs,

    /// Overrides.
    #[command(flatten)]
    pub allow: AllowArgs,

    /// What is done besides.
    #[command(flatten)]
    pub extras: ExtraArgs,

    /// How.
    #[command(flatten)]
    pub apply_options: ApplyOptions,

    /// Where.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

const PLAN_EXAMPLES: &str = "\
Examples:
  backstop plan 'orders-*' --layers layers.json --set BACKSTOP_PRIMARY_URL=https://intake.example.com/
  backstop plan --tag team=payments --regions all --accounts-file accounts --role Operator --out plan.json
  backstop plan --explain env-unreadable

Exit codes: 0 done, 1 error, 2 usage, 3 not every account and region could be looked at, 4 with
--detailed-exitcode: something is to be changed";

pub(super) const CHANGE_CODES: &str = "\
Exit codes: 0 done, 1 error, 2 usage, 3 something is left, 5 every function was refused, 130 interrupted";

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
                return Err(UsageError(format!("--set {name} is given twice")));
            }
            variables.insert(name.clone(), value.clone());
        }
        let backend = self.backend(project)?;
        let secrets = &project.secrets;
        // A token that is typed goes before one of the file, wherever it is.
        let (token_file, token_secret_arn) =
            if self.token_file.is_some() || self.token_secret_arn.is_some() {
                (&self.token_file, &self.token_secret_arn)
            } else {
                (&secrets.token_file, &secrets.token_secret_arn)
            };
        Ok(ExplicitSettings {
            variables,
            backend,
            url_file: self.url_file.clone().or_else(|| secrets.url_file.clone()),
            token_file: token_file.clone(),
            token_secret_arn: token_secret_arn.clone(),
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
                    "--backend-option {name} is given twice"
                )));
            }
            choice.options.insert(name.clone(), value.clone());
        }
        Ok(choice)
    }
}

fn backend_option(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as OPTION=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if name.starts_with(crate::change::PREFIX) => {
            Ok((name.to_owned(), value.to_owned()))
        }
        Some(_) => Err("only variables of the extension can be set: BACKSTOP_…".to_owned()),
        None => Err("write it as NAME=VALUE".to_owned()),
    }
}

fn layer_arn(text: &str) -> Result<String, String> {
    match crate::change::LayerArn::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("it is not the ARN of a layer version: it ends in a number".to_owned()),
    }
}
