//! Checks of one function: would its records arrive, and what prevents it?
//!
//! [`examine`] asks what can be asked without changing anything; what the answers mean is decided
//! without a call, by `function`, `settings`, `sinks` and `published`. Invariants: a permission that is
//! missing costs the checks that need it, and no others; no value of a secret is shown. Must not:
//! change anything, nor send anything unless it is asked to.

mod ask;
mod check;
mod function;
mod published;
mod send;
mod settings;
mod sinks;
mod token;
mod view;

use std::sync::Arc;

use aws_sdk_lambda::operation::get_layer_version::GetLayerVersionOutput;
use backstop_config::Settings;
use serde::Serialize;

pub use check::{Check, State};
pub use settings::resolve as settings_of;

use crate::aws::{Failure, Kind};
use crate::change::{Change, is_ours};
use crate::fleet::{Place, Site};
use crate::plan;
use crate::select::{self, Environment, Function};

/// What was found about one function.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// The account and region.
    #[serde(flatten)]
    pub place: Place,
    /// The function's name.
    pub name: String,
    /// Its unqualified ARN.
    pub arn: String,
    /// The worst that came out.
    pub state: State,
    /// In the order in which they depend on each other.
    pub checks: Vec<Check>,
}

/// The function as far as it could be read, and why no further.
#[derive(Debug)]
pub struct Subject {
    site: Arc<Site>,
    function: Function,
    /// Why `GetFunction` did not answer, where a list did.
    unread: Option<Failure>,
}

impl Subject {
    /// Finds it in one place; none where it is not there.
    pub async fn find(site: &Arc<Site>, name: &str) -> Result<Option<Self>, Failure> {
        let (function, unread) = match Function::get(site, name).await {
            Ok(function) => (function, None),
            Err(failure) if failure.kind == Kind::NotFound => return Ok(None),
            Err(failure) if failure.kind == Kind::Denied => {
                // A list says most of it, and is granted more often.
                let Ok(listed) = select::list(site).await else {
                    return Err(failure);
                };
                let found = listed.into_iter().find(|function| function.name == name);
                match found {
                    Some(function) => (function, Some(failure)),
                    None => return Ok(None),
                }
            }
            Err(failure) => return Err(failure),
        };
        Ok(Some(Self {
            site: Arc::clone(site),
            function,
            unread,
        }))
    }

    /// Its unqualified ARN.
    pub fn arn(&self) -> &str {
        &self.function.arn
    }

    /// The function, as far as it could be read.
    pub fn function(&self) -> &Function {
        &self.function
    }

    /// Where it is.
    pub fn site(&self) -> &Site {
        &self.site
    }
}

/// Makes every check. `change` is what the runs of a state did to it, and `state` says which one that is; `sends`
/// wants a test record sent to the primary.
pub async fn examine(
    subject: &Subject,
    change: Option<&Change>,
    state: &str,
    sends: bool,
) -> Diagnosis {
    let (site, function) = (&*subject.site, &subject.function);
    let layer = function.layers.iter().find(|arn| is_ours(arn));
    let settings = match &function.environment {
        Environment::Readable(variables) => Some(settings::resolve(function, variables)),
        Environment::Unreadable(_) => None,
    };
    let needs = match &settings {
        Some((settings, _)) => {
            backstop_archive::needs(settings, &site.partition, &function.place.account)
        }
        None => Vec::new(),
    };
    // An endpoint of the function's own is not the S3 that is asked here.
    let archive = (settings.as_ref())
        .filter(|(settings, _)| settings.aws.endpoint_s3.is_none())
        .and_then(|(settings, _)| sinks::archive(settings));
    let (version, signing, published, decisions, bucket, token) = tokio::join!(
        ask::layer_version(site, layer.map(String::as_str)),
        ask::signing(site, function),
        ask::published(site, function),
        ask::decisions(site, function, needs),
        plan::bucket(site, archive),
        token::checks(site, function, settings.as_ref().map(|it| &it.0)),
    );
    let signed_by = (version.as_ref())
        .and_then(|version| {
            version
                .as_ref()
                .ok()?
                .content()?
                .signing_profile_version_arn()
        })
        .map(str::to_owned);
    let checks = [
        function::checks(subject, change, state),
        layer_checks(function, layer, version),
        function::signing(function, signed_by.as_deref(), signing),
        settings::checks(function, settings.as_ref()),
        sinks::checks(function, settings.as_ref().map(|it| &it.0), &decisions),
        sinks::bucket(archive, bucket),
        token,
        published::checks(function, published),
    ];
    let mut checks: Vec<Check> = checks.into_iter().flatten().collect();
    if let Some((settings, _)) = settings.as_ref().filter(|_| sends) {
        checks.extend(send::send(site, function, settings).await);
    }
    Diagnosis {
        place: function.place.clone(),
        name: function.name.clone(),
        arn: function.arn.clone(),
        state: (checks.iter().map(|it| it.state).max()).unwrap_or(State::Ok),
        checks,
    }
}

fn layer_checks(
    function: &Function,
    layer: Option<&String>,
    version: Option<Result<GetLayerVersionOutput, Failure>>,
) -> Vec<Check> {
    match (layer, version) {
        (Some(arn), Some(version)) => function::layer_version(function, arn, version),
        _ => Vec::new(),
    }
}

/// The extension's settings, and what is wrong with them.
pub type Resolved = (Settings, Vec<backstop_config::ConfigError>);
