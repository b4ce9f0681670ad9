//! `backstop.toml`: options and settings in a file.
//!
//! Options on the command line override the file. Must not: hold a secret; it names the files they
//! are in.

pub mod keys;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::files;
use crate::fleet::{Accounts, Rates, Regions, Role, Targets};
use crate::parsing;
use crate::select::{Pattern, Selection, TagFilter};
use crate::settings::BackendChoice;

/// Taken where no other file is named and it is there.
pub const FILE_NAME: &str = "backstop.toml";

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// All that can be said in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Project {
    /// Where runs are kept: a directory, or `s3://BUCKET/PREFIX`.
    pub state: Option<String>,
    /// The key that runs in S3 are encrypted with.
    pub state_kms_key_id: Option<String>,
    /// Where the file is: paths in it are relative to that.
    #[serde(skip)]
    pub directory: PathBuf,
    /// `[targets]`
    pub targets: TargetsTable,
    /// `[select]`
    pub select: SelectTable,
    /// `[layer]`
    pub layer: LayerTable,
    /// `[primary]`: `backend`, a backend by its name, and its options.
    pub primary: BTreeMap<String, Setting>,
    /// `[settings]`: variables of the extension, by their names.
    pub settings: BTreeMap<String, Setting>,
    /// `[secrets]`: where the values of secret variables are read from.
    pub secrets: SecretsTable,
}

/// Accounts and regions.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetsTable {
    /// The profile of the shared AWS configuration.
    pub profile: Option<String>,
    /// Accounts, by number.
    pub accounts: Vec<String>,
    /// A file with one account's number on each line.
    pub accounts_file: Option<PathBuf>,
    /// Every account of the organisation.
    pub organization: bool,
    /// Only what is below these units.
    pub include_ous: Vec<String>,
    /// Nothing below these units.
    pub exclude_ous: Vec<String>,
    /// The role in each account.
    pub role: Option<String>,
    /// What its trust policy asks for.
    pub external_id: Option<String>,
    /// Tags of its session.
    pub session_tags: BTreeMap<String, String>,
    /// Regions, or `["all"]`.
    pub regions: Vec<String>,
    /// Calls a second.
    pub rate: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectTable {
    /// Names, ARNs, globs, or regular expressions between slashes.
    pub functions: Vec<Pattern>,
    /// The same, of what is left out.
    pub exclude: Vec<Pattern>,
    /// Tags that have to be there: a value, or a list of them; any value where it is empty.
    pub tags: BTreeMap<String, OneOrMany>,
    /// Globs of runtimes.
    pub runtimes: Vec<String>,
    /// `x86_64`, `arm64`.
    pub architectures: Vec<String>,
    /// `Zip`, `Image`.
    pub package_types: Vec<String>,
    pub all: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerTable {
    /// The manifest that `backstop layer publish` wrote.
    pub manifest: Option<PathBuf>,
    /// ARNs of layer versions.
    pub arns: Vec<String>,
}

/// Where secrets are.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretsTable {
    /// A file with the primary's token.
    pub token_file: Option<PathBuf>,
    /// Where the function reads the primary's token.
    pub token_reference: Option<String>,
    /// A secret of Secrets Manager with the primary's token.
    pub token_secret_arn: Option<String>,
    /// A file with the primary's headers, one `NAME: VALUE` a line.
    pub header_file: Option<PathBuf>,
    /// A file with the primary's address, where that holds a key.
    pub url_file: Option<PathBuf>,
}

/// One value, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A variable's value as TOML has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    Text(String),
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

impl std::fmt::Display for Setting {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Number(number) => number.fmt(formatter),
            Self::Flag(flag) => flag.fmt(formatter),
        }
    }
}

impl Project {
    /// From a text, whose paths stay as they are. An error quotes no value of it.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let unknown = keys::unknown(text);
        if !unknown.is_empty() {
            let unknown = unknown.join("\n  ");
            bail!("it is not valid:\n  {unknown}\nThe keys are in docs/installer.md");
        }
        Self::parsed(text).context("it is not valid")
    }

    fn parsed(text: &str) -> anyhow::Result<Self> {
        let parsed: Result<Self, _> = toml::from_str(text);
        let parsed = parsed.map_err(|error| parsing::toml(text, error.message(), error.span()))?;
        if let Some(rate) = parsed.targets.rate
            && let Err(advice) = Rates::check(rate)
        {
            bail!("`rate` in [targets] is {rate}: {advice}");
        }
        Ok(parsed)
    }

    /// Where to work. Accounts in a file are the caller's affair.
    pub fn targets(&self) -> anyhow::Result<Targets> {
        let table = &self.targets;
        if table.accounts_file.is_some() {
            bail!("`accounts_file` in [targets] is a file: give `accounts`");
        }
        if let Some(wrong) = (table.accounts.iter()).find(|it| !backstop_config::is_account(it)) {
            bail!("`{wrong}` in [targets] is not an account ID: give 12 digits");
        }
        let accounts = if table.organization {
            Accounts::Organization {
                include: table.include_ous.clone(),
                exclude: table.exclude_ous.clone(),
            }
        } else if table.accounts.is_empty() {
            Accounts::Own
        } else {
            Accounts::Listed(table.accounts.clone())
        };
        Ok(Targets {
            accounts,
            role: table.role.clone().map(|name| Role {
                name,
                external_id: table.external_id.clone(),
                session_tags: table.session_tags.clone().into_iter().collect(),
            }),
            regions: Regions::of(&table.regions),
            rates: Rates {
                others: table.rate.unwrap_or(Rates::USUAL.others),
                ..Rates::USUAL
            },
            timeout: TIMEOUT,
        })
    }

    /// From the file that is named, or from [`FILE_NAME`] where that is there.
    ///
    /// Paths in it are relative to its directory.
    pub fn read(named: Option<&Path>) -> anyhow::Result<Self> {
        let path = named.unwrap_or(Path::new(FILE_NAME));
        if named.is_none() && matches!(path.try_exists(), Ok(false)) {
            return Ok(Self::default());
        }
        let text = files::text(path, files::SMALL)?;
        let unknown = keys::unknown(&text);
        if !unknown.is_empty() {
            let unknown = unknown.join("\n  ");
            bail!(
                "{} is not valid:\n  {unknown}\nThe keys are in docs/installer.md",
                path.display()
            );
        }
        let mut project =
            Self::parsed(&text).with_context(|| format!("{} is not valid", path.display()))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        for file in [
            &mut project.targets.accounts_file,
            &mut project.layer.manifest,
            &mut project.secrets.token_file,
            &mut project.secrets.header_file,
            &mut project.secrets.url_file,
        ] {
            *file = file.take().map(|file| directory.join(file));
        }
        directory.clone_into(&mut project.directory);
        Ok(project)
    }
}

impl Project {
    /// `[primary]`: the backend, and its options.
    pub fn backend(&self) -> BackendChoice {
        let mut options: BTreeMap<String, String> = (self.primary.iter())
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        BackendChoice {
            name: options.remove(keys::BACKEND),
            options,
        }
    }
}

impl SelectTable {
    /// As a selection.
    pub fn selection(&self) -> Selection {
        let tags = self.tags.iter().map(|(key, values)| TagFilter {
            key: key.clone(),
            values: match values {
                OneOrMany::One(value) if value.is_empty() => Vec::new(),
                OneOrMany::One(value) => vec![value.clone()],
                OneOrMany::Many(values) => values.clone(),
            },
        });
        Selection {
            functions: self.functions.clone(),
            exclude: self.exclude.clone(),
            tags: tags.collect(),
            runtimes: self.runtimes.clone(),
            architectures: self.architectures.clone(),
            package_types: self.package_types.clone(),
            all: self.all,
            only: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_cannot_be_kept_is_refused() {
        for (rate, is_one) in [
            ("0.5", true),
            ("200", true),
            ("0", false),
            ("-1", false),
            ("nan", false),
            ("inf", false),
        ] {
            let read = Project::parse(&format!("[targets]\nrate = {rate}\n"));
            let error = read
                .err()
                .map(|error| format!("{error:#}"))
                .unwrap_or_default();
            assert_eq!(error.is_empty(), is_one, "{rate}: {error}");
            let advice = "in [targets] is ";
            assert!(
                is_one || error.contains(advice) && error.contains("from 0.5"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_file_says_what_options_would() {
        let text = r#"
            state = "s3://example-state/backstop"
            state_kms_key_id = "alias/state"
            [targets]
            accounts = ["111122223333"]
            role = "BackstopInstaller"
            regions = ["eu-west-1", "us-east-1"]
            [select]
            functions = ["orders-*", "/^pay/"]
            exclude = ["*-test"]
            tags = { team = "payments", stage = ["prod", "beta"], owned = "" }
            [layer]
            manifest = "layers.json"
            [primary]
            backend = "grafana-cloud"
            instance = 123456
            [settings]
            BACKSTOP_PRIMARY_URL = "https://intake.example.com/"
            BACKSTOP_MAX_ADDED_MS = 300
            BACKSTOP_ALLOW_PLAINTEXT = false
            [secrets]
            token_file = "token"
        "#;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("fleet.toml");
        std::fs::write(&path, text).expect("it is written");
        let project = Project::read(Some(&path)).expect("it is valid");
        assert_eq!(
            project.state.as_deref(),
            Some("s3://example-state/backstop")
        );
        assert_eq!(
            project.layer.manifest,
            Some(directory.path().join("layers.json"))
        );
        assert_eq!(project.settings["BACKSTOP_MAX_ADDED_MS"].to_string(), "300");
        assert_eq!(
            project.settings["BACKSTOP_ALLOW_PLAINTEXT"].to_string(),
            "false"
        );
        let backend = project.backend();
        assert_eq!(backend.name.as_deref(), Some("grafana-cloud"));
        assert_eq!(backend.options["instance"], "123456");
        let selection = project.select.selection();
        let tags: Vec<(&str, usize)> = (selection.tags.iter())
            .map(|tag| (tag.key.as_str(), tag.values.len()))
            .collect();
        assert_eq!(tags, [("owned", 0), ("stage", 2), ("team", 1)]);
        assert!(!selection.is_empty());
    }

    #[test]
    fn what_is_not_known_is_an_error_with_its_place() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("fleet.toml");
        std::fs::write(&path, "[targets]\nregion = \"eu-west-1\"\n").expect("it is written");
        let error = format!("{:#}", Project::read(Some(&path)).expect_err("not known"));
        let expected = "line 2: unknown key `region` in [targets]: did you mean `regions`?";
        assert!(error.contains(expected), "{error}");
        assert!(Project::read(Some(&directory.path().join("absent"))).is_err());
    }

    #[test]
    fn an_error_in_toml_names_the_place_and_quotes_no_line() {
        let cases = [
            (
                "[secrets]\ntoken = \"hunter2\"\n",
                "line 2: unknown key `token` in [secrets]: did you mean `token_file`?",
            ),
            // A value without its quotes, where a name is expected.
            (
                "[secrets]\nhunter2 = 1\n",
                "line 2: unknown key in [secrets]",
            ),
            ("[hunter2]\n", "line 1: unknown key"),
            (
                "[select]\nall = \"hunter2\"\n",
                "invalid type at line 2, column 7",
            ),
            (
                "[settings]\nA = 1\nA = 'hunter2'\n",
                "duplicate key at line 3, column 1",
            ),
            (
                "[settings]\nTOKEN = hunter2\n",
                "it does not have the expected form at line 2, column 9",
            ),
            (
                "[settings]\nTOKEN = \"hunter2\nA = 1",
                "it does not have the expected form at line 2",
            ),
        ];
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("fleet.toml");
        for (text, expected) in cases {
            std::fs::write(&path, text).expect("it is written");
            let error = format!("{:#}", Project::read(Some(&path)).expect_err(text));
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
