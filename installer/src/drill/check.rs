//! Why a drill of a function would prove nothing, or hurt somebody: decided without a call.

use aws_sdk_lambda::types::State;
use backstop_config::parameter::SCHEME;
use backstop_config::{ConfigError, Fallback, Routing, Settings, TelemetryType};

use super::aim::Aim;
use super::found::Known;
use crate::change::is_ours;
use crate::select::{Environment, Function};

/// Names a file that the extension reads beside its variables.
const FILE: &str = "BACKSTOP_CONFIG";

/// The hours before a drill in which a function must not have been invoked.
pub const QUIET_HOURS: u64 = 3;

/// What is known of the function.
#[derive(Debug)]
pub struct Facts<'a> {
    /// It, as `GetFunction` has it.
    pub function: &'a Function,
    /// The alias or version that was typed.
    pub qualifier: Option<&'a str>,
    /// The extension's settings, and what is wrong with them.
    pub settings: &'a (Settings, Vec<ConfigError>),
    /// The settings during the drill, and what would be wrong with them.
    pub aimed: &'a (Settings, Vec<ConfigError>),
    /// Its invocations in the last [`QUIET_HOURS`], or why they are not known.
    pub invocations: Result<f64, String>,
    /// Whether other callers may invoke it meanwhile.
    pub allows_live: bool,
    /// A run that changed it for a drill and was not undone.
    pub unrestored: Option<&'a str>,
}

/// Every reason to refuse, each with the way out.
pub fn refusals(facts: &Facts<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    let function = facts.function;
    let name = &function.name;
    if let Some(qualifier) = facts.qualifier {
        reasons.push(format!(
            "{name}:{qualifier} runs a published version, whose configuration never changes: drill \
             `{name}` instead, which changes $LATEST and leaves versions and aliases alone"
        ));
    }
    if function.is_image {
        reasons.push(
            "a container image sets its own environment: drill a function with a layer".to_owned(),
        );
    } else if !function.layers.iter().any(|arn| is_ours(arn)) {
        reasons.push(format!(
            "the function does not have the layer: run `backstop attach {name}` first"
        ));
    }
    settings(facts, &mut reasons);
    if let Some(live) = &function.live {
        if live.reserved_concurrency == Some(0) {
            reasons.push(
                "it cannot run: its reserved concurrency is 0; raise it, or drill another function"
                    .to_owned(),
            );
        }
        if live.state == State::Failed || live.state == State::Inactive {
            reasons.push(format!(
                "its state is {}: invoke it once, and try again",
                live.state.as_str()
            ));
        }
    }
    match &facts.invocations {
        _ if facts.allows_live => {}
        Ok(count) if *count > 0.0 => reasons.push(format!(
            "CloudWatch counts {count} invocations in the last {QUIET_HOURS} hours, so others may \
             invoke it during the drill: wait, or give --live to accept that their records are \
             diverted, too"
        )),
        Ok(_) => {}
        Err(reason) => reasons.push(format!(
            "whether others invoke it is not known ({reason}): grant cloudwatch:GetMetricData, or \
             give --live"
        )),
    }
    if let Some(run) = facts.unrestored {
        reasons.push(format!(
            "an earlier drill was cut off: restore it with `backstop undo {run}`"
        ));
    }
    reasons
}

fn settings(facts: &Facts<'_>, reasons: &mut Vec<String>) {
    let (settings, _) = facts.settings;
    // A parameter has no sinks, so that the variables say all that a drill changes.
    let is_file = |value: &String| !value.trim_start().starts_with(SCHEME);
    let has_file = |it: &Environment| matches!(it, Environment::Readable(variables) if variables.get(FILE).is_some_and(is_file));
    if has_file(&facts.function.environment) {
        // What it says is not known here: a token in it would go to the failing address.
        reasons.push(format!(
            "{FILE} names a file with settings in the package, which the drill cannot read or change: \
             set them as variables"
        ));
        return;
    }
    if settings.primary.is_none() {
        reasons.push("it has no valid primary: see `backstop doctor`".to_owned());
        return;
    }
    if settings.fallbacks.is_empty() {
        reasons.push(
            "it has no archive, so the drill would lose records: set BACKSTOP_S3_BUCKET or \
             BACKSTOP_FIREHOSE_STREAM"
                .to_owned(),
        );
    }
    let (aimed, errors) = facts.aimed;
    if aimed.primary.is_none() || errors.len() > facts.settings.1.len() {
        reasons.push(
            "the extension would not accept that address: give --primary-url an https address, or \
             http on loopback"
                .to_owned(),
        );
    }
}

/// What the archive can prove under these settings.
pub fn known(settings: &Settings, aim: &Aim) -> Known {
    let transforms = &settings.transforms;
    let has_platform = settings.telemetry_types.contains(&TelemetryType::Platform);
    Known {
        is_whole: has_platform && transforms.sample.is_none(),
        // Under `sample` records for the archive only have numbers, too. A server may take some.
        is_numbered: transforms.sample.is_none()
            && !transforms.dedupe
            && settings.routing != Routing::Sample
            && matches!(aim, Aim::Nowhere(_)),
    }
}

/// Whether records may go to a Firehose stream, whose destination the variables do not say.
pub fn has_stream(settings: &Settings) -> bool {
    let is_stream = |it: &Fallback| matches!(it, Fallback::Firehose { .. });
    settings.fallbacks.iter().any(is_stream)
}

/// The archive that the function writes to itself, as `s3://BUCKET/PREFIX`, and the bucket's region.
pub fn archive(settings: &Settings) -> Option<(String, String)> {
    settings
        .fallbacks
        .iter()
        .find_map(|fallback| match fallback {
            Fallback::S3(it) => Some((
                format!("s3://{}/{}", it.bucket, it.prefix),
                it.region.clone(),
            )),
            Fallback::Firehose { .. } => None,
        })
}
