//! The primary to replay to: what was named and set, resolved by the rules of the extension.
//!
//! Invariants: an address or a header that the extension would refuse is refused here, with the
//! same words; no secret is in an error. Must not: connect, but to read a token that is kept elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use aws_types::SdkConfig;
use backstop_common::usage::UsageError;
use backstop_config::{
    ConfigError, ErrorKind, Primary, ProcessEnvironment, Secret, Settings, Strings,
};
use backstop_delivery::SystemClock;
use backstop_sinks::secret::Secrets;
use backstop_sinks::{ReplaySink, SharedHttp};
use sha2::{Digest as _, Sha256};

use super::checkpoint::hex;

/// One request may take longer than the extension's: nobody waits for it.
const TIMEOUT_MS: &str = "30000";
/// What of the environment holds here as it does in the extension.
const HONOURED: [&str; 21] = [
    "AWS_CA_BUNDLE",
    "BACKSTOP_ALLOW_PLAINTEXT",
    "BACKSTOP_OTLP_URL",
    "BACKSTOP_PRIMARY_COMPRESSION",
    "BACKSTOP_PRIMARY_OPTIONS",
    "BACKSTOP_PRIMARY_TIMEOUT_MS",
    "BACKSTOP_PRIMARY_TOKEN",
    "BACKSTOP_PRIMARY_TOKEN_KMS",
    "BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID",
    "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN",
    "BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER",
    "BACKSTOP_SIGNALS",
    "SSL_CERT_FILE",
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

/// Each names a token; one that is typed takes the place of them all.
const TOKENS: [&str; 3] = [
    "BACKSTOP_PRIMARY_TOKEN_KMS",
    "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN",
    "BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER",
];

/// Where records are sent.
#[derive(Debug, Clone)]
pub struct Target {
    pub(super) sink: Arc<ReplaySink>,
    primary: Primary,
    http: SharedHttp,
    pub(super) timeout: Duration,
    shown_url: String,
    digest: String,
    warning: Arc<OnceLock<String>>,
}

/// What was typed of it.
#[derive(Debug, Clone, Default)]
pub struct TargetOptions<'a> {
    pub url: &'a str,
    /// It was typed: then it is known on this machine, but for its query, and can be shown.
    pub is_typed: bool,
    /// As `BACKSTOP_PRIMARY_FORMAT` has it.
    pub format: &'a str,
    /// As `BACKSTOP_PRIMARY_OPTIONS` has it.
    pub format_options: Option<&'a str>,
    /// The token, over the environment's.
    pub token: Option<Secret>,
    /// Headers with their values as they are.
    pub named_headers: Vec<(String, Secret)>,
    /// Headers as `BACKSTOP_PRIMARY_HEADERS` has them, where none are named.
    pub headers: Option<String>,
    /// What the caller calls the variables that it set from something else, for what is said of mistakes.
    pub names: &'a [(&'static str, &'static str)],
}

impl Target {
    /// The target as typed; `environment` gives the token and whatever else was not typed.
    pub fn resolve(
        options: &TargetOptions<'_>,
        environment: &impl Strings,
    ) -> anyhow::Result<Self> {
        let mut strings: BTreeMap<String, String> = HONOURED
            .iter()
            .filter(|name| options.token.is_none() || !TOKENS.contains(*name))
            .filter_map(|name| Some(((*name).to_owned(), environment.get(name)?)))
            .collect();
        let mut set = |name: &str, value: &str| strings.insert(name.to_owned(), value.to_owned());
        set("BACKSTOP_PRIMARY_URL", options.url);
        set("BACKSTOP_PRIMARY_FORMAT", options.format);
        if let Some(text) = options.format_options {
            set("BACKSTOP_PRIMARY_OPTIONS", text);
        }
        if let Some(token) = &options.token {
            set("BACKSTOP_PRIMARY_TOKEN", token.expose());
        }
        let headers = &options.named_headers;
        if !headers.is_empty() {
            set("BACKSTOP_PRIMARY_HEADERS", &as_pairs(headers));
        } else if let Some(text) = &options.headers {
            set("BACKSTOP_PRIMARY_HEADERS", text);
        }
        strings
            .entry("BACKSTOP_PRIMARY_TIMEOUT_MS".to_owned())
            .or_insert_with(|| TIMEOUT_MS.to_owned());

        let (settings, errors) = Settings::resolve(&strings);
        let Some(mut primary) = settings.primary.filter(|_| errors.is_empty()) else {
            return Err(UsageError(explain(&errors, options)).into());
        };
        // The values as they were typed: the pairs had to do without commas.
        for (name, value) in headers {
            let mut slots = primary.headers.iter_mut();
            if let Some(slot) = slots.find(|slot| slot.0 == *name) {
                slot.1 = value.clone();
            }
        }
        let warning = Arc::new(OnceLock::new());
        let http = SharedHttp::new(
            settings.ca_files,
            settings.proxies,
            Arc::new(SystemClock),
            {
                let warning = Arc::clone(&warning);
                // Each new client reports it: once is enough.
                move |error| drop(warning.set(error.to_string()))
            },
        );
        Ok(Self {
            shown_url: if options.is_typed {
                primary.shown_url()
            } else {
                origin(&primary.url)
            },
            digest: digest(options),
            timeout: primary.timeout,
            warning,
            sink: Arc::new(ReplaySink::new(&http, &primary)),
            primary,
            http,
        })
    }

    /// The primary as the extension's variables name it.
    pub fn of_environment(environment: &impl Strings) -> anyhow::Result<Self> {
        let get = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        let Some(url) = get("BACKSTOP_PRIMARY_URL") else {
            let problem = "BACKSTOP_PRIMARY_URL is not set: set it to the address of the primary";
            return Err(UsageError(problem.to_owned()).into());
        };
        let format = get("BACKSTOP_PRIMARY_FORMAT").unwrap_or_else(|| "ndjson".to_owned());
        let format_options = get("BACKSTOP_PRIMARY_OPTIONS");
        let options = TargetOptions {
            url: &url,
            format: &format,
            format_options: format_options.as_deref(),
            headers: get("BACKSTOP_PRIMARY_HEADERS"),
            ..TargetOptions::default()
        };
        Self::resolve(&options, environment)
    }

    /// The same with the secrets that its token and headers refer to, read with the caller's credentials.
    /// A token that is encrypted is bound to the name of `function`. It needs this only where
    /// [`Self::has_references`].
    pub async fn with_secrets(
        mut self,
        shared: &SdkConfig,
        function: Option<&str>,
    ) -> anyhow::Result<Self> {
        let credentials = shared
            .credentials_provider()
            .context("the token cannot be read without credentials: sign in to AWS")?;
        let (here, _) = Settings::resolve(&ProcessEnvironment);
        let mut aws = here.aws;
        aws.use_fips = shared.use_fips().unwrap_or(aws.use_fips);
        aws.use_dual_stack = shared.use_dual_stack().unwrap_or(aws.use_dual_stack);
        let secrets = Secrets::new(
            self.http.clone(),
            aws,
            credentials,
            function.unwrap_or(&here.function.name),
        );
        let mut primary = self.primary.clone();
        if let Some(region) = shared.region() {
            primary.references.move_to(region.as_ref());
        }
        let primary = secrets.resolve(&primary).await;
        let primary = primary.map_err(|why| {
            anyhow::anyhow!(
                "the primary's token cannot be read: {why}; allow the caller to read it"
            )
        })?;
        self.sink = Arc::new(ReplaySink::new(&self.http, &primary));
        Ok(self)
    }

    /// Whether its token or a header is kept elsewhere.
    pub fn has_references(&self) -> bool {
        !self.primary.references.is_empty()
    }

    /// How long one request may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The address without its query.
    pub fn shown_url(&self) -> &str {
        &self.shown_url
    }

    /// What tells it from another one, by its whole address and its format.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What is wrong with the file of certificate authorities, once a request has shown it.
    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.get().map(String::as_str)
    }
}

fn digest(options: &TargetOptions<'_>) -> String {
    let mut hash = Sha256::new();
    for part in [
        options.url,
        options.format,
        options.format_options.unwrap_or_default(),
    ] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize()[..8])
}

/// For the configuration's rules, which read pairs separated by commas: a comma is as good as any
/// other visible character to them.
fn as_pairs(headers: &[(String, Secret)]) -> String {
    let pair = |(name, value): &(String, Secret)| {
        format!(
            "{}={}",
            name.replace(',', ";"),
            value.expose().replace(',', ";")
        )
    };
    let pairs: Vec<String> = headers.iter().map(pair).collect();
    pairs.join(",")
}

/// Of an address that is a secret: where it leads, and nothing that follows the host.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", ""));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}/***")
}

/// The mistakes in the words of the caller.
fn explain(errors: &[ConfigError], options: &TargetOptions<'_>) -> String {
    let lines: Vec<String> = errors
        .iter()
        // That follows from the others.
        .filter(|error| error.kind() != ErrorKind::NoSink)
        .map(|error| {
            let variable = error.variable();
            let named = options.names.iter().find(|(name, _)| *name == variable);
            let named = named.map_or(variable, |(_, named)| named);
            // Without what the extension does in spite of it: here nothing is sent.
            let message = match variable {
                // The problem quotes the address, which is a secret unless it was typed.
                "BACKSTOP_PRIMARY_URL" if !options.is_typed => error.advice().to_owned(),
                _ => error.problem(),
            };
            format!("{named} {message}")
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [(&str, &str); 2] = [
        ("BACKSTOP_PRIMARY_URL", "the address"),
        ("BACKSTOP_PRIMARY_TOKEN", "the token"),
    ];

    fn resolve(url: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let environment: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let options = TargetOptions {
            url,
            is_typed: true,
            format: "ndjson",
            names: &NAMES,
            ..TargetOptions::default()
        };
        Target::resolve(&options, &environment)
            .map(|target| target.shown_url().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_rules_of_the_extension_hold_for_the_address() {
        assert_eq!(
            resolve("https://host/logs?key=hunter2", &[]).as_deref(),
            Ok("https://host/logs?***")
        );
        assert!(resolve("http://127.0.0.1:8080", &[]).is_ok());
        let refused = resolve("http://host/logs", &[]).expect_err("it uses plain http");
        assert!(
            refused.starts_with("the address is \"http://host/logs\": plain http"),
            "{refused}"
        );
        assert!(
            refused.ends_with("BACKSTOP_ALLOW_PLAINTEXT=true"),
            "{refused}"
        );
        assert!(resolve("http://host/logs", &[("BACKSTOP_ALLOW_PLAINTEXT", "true")]).is_ok());
    }

    #[test]
    fn an_address_from_a_file_is_shown_as_far_as_its_host() {
        let resolve = |url| {
            let options = TargetOptions {
                url,
                format: "ndjson",
                names: &NAMES,
                ..TargetOptions::default()
            };
            Target::resolve(&options, &BTreeMap::<String, String>::new())
                .map(|target| format!("{} {target:?}", target.shown_url()))
                .map_err(|error| error.to_string())
        };
        let shown = resolve("https://host/hunter2/logs?key=hunter2").expect("it is valid");
        assert!(shown.starts_with("https://host/*** "), "{shown}");
        assert!(!shown.contains("key="), "{shown}");
        for wrong in [
            "http://host/hunter2",
            "hunter2",
            "https://u:hunter2@host",
            "ftp://host/?hunter2",
        ] {
            let message = resolve(wrong).expect_err("it is wrong");
            assert!(message.starts_with("the address "), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn other_variables_of_the_environment_are_not_judged() {
        assert!(resolve("https://host", &[("BACKSTOP_S3_BUCKET", "no/bucket")]).is_ok());
        let error = resolve("https://host", &[("BACKSTOP_PRIMARY_TOKEN", "hun ter2")]);
        let error = error.expect_err("a token holds no space");
        assert!(
            error.starts_with("the token holds a space") && !error.contains("hun"),
            "{error}"
        );
    }
}
