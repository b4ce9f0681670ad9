//! The primary of a function: what its environment says of it.
//!
//! Invariant: a value is passed on and never shown. Must not: take anything else of the environment.

use std::collections::BTreeMap;

use anyhow::bail;
use backstop_config::{Arn, Strings};

use crate::aws::{Access, Failure, Kind};
use crate::usage::UsageError;

const URL: &str = "BACKSTOP_PRIMARY_URL";
const HEADERS: &str = "BACKSTOP_PRIMARY_HEADERS";
const FORMAT: &str = "BACKSTOP_PRIMARY_FORMAT";
const PREFIX: &str = "BACKSTOP_PRIMARY_";
/// What belongs to the primary beside those with that prefix.
const OTHERS: [&str; 2] = ["BACKSTOP_OTLP_URL", "BACKSTOP_SIGNALS"];

fn is_of_primary(name: &str) -> bool {
    name.starts_with(PREFIX) || OTHERS.contains(&name)
}

/// What a function's environment says of its primary.
pub struct Like {
    variables: BTreeMap<String, String>,
    /// The function's region, which its references are of.
    pub region: String,
    /// The function's name, which its encrypted token is bound to.
    pub name: String,
}

/// The values may be secrets.
impl std::fmt::Debug for Like {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_set()
            .entries(self.variables.keys())
            .finish()
    }
}

impl Like {
    /// Of the function with this ARN.
    pub async fn read(access: &Access, arn: &str) -> anyhow::Result<Self> {
        let form = || {
            let problem = format!(
                "`{arn}` is not the ARN of a function: write it as \
                 arn:aws:lambda:REGION:ACCOUNT:function:NAME"
            );
            UsageError(problem)
        };
        let parsed = Arn::parse(arn)
            .filter(|it| it.service == "lambda")
            .ok_or_else(form)?;
        if !parsed.resource.starts_with("function:") || parsed.region.is_empty() {
            return Err(form().into());
        }
        let access = Access {
            region: Some(parsed.region.to_owned()),
            ..access.clone()
        };
        access.check().await?;
        let shared = access.shared(std::time::Duration::from_secs(30)).await;
        let asked = aws_sdk_lambda::Client::new(&shared)
            .get_function_configuration()
            .function_name(arn)
            .send()
            .await;
        let found = asked.map_err(|error| {
            let failure = Failure::of(&format!("reading function {arn}"), &error);
            if failure.kind == Kind::Denied {
                return anyhow::anyhow!("{failure}\ngrant lambda:GetFunctionConfiguration on it");
            }
            access.advised(failure)
        })?;
        let environment = found.environment();
        if environment.and_then(|it| it.error()).is_some() {
            bail!(
                "the environment of {arn} cannot be decrypted: grant kms:Decrypt on the function's \
                 key, or give --to"
            );
        }
        let all = environment.and_then(|it| it.variables()).cloned();
        let variables: BTreeMap<String, String> = (all.unwrap_or_default().into_iter())
            .filter(|(name, _)| is_of_primary(name))
            .collect();
        if !variables.contains_key(URL) {
            bail!("{arn} has no {URL}: give --to, or the ARN of a function with a primary");
        }
        let name = parsed.resource.split(':').nth(1).unwrap_or_default();
        Ok(Self {
            variables,
            region: parsed.region.to_owned(),
            name: name.to_owned(),
        })
    }

    pub fn url(&self) -> String {
        self.variables.get(URL).cloned().unwrap_or_default()
    }

    /// The format, where it is said.
    pub fn format(&self) -> Option<&str> {
        self.variables.get(FORMAT).map(String::as_str)
    }

    pub fn headers(&self) -> Option<String> {
        self.variables.get(HEADERS).cloned()
    }

    /// What the function says of its primary, and this machine of everything else.
    pub fn over<'a, E: Strings>(&'a self, here: &'a E) -> impl Strings + use<'a, E> {
        Over { like: self, here }
    }
}

struct Over<'a, E> {
    like: &'a Like,
    here: &'a E,
}

impl<E: Strings> Strings for Over<'_, E> {
    fn get(&self, key: &str) -> Option<String> {
        if is_of_primary(key) {
            // A token that is set here is of another primary.
            return self.like.variables.get(key).cloned();
        }
        self.here.get(key)
    }

    fn keys(&self) -> Vec<String> {
        let here = self.here.keys().into_iter();
        let here = here.filter(|name| !is_of_primary(name));
        here.chain(self.like.variables.keys().cloned()).collect()
    }

    fn is_not_unicode(&self, key: &str) -> bool {
        !is_of_primary(key) && self.here.is_not_unicode(key)
    }
}
