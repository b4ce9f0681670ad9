//! The wanted state and the switch, from S3 or Parameter Store.
//!
//! Invariants: a wanted state that cannot be read, or that selects nothing, is an error and changes
//! nothing; a switch that cannot be read counts as set. No error quotes the text.

use anyhow::{Context as _, bail};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use backstop_config::{Reference, Store};
use backstop_fleet::aws::{Access, Failure};
use backstop_fleet::project::Project;
use backstop_fleet::select::Selection;
use backstop_fleet::settings::ExplicitSettings;
use backstop_sinks::secret::Secrets;

use crate::settings::{Place, Settings, http};

/// The largest wanted state.
const MOST_BYTES: i64 = 1024 * 1024;

/// What functions should have, and which ones.
#[derive(Debug)]
pub struct Wanted {
    pub project: Project,
    pub layers: Vec<String>,
    /// Variables, and where secrets are.
    pub settings: ExplicitSettings,
}

impl Wanted {
    /// The functions of the file: an error where it selects none, because every function would be meant.
    pub fn selected(&self) -> anyhow::Result<Selection> {
        let selection = self.project.select.selection();
        if selection.is_empty() {
            bail!("the wanted state selects no functions: add [select]");
        }
        Ok(selection)
    }
}

/// Reads and checks the wanted state.
pub async fn read(settings: &Settings, access: &Access) -> anyhow::Result<Wanted> {
    let text = text(&settings.config, settings, access).await?;
    let text = text.with_context(|| format!("{} does not exist", settings.config))?;
    of(&text).with_context(|| format!("{} cannot be used", settings.config))
}

/// What a text says.
pub fn of(text: &str) -> anyhow::Result<Wanted> {
    let project = Project::parse(text)?;
    if project.layer.manifest.is_some() {
        bail!("`manifest` in [layer] is a file: give the versions in `arns`");
    }
    if project.layer.arns.is_empty() {
        bail!("no layer is given: add `arns` to [layer]");
    }
    let secrets = &project.secrets;
    if secrets.token_file.is_some() || secrets.header_file.is_some() || secrets.url_file.is_some() {
        bail!(
            "[secrets] names a file, which the controller does not have: use `token_reference`, \
             or `token_secret_arn`"
        );
    }
    let variables = project.settings.iter();
    Ok(Wanted {
        layers: project.layer.arns.clone(),
        settings: ExplicitSettings {
            variables: variables
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
            backend: project.backend(),
            token_reference: secrets.token_reference.clone(),
            token_secret_arn: secrets.token_secret_arn.clone(),
            ..ExplicitSettings::default()
        },
        project,
    })
}

/// Whether the parameter or object stops all writes.
pub async fn is_stopped(settings: &Settings, access: &Access) -> anyhow::Result<bool> {
    let Some(switch) = &settings.switch else {
        return Ok(false);
    };
    let text = text(switch, settings, access).await?;
    Ok(match switch {
        // A parameter always has a value.
        Place::Parameter(_) => text.is_none_or(|text| text.trim() != "run"),
        Place::Object { .. } => text.is_some(),
    })
}

/// None where there is none.
async fn text(
    place: &Place,
    settings: &Settings,
    access: &Access,
) -> anyhow::Result<Option<String>> {
    let (bucket, key) = match place {
        Place::Parameter(name) => return parameter(name, settings).await.map(Some),
        Place::Object { bucket, key } => (bucket, key),
    };
    let client = access.s3().await?;
    let object = client.get_object().bucket(bucket).key(key).send().await;
    let object = match object {
        Ok(object) => object,
        Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
        Err(error) => return Err(Failure::of(&format!("reading {place}"), &error).into()),
    };
    if object.content_length().is_some_and(|it| it > MOST_BYTES) {
        bail!("{place} is larger than 1 MiB");
    }
    let bytes = object.body.collect().await;
    let bytes = bytes.with_context(|| format!("reading {place} was cut off"))?;
    let text = String::from_utf8(bytes.to_vec());
    Ok(Some(text.map_err(|_| {
        anyhow::anyhow!("{place} is not UTF-8 text")
    })?))
}

async fn parameter(name: &str, settings: &Settings) -> anyhow::Result<String> {
    let (http, aws) = http();
    let secrets = Secrets::of_function(http, aws, &settings.own_name);
    let reference = Reference {
        store: Store::ParameterStore,
        region: settings.region.clone(),
        id: name.to_owned(),
        key: None,
    };
    let text = secrets.parameter(&reference).await;
    text.map(|text| text.expose().to_owned())
        .map_err(|why| anyhow::anyhow!("the parameter {name} cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: &str = r#"
        [select]
        tags = { team = "payments" }
        [layer]
        arns = ["arn:aws:lambda:eu-west-1:111122223333:layer:backstop-extension-arm64-0-1-0:1"]
        [settings]
        BACKSTOP_PRIMARY_URL = "https://intake.example.com/"
    "#;

    #[test]
    fn a_text_is_the_wanted_state() {
        let wanted = of(WANTED).expect("it is one");
        assert_eq!(wanted.layers.len(), 1);
        assert_eq!(wanted.selected().expect("it selects").tags.len(), 1);
        assert_eq!(wanted.settings.variables.len(), 1);
    }

    #[test]
    fn what_selects_nothing_or_needs_a_file_is_an_error() {
        for (text, expected) in [
            ("", "no layer is given"),
            ("[layer]\nmanifest = \"layers.json\"\n", "is a file"),
            (
                "[layer]\narns = [\"a\"]\n[secrets]\ntoken_file = \"token\"\n",
                "names a file",
            ),
            ("[select\nhunter2", "not valid"),
        ] {
            let error = format!("{:#}", of(text).expect_err(text));
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let all = of("[layer]\narns = [\"a\"]\n").expect("a resource may name functions");
        assert!(all.selected().is_err());
    }
}
