//! Resolves a backend's name into address, format and headers.
//!
//! Invariants: the address and the format are ordinary variables, so that a plan shows them; a token is read from
//! where it is and nowhere else, whichever header it is sent in.
//!
//! Must not: know a backend; the table is `backstop_config::BACKENDS`.

use std::collections::BTreeMap;

use backstop_config::Backend;
use backstop_config::backends::Resolved;

use super::{FORMAT, HEADERS, Settings, TOKEN, TOKEN_VARIABLES, URL};
use crate::secrets::{Piece, Source};

/// What was said of a backend.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Its name, where one was given.
    pub name: Option<String>,
    pub options: BTreeMap<String, String>,
}

impl Choice {
    /// Sets what the backend stands for, or says everything that is wrong.
    pub(super) fn apply(&self, settings: &mut Settings) -> Result<(), Vec<String>> {
        let Some(name) = &self.name else {
            if self.options.is_empty() {
                return Ok(());
            }
            let problem = "backend options are given without a backend: name it with --backend, or \
                as `backend` in [primary]";
            return Err(vec![problem.to_owned()]);
        };
        let mut wrong: Vec<String> = [URL, FORMAT]
            .into_iter()
            .filter(|it| settings.variables.contains_key(*it) || settings.sources.contains_key(*it))
            .map(|it| format!("{it} is set, but the backend sets it too: remove one of the two"))
            .collect();
        let backend = Backend::named(name).map_err(|problem| vec![problem]);
        let resolved = match backend.and_then(|backend| backend.resolve(&self.options)) {
            Ok(resolved) => resolved,
            Err(problems) => {
                wrong.extend(problems);
                return Err(wrong);
            }
        };
        let sources = &settings.sources;
        let is_named = |name: &str| settings.variables.contains_key(name);
        let has_token = sources.contains_key(TOKEN)
            || sources.contains_key(HEADERS)
            || (resolved.token_header.is_none() && TOKEN_VARIABLES.iter().any(|it| is_named(it)));
        if resolved.needs_token && !has_token {
            wrong.push(format!(
                "the backend {name} needs a token: give it with --token-reference, --token-file or \
                 --token-secret-arn"
            ));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let format = resolved.format.as_str().to_owned();
        settings.variables.insert(FORMAT.to_owned(), format);
        settings
            .variables
            .insert(URL.to_owned(), resolved.url.clone());
        place(&mut settings.sources, resolved);
        Ok(())
    }
}

/// Puts the token and the headers where the backend wants them.
fn place(sources: &mut BTreeMap<String, Source>, resolved: Resolved) {
    let mut headers: Vec<Vec<Piece>> = (resolved.headers.iter())
        .map(|(name, value)| vec![Piece::Text(format!("{name}={value}"))])
        .collect();
    if let Some(token) = sources.remove(TOKEN) {
        match resolved.token_header {
            Some(name) => {
                let name = Piece::Text(format!("{name}="));
                headers.push(vec![name, Piece::Secret(token)]);
            }
            None if resolved.token_prefix.is_empty() => {
                sources.insert(TOKEN.to_owned(), token);
            }
            None => {
                let pieces = vec![Piece::Text(resolved.token_prefix), Piece::Secret(token)];
                sources.insert(TOKEN.to_owned(), Source::Joined(pieces));
            }
        }
    }
    if headers.is_empty() {
        return;
    }
    headers.extend(
        sources
            .remove(HEADERS)
            .map(|file| vec![Piece::Secret(file)]),
    );
    let comma = [Piece::Text(",".to_owned())];
    let pieces = headers.join(&comma[..]);
    sources.insert(HEADERS.to_owned(), Source::Joined(pieces));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aws_config::SdkConfig;

    use super::*;
    use crate::settings::ExplicitSettings;

    fn explicit(backend: &str, options: &[(&str, &str)], directory: &Path) -> ExplicitSettings {
        let token = directory.join("token");
        std::fs::write(&token, "hunter2\n").expect("it is written");
        let options =
            (options.iter()).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ExplicitSettings {
            backend: Choice {
                name: Some(backend.to_owned()),
                options: options.collect(),
            },
            token_file: Some(token),
            ..ExplicitSettings::default()
        }
    }

    async fn resolve(explicit: &ExplicitSettings) -> Result<Vec<(String, String)>, String> {
        let config = SdkConfig::builder().build();
        let settings = Settings::resolve(explicit, &config).await;
        let settings = settings.map_err(|error| error.to_string())?;
        Ok(settings.variables.into_iter().collect())
    }

    #[tokio::test]
    async fn a_token_goes_where_the_backend_wants_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let headers = directory.path().join("headers");
        std::fs::write(&headers, "x-team: a\n").expect("it is written");
        for (name, options, has_file, expected) in [
            (
                "datadog",
                &[("site", "datadoghq.eu")][..],
                false,
                &[
                    ("FORMAT", "datadog"),
                    ("TOKEN", "hunter2"),
                    ("URL", "https://http-intake.logs.datadoghq.eu"),
                ][..],
            ),
            (
                "honeycomb",
                &[("region", "eu"), ("dataset", "d")],
                true,
                &[
                    ("FORMAT", "otlp"),
                    (
                        "HEADERS",
                        "x-honeycomb-dataset=d,x-honeycomb-team=hunter2,x-team=a",
                    ),
                    ("URL", "https://api.eu1.honeycomb.io"),
                ],
            ),
            (
                "axiom",
                &[("dataset", "d")],
                false,
                &[
                    ("FORMAT", "otlp"),
                    ("HEADERS", "x-axiom-dataset=d"),
                    ("TOKEN", "hunter2"),
                    ("URL", "https://api.axiom.co"),
                ],
            ),
            (
                "grafana-cloud",
                &[("zone", "prod-eu-west-0"), ("instance", "123")],
                true,
                &[
                    ("FORMAT", "otlp"),
                    ("HEADERS", "x-team=a"),
                    ("TOKEN", "123:hunter2"),
                    (
                        "URL",
                        "https://otlp-gateway-prod-eu-west-0.grafana.net/otlp",
                    ),
                ],
            ),
        ] {
            let mut explicit = explicit(name, options, directory.path());
            explicit.header_file = has_file.then(|| headers.clone());
            let expected = (expected.iter())
                .map(|(name, value)| (format!("BACKSTOP_PRIMARY_{name}"), (*value).to_owned()));
            assert_eq!(resolve(&explicit).await, Ok(expected.collect()), "{name}");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_backend_is_said_at_once_and_shows_no_value() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut it = explicit("axiom", &[("datset", "hunter2")], directory.path());
        it.variables.insert(FORMAT.to_owned(), "json".to_owned());
        it.variables
            .insert("BACKSTOP_MAX_ADDED_MS".to_owned(), "1".to_owned());
        let message = resolve(&it).await.expect_err("it is wrong");
        for part in [
            "BACKSTOP_PRIMARY_FORMAT is set, but the backend sets it too: remove one of the two",
            "no option \"datset\": did you mean dataset?",
            "needs the option dataset",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert!(!message.contains("hunter2"), "{message}");

        let message = resolve(&explicit("honeycmb", &[], directory.path())).await;
        let expected = "there is no backend \"honeycmb\": did you mean honeycomb?";
        assert_eq!(message, Err(expected.to_owned()));

        let mut it = explicit("honeycomb", &[], directory.path());
        it.token_file = None;
        let message = resolve(&it).await.expect_err("no token");
        assert!(
            message.contains("needs a token: give it with --token-reference"),
            "{message}"
        );

        let mut it = explicit("honeycomb", &[("region", "eu")], directory.path());
        it.backend.name = None;
        let message = resolve(&it).await.expect_err("no backend");
        assert!(
            message.contains("backend options are given without a backend"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn a_token_that_would_be_another_header_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let it = explicit("honeycomb", &[], directory.path());
        std::fs::write(directory.path().join("token"), "hunter2,host=x").expect("it is written");
        let message = resolve(&it).await.expect_err("a comma");
        assert!(message.contains("has a comma"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}
