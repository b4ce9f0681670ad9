//! Options that select accounts, regions and functions.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{ConnectionArgs, UsageError};
use crate::files;
use crate::fleet::{Accounts, Rates, Regions, Role, Targets};
use crate::project::{FILE_NAME, Project};
use crate::select::{Pattern, Selection, TagFilter};

/// Accounts and regions.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Targets")]
pub struct TargetArgs {
    /// Connection to AWS.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Regions, or `all` for every enabled one [default: the profile's]
    #[arg(
        long,
        visible_alias = "region",
        value_name = "REGION",
        value_delimiter = ',',
        display_order = 802
    )]
    pub regions: Vec<String>,

    /// Account IDs [default: the caller's account]
    #[arg(
        long,
        value_name = "ACCOUNT",
        value_delimiter = ',',
        display_order = 803
    )]
    pub accounts: Vec<String>,

    /// File with one account ID per line
    #[arg(long, value_name = "FILE", display_order = 804)]
    pub accounts_file: Option<PathBuf>,

    /// Every active account of the organization
    #[arg(long, display_order = 805)]
    pub organization: bool,

    /// Only accounts below these organizational units or roots
    #[arg(long, value_name = "OU", value_delimiter = ',', display_order = 806)]
    pub include_ou: Vec<String>,

    /// No accounts below these organizational units
    #[arg(long, value_name = "OU", value_delimiter = ',', display_order = 807)]
    pub exclude_ou: Vec<String>,

    /// Role to assume in accounts other than the caller's
    #[arg(long, value_name = "NAME", display_order = 808)]
    pub role: Option<String>,

    /// External ID that the role's trust policy requires
    #[arg(long, value_name = "ID", display_order = 809)]
    pub external_id: Option<String>,

    /// Tag for the role's session
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair, display_order = 810)]
    pub session_tag: Vec<(String, String)>,

    /// Lambda calls per second in each account and region, out of the 15 that all callers share
    /// [default: 5]
    #[arg(long, value_name = "N", value_parser = rate, display_order = 811)]
    pub rate: Option<f64>,

    /// `GetFunction` calls per second, out of 100
    #[arg(long, value_name = "N", value_parser = rate, default_value_t = Rates::USUAL.get_function, display_order = 812)]
    pub read_rate: f64,

    /// Timeout of a call, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30", display_order = 813)]
    pub timeout: Duration,
}

/// Which functions.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Functions")]
pub struct SelectArgs {
    /// Names, ARNs, globs such as `orders-*`, or regular expressions such as `/^orders-/`
    #[arg(value_name = "FUNCTION")]
    pub functions: Vec<Pattern>,

    /// Every function
    #[arg(long, display_order = 700)]
    pub all: bool,

    /// Only functions with this tag
    #[arg(long, value_name = "KEY[=VALUE,…]", display_order = 701)]
    pub tag: Vec<TagFilter>,

    /// Only these runtimes, such as `nodejs*`
    #[arg(long, value_name = "GLOB", value_delimiter = ',', display_order = 702)]
    pub runtime: Vec<String>,

    /// Only this architecture
    #[arg(long, value_name = "ARCH", value_parser = ["x86_64", "arm64"], value_delimiter = ',', display_order = 703)]
    pub architecture: Vec<String>,

    /// Only this package type
    #[arg(long, value_name = "TYPE", value_parser = ["zip", "image"], ignore_case = true, value_delimiter = ',', display_order = 704)]
    pub package_type: Vec<String>,

    /// Exclude these: names, ARNs, globs or regular expressions
    #[arg(long, value_name = "FUNCTION", display_order = 705)]
    pub exclude: Vec<Pattern>,
}

impl TargetArgs {
    /// Where to work.
    pub fn targets(&self, project: &Project) -> anyhow::Result<Targets> {
        let table = &project.targets;
        let regions = non_empty(&self.regions, &table.regions);
        let role = self.role.clone().or_else(|| table.role.clone());
        let session_tags = if self.session_tag.is_empty() {
            table.session_tags.clone().into_iter().collect()
        } else {
            self.session_tag.clone()
        };
        Ok(Targets {
            accounts: self.which_accounts(project)?,
            role: role.map(|name| Role {
                name,
                external_id: (self.external_id.clone()).or_else(|| table.external_id.clone()),
                session_tags,
            }),
            regions: Regions::of(&regions),
            rates: Rates {
                get_function: self.read_rate,
                others: self.rate.or(table.rate).unwrap_or(Rates::USUAL.others),
            },
            timeout: self.timeout,
        })
    }

    fn which_accounts(&self, project: &Project) -> anyhow::Result<Accounts> {
        let table = &project.targets;
        let is_said =
            |by: &Self| !by.accounts.is_empty() || by.accounts_file.is_some() || by.organization;
        // Where the command line names any, the file's are not added to them.
        let (listed, file, organization) = if is_said(self) {
            (&self.accounts, &self.accounts_file, self.organization)
        } else {
            (&table.accounts, &table.accounts_file, table.organization)
        };
        let include = non_empty(&self.include_ou, &table.include_ous);
        let exclude = non_empty(&self.exclude_ou, &table.exclude_ous);
        if organization {
            return Ok(Accounts::Organization { include, exclude });
        }
        if !self.include_ou.is_empty() || !self.exclude_ou.is_empty() {
            let problem = "--include-ou and --exclude-ou need --organization";
            return Err(UsageError(problem.to_owned()).into());
        }
        let mut accounts = listed.clone();
        if let Some(path) = file {
            let text = files::text(path, files::SMALL)?;
            let lines = text.lines().map(|line| {
                let line = line.split('#').next().unwrap_or_default();
                line.trim().to_owned()
            });
            accounts.extend(lines.filter(|line| !line.is_empty()));
        }
        if let Some(wrong) = (accounts.iter()).find(|it| !backstop_config::is_account(it)) {
            let problem = format!("`{wrong}` is not an account ID: give 12 digits");
            return Err(UsageError(problem).into());
        }
        Ok(if accounts.is_empty() {
            Accounts::Own
        } else {
            Accounts::Listed(accounts)
        })
    }
}

impl SelectArgs {
    /// Which functions: those of the command line, or else those of the file.
    pub fn selection(&self, project: &Project) -> anyhow::Result<Selection> {
        let selection = self.given(project);
        if selection.is_empty() {
            let problem = format!(
                "no functions are selected: name them, give --tag, --runtime or --all, or add \
                 [select] to {FILE_NAME}"
            );
            return Err(UsageError(problem).into());
        }
        Ok(selection)
    }

    /// The same, and every function where nothing is said, though there be none: for what changes nothing.
    pub fn selection_or_all(&self, project: &Project) -> Selection {
        self.given(project)
    }

    fn given(&self, project: &Project) -> Selection {
        let mut selection = Selection {
            functions: self.functions.clone(),
            exclude: self.exclude.clone(),
            tags: self.tag.clone(),
            runtimes: self.runtime.clone(),
            architectures: self.architecture.clone(),
            package_types: self.package_type.clone(),
            all: self.all,
            only: None,
        };
        if selection.is_empty() {
            let exclude = std::mem::take(&mut selection.exclude);
            selection = project.select.selection();
            selection.exclude.extend(exclude);
        }
        selection
    }
}

fn non_empty(first: &[String], second: &[String]) -> Vec<String> {
    if first.is_empty() { second } else { first }.to_vec()
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    Rates::check(text.parse().unwrap_or(f64::NAN))
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("give a number of seconds, from 0.1 to 3600".to_owned()),
    }
}
