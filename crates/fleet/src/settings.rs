//! Resolves the extension's settings: the function's variables, by the register's rules.
//!
//! Invariant: a secret value comes from a file, stdin or Secrets Manager.

mod backend;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use aws_config::SdkConfig;
use backstop_config::{ErrorKind, Kind, REGISTER, Settings as Resolved, Variable};
use backstop_transform::Transforms;

use crate::change::PREFIX;
use crate::secrets::Source;
use crate::usage::UsageError;

pub use backend::Choice as BackendChoice;

const URL: &str = "BACKSTOP_PRIMARY_URL";
const FORMAT: &str = "BACKSTOP_PRIMARY_FORMAT";
const TOKEN: &str = "BACKSTOP_PRIMARY_TOKEN";
/// Each names a token that the function reads.
const TOKEN_VARIABLES: [&str; 3] = [
    "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN",
    "BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER",
    "BACKSTOP_PRIMARY_TOKEN_KMS",
];
const HEADERS: &str = "BACKSTOP_PRIMARY_HEADERS";

/// What was said of settings, and of where secrets are.
#[derive(Debug, Clone, Default)]
pub struct ExplicitSettings {
    /// `NAME=VALUE`.
    pub variables: BTreeMap<String, String>,
    /// A backend by its name.
    pub backend: BackendChoice,
    /// Where the primary's address is, when it holds a key.
    pub url_file: Option<PathBuf>,
    /// Where the primary's token is.
    pub token_file: Option<PathBuf>,
    /// Where the function reads the primary's token.
    pub token_reference: Option<String>,
    /// The primary's token in Secrets Manager.
    pub token_secret_arn: Option<String>,
    /// Where the primary's headers are.
    pub header_file: Option<PathBuf>,
}

/// Variables of the extension, all of them valid.
#[derive(Clone, Default)]
pub struct Settings {
    pub variables: BTreeMap<String, String>,
    /// Where those came from that are secret.
    pub sources: BTreeMap<String, Source>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("variables", &self.variables.keys())
            .field("sources", &self.sources)
            .finish()
    }
}

/// Whether a value must not be shown: secret by the register, or unknown to it, or an address with a
/// password or a query.
pub fn is_secret(name: &str, value: &str) -> bool {
    match known(name) {
        Some(variable) if variable.secret => true,
        Some(variable) => variable.kind == Kind::Url && value.contains(['@', '?']),
        None => true,
    }
}

/// What is wrong with names of which some are not the extension's own: a function's other variables belong to
/// its owner, and may decide what code runs.
pub fn foreign<'a>(names: impl IntoIterator<Item = &'a String>) -> Option<String> {
    // They are from files, and may hold anything.
    let names: BTreeSet<String> = (names.into_iter())
        .filter(|name| !name.starts_with(PREFIX))
        .map(|name| name.escape_debug().to_string())
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    (!names.is_empty()).then(|| {
        format!(
            "{}: Backstop sets only variables of the extension ({PREFIX}…); set others in the \
             function itself",
            names.join(", ")
        )
    })
}

fn known(name: &str) -> Option<&'static Variable> {
    REGISTER.iter().find(|variable| variable.name == name)
}

impl Settings {
    /// Reads the secrets and judges everything, with all mistakes at once.
    pub async fn resolve(explicit: &ExplicitSettings, config: &SdkConfig) -> anyhow::Result<Self> {
        let mut settings = Self {
            sources: sources(explicit)?,
            variables: explicit.variables.clone(),
        };
        let mut wrong: Vec<String> = foreign(explicit.variables.keys()).into_iter().collect();
        for (name, value) in &explicit.variables {
            if known(name).is_some() && is_secret(name, value) {
                let option = match name.as_str() {
                    TOKEN => "--token-file",
                    HEADERS => "--header-file",
                    _ => "--url-file, because it has a password or a query",
                };
                wrong.push(format!("{name} is secret: give it with {option}"));
            }
        }
        if let Err(problems) = explicit.backend.apply(&mut settings) {
            wrong.extend(problems);
        }
        if !wrong.is_empty() {
            return Err(UsageError(wrong.join("\n")).into());
        }
        settings.name_reference()?;
        for (name, source) in &settings.sources {
            let value = source.read(config).await?;
            settings.variables.insert(name.clone(), value);
        }
        if !settings.variables.is_empty() {
            check(&settings.variables)?;
        }
        Ok(settings)
    }
}

impl Settings {
    /// A token that is a reference and nothing else has a variable of its own, which a plan shows.
    fn name_reference(&mut self) -> Result<(), UsageError> {
        const SCHEMES: [&str; 3] = ["secret:", "ssm:", "kms:"];
        let Some(Source::Reference(reference)) = self.sources.get(TOKEN) else {
            return Ok(());
        };
        let mut stores = SCHEMES.iter().zip(TOKEN_VARIABLES);
        let found = stores.find_map(|(scheme, name)| Some((name, reference.strip_prefix(scheme)?)));
        let Some((name, value)) = found else {
            // What is not a reference may be the token.
            return Err(UsageError(
                "--token-reference names no store of secrets: write secret:ARN, secret:ARN#KEY, \
                 ssm:NAME or kms:CIPHERTEXT"
                    .to_owned(),
            ));
        };
        let value = value.trim().to_owned();
        self.variables.insert(name.to_owned(), value);
        self.sources.remove(TOKEN);
        Ok(())
    }
}

fn sources(explicit: &ExplicitSettings) -> Result<BTreeMap<String, Source>, UsageError> {
    let mut sources = BTreeMap::new();
    if let Some(path) = &explicit.url_file {
        sources.insert(URL.to_owned(), Source::file(path));
    }
    let arn = explicit.token_secret_arn.clone();
    let mut tokens = [
        explicit.token_file.as_deref().map(Source::file),
        arn.map(Source::SecretsManager),
        explicit.token_reference.clone().map(Source::Reference),
    ]
    .into_iter()
    .flatten();
    sources.extend(tokens.next().map(|source| (TOKEN.to_owned(), source)));
    if tokens.next().is_some() {
        let problem = "give one of --token-file, --token-secret-arn and --token-reference";
        return Err(UsageError(problem.to_owned()));
    }
    if let Some(path) = &explicit.header_file {
        sources.insert(HEADERS.to_owned(), Source::HeaderFile(path.clone()));
    }
    let from_stdin = sources.values().filter(|source| source.is_stdin());
    if from_stdin.count() > 1 {
        return Err(UsageError(
            "only one secret can come from stdin: put the others in files".to_owned(),
        ));
    }
    Ok(sources)
}

/// By the extension's own rules.
fn check(variables: &BTreeMap<String, String>) -> Result<(), UsageError> {
    let (settings, mut errors) = Resolved::resolve(variables);
    // Only the engine of patterns can judge those.
    Transforms::new(&settings.transforms, &mut errors);
    let has_sink = [
        "BACKSTOP_PRIMARY_URL",
        "BACKSTOP_FIREHOSE_STREAM",
        "BACKSTOP_S3_BUCKET",
    ]
    .iter()
    .any(|name| variables.contains_key(*name));
    let wrong: BTreeSet<String> = (errors.iter())
        // The sink may be set on the function already.
        .filter(|error| has_sink || error.kind() != ErrorKind::NoSink)
        // Here the mistake has no effect: nothing is set.
        .map(|error| format!("{} {}", error.variable(), error.problem()))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let wrong: Vec<String> = wrong.into_iter().collect();
    Err(UsageError(wrong.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explicit(variables: &[(&str, &str)]) -> ExplicitSettings {
        ExplicitSettings {
            variables: (variables.iter())
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..ExplicitSettings::default()
        }
    }

    async fn error(explicit: &ExplicitSettings) -> String {
        let config = SdkConfig::builder().build();
        match Settings::resolve(explicit, &config).await {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn all_mistakes_are_told_at_once() {
        let message = error(&explicit(&[
            ("BACKSTOP_PRIMARY_URL", "ftp://host"),
            ("BACKSTOP_MAX_ADDED_MS", "soon"),
            ("BACKSTOP_PRIMRY_FORMAT", "json"),
        ]))
        .await;
        for part in [
            "BACKSTOP_PRIMARY_URL is",
            "BACKSTOP_MAX_ADDED_MS is",
            "BACKSTOP_PRIMRY_FORMAT",
        ] {
            assert!(message.contains(part), "{message}");
        }
        // Without a sink: that is the function's own.
        assert_eq!(
            error(&explicit(&[("BACKSTOP_MAX_ADDED_MS", "300")])).await,
            ""
        );
    }

    #[tokio::test]
    async fn variables_of_the_function_are_not_set() {
        let message = error(&explicit(&[
            ("AWS_LAMBDA_EXEC_WRAPPER", "/opt/hunter2"),
            ("NODE_OPTIONS", "--require /opt/hunter2"),
            ("BACKSTOP", "hunter2"),
            ("backstop_tags", "hunter2"),
            ("A\u{1b}[2K", "hunter2"),
            ("BACKSTOP_PRIMARY_URL", "https://host/"),
        ]))
        .await;
        assert!(
            message.starts_with(
                "AWS_LAMBDA_EXEC_WRAPPER, A\\u{1b}[2K, BACKSTOP, NODE_OPTIONS, backstop_tags: \
                 Backstop sets only variables of the extension"
            ),
            "{message}"
        );
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[tokio::test]
    async fn a_secret_is_not_taken_from_the_command_line() {
        for (name, value) in [
            (TOKEN, "hunter2"),
            (HEADERS, "x-key=hunter2"),
            (URL, "https://host/?key=hunter2"),
            (URL, "https://user:hunter2@host/"),
        ] {
            let message = error(&explicit(&[(name, value)])).await;
            assert!(message.contains("is secret: give it with --"), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[tokio::test]
    async fn secrets_are_read_from_where_they_are() {
        let directory = tempfile::tempdir().expect("a directory");
        let token = directory.path().join("token");
        std::fs::write(&token, "hunter2\n").expect("it is written");
        let mut it = explicit(&[("BACKSTOP_PRIMARY_URL", "https://host/")]);
        it.token_file = Some(token.clone());
        let config = SdkConfig::builder().build();
        let settings = Settings::resolve(&it, &config).await.expect("valid");
        assert_eq!(settings.variables[TOKEN], "hunter2");
        assert!(!format!("{settings:?}").contains("hunter2"));
        std::fs::write(&token, " \n").expect("it is written");
        assert!(error(&it).await.contains("is empty"));
        it.token_secret_arn = Some("arn".to_owned());
        assert!(error(&it).await.contains("give one of --token-file"));
    }
}
