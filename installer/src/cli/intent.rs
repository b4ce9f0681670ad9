//! The options of the layer and the settings that functions are to have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;

use super::UsageError;
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
