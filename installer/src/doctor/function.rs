//! Checks of the function's state, layers and environment. Pure.

use std::collections::BTreeMap;

use aws_sdk_lambda::operation::get_layer_version::GetLayerVersionOutput;
use aws_sdk_lambda::types::{LastUpdateStatus, State};

use super::ask::Signing;
use super::{Check, Subject};
use crate::aws::{Failure, Kind};
use crate::change::{Change, MOST_ENVIRONMENT_BYTES, MOST_LAYERS, is_ours};
use crate::layer::Release;
use crate::plan::{Reason, owner};
use crate::select::{Environment, Function, Tags};
use crate::status::{drift, release};

/// Whose layers' releases are compared with it.
/// Bytes that should stay free for the next deployment.
const SPARE_ENVIRONMENT_BYTES: usize = 512;

/// Everything that needs no further call.
pub(super) fn checks(subject: &Subject, change: Option<&Change>, runs_in: &str) -> Vec<Check> {
    let function = &subject.function;
    let mut checks = vec![state(subject), package(function)];
    checks.extend(runtime(function));
    checks.extend(layers(function));
    checks.push(environment(function));
    checks.extend(live(function));
    checks.extend(change.map(|change| runs(function, change, runs_in)));
    checks
}

fn state(subject: &Subject) -> Check {
    let function = &subject.function;
    let Some(live) = &function.live else {
        let permission = "lambda:GetFunction";
        return match &subject.unread {
            Some(failure) => Check::unanswered("state", failure, permission),
            None => Check::unknown("state", "not asked", format!("grant {permission}")),
        };
    };
    let why = (live.reason.as_ref()).map_or_else(String::new, |reason| format!(": {reason}"));
    let (state, update) = (live.state.as_str(), live.last_update.as_str());
    let found = format!("{state}, last update {update}{why}");
    match (&live.state, &live.last_update) {
        (State::Failed, _) | (_, LastUpdateStatus::Failed) => {
            Check::problem("state", found, Reason::Failed.explanation())
        }
        (State::Pending, _) | (_, LastUpdateStatus::InProgress) => Check::warning(
            "state",
            found,
            "wait for the deployment, and run doctor again",
        ),
        (State::Inactive, _) => Check::warning("state", found, "invoke it once to wake it"),
        _ => Check::ok("state", found),
    }
}

fn package(function: &Function) -> Check {
    if function.is_replica {
        let found = "a replica for Lambda@Edge";
        return Check::problem("package", found, Reason::EdgeReplica.explanation());
    }
    if function.is_image {
        let architecture = &function.architecture;
        return Check::warning(
            "package",
            "a container image: it takes no layers, and doctor cannot see what the image contains",
            format!(
                "in its Dockerfile:\nADD extension-{architecture}.tar.gz /opt/\nENV \
                 BACKSTOP_PRIMARY_URL=https://…"
            ),
        );
    }
    let runtime = function.runtime.as_deref().unwrap_or("no runtime");
    let found = format!("a zip, {runtime} on {}", function.architecture);
    Check::ok("package", found)
}

fn runtime(function: &Function) -> Option<Check> {
    let runtime = (function.runtime.as_deref()).filter(|it| owner::is_too_old(it))?;
    let next = Reason::RuntimeTooOld.explanation();
    Some(Check::problem("runtime", runtime, next))
}

fn layers(function: &Function) -> Vec<Check> {
    if function.is_image || function.is_replica {
        return Vec::new();
    }
    let ours: Vec<&str> = (function.layers.iter())
        .filter(|arn| is_ours(arn))
        .map(String::as_str)
        .collect();
    let count = function.layers.len();
    let used = format!("{count} of {MOST_LAYERS} layers");
    let mut checks = Vec::new();
    match ours[..] {
        [] if count >= MOST_LAYERS => checks.push(Check::problem(
            "layer",
            format!("not attached, and the function has no free layer slot: {used}"),
            Reason::LayersFull.explanation(),
        )),
        [] => checks.push(Check::problem(
            "layer",
            format!("not attached; {used}"),
            format!("backstop attach {} --layers MANIFEST", function.name),
        )),
        [one] => {
            checks.push(Check::ok("layer", format!("{one}; {used}")));
            checks.push(of_release(one));
        }
        [first, ..] => checks.push(Check::problem(
            "layer",
            format!("{} of them are Backstop's: {}", ours.len(), ours.join(", ")),
            format!(
                "keep one; `backstop attach {}` leaves only one, at the position of {first}",
                function.name
            ),
        )),
    }
    if let Some(vendor) = owner::other_extension(&function.layers) {
        let next = Reason::OtherTelemetryExtension.explanation();
        checks.push(Check::warning("other-extension", vendor, next));
    }
    checks
}

fn of_release(arn: &str) -> Check {
    let Some(release) = release(arn) else {
        return Check::unknown(
            "release",
            "the layer's name does not contain a release",
            "publish layers with `backstop layer publish`, which puts the release in the name",
        );
    };
    let Some(is_older) = release.is_older() else {
        return Check::ok("release", release.to_string());
    };
    let found = format!("{release}, and this command line is {}", Release::CURRENT);
    let next = if is_older {
        "attach the newer layer: backstop attach"
    } else {
        "use a newer `backstop` command, which knows the layer's settings"
    };
    Check::warning("release", found, next)
}

/// Whether the layer version is there still, and fits.
pub(super) fn layer_version(
    function: &Function,
    arn: &str,
    version: Result<GetLayerVersionOutput, Failure>,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut architectures: Vec<String> = Vec::new();
    match version {
        Ok(version) => {
            checks.push(Check::ok(
                "layer-version",
                "the version exists and can be read",
            ));
            let compatible = version.compatible_architectures().iter();
            architectures.extend(compatible.map(|it| it.as_str().to_owned()));
        }
        Err(failure) if failure.kind == Kind::NotFound => checks.push(Check::problem(
            "layer-version",
            "the version was deleted: the function still runs with it, but its next deployment \
             fails",
            "attach an existing version: backstop attach",
        )),
        Err(failure) => {
            let account = &function.place.account;
            let next = if failure.kind == Kind::Denied {
                format!(
                    "attach an existing version, share this one with account {account}, or grant lambda:GetLayerVersion to the caller"
                )
            } else {
                "try again".to_owned()
            };
            checks.push(Check::unknown("layer-version", failure.brief(), next));
        }
    }
    if architectures.is_empty() {
        // Not every region takes them; the name tells too.
        let named = ["x86_64", "arm64"].into_iter();
        architectures.extend(named.filter(|it| arn.contains(it)).map(str::to_owned));
    }
    let own = &function.architecture;
    checks.push(if architectures.is_empty() || architectures.contains(own) {
        Check::ok("architecture", format!("the layer supports {own}"))
    } else {
        let others = architectures.join(" and ");
        let found = format!("the layer is for {others}, but the function runs on {own}");
        let next = format!("attach the layer for {own}: this one cannot start");
        Check::problem("architecture", found, next)
    });
    checks
}

fn environment(function: &Function) -> Check {
    match &function.environment {
        Environment::Unreadable(reason) => Check::unknown(
            "environment",
            reason,
            "grant kms:Decrypt on the function's key to the caller",
        ),
        Environment::Readable(variables) => {
            let bytes = measured(variables);
            let found = format!("readable, {bytes} of {MOST_ENVIRONMENT_BYTES} bytes");
            if bytes + SPARE_ENVIRONMENT_BYTES > MOST_ENVIRONMENT_BYTES {
                let next = "little space is left: move large values to Parameter Store";
                return Check::warning("environment", found, next);
            }
            Check::ok("environment", found)
        }
    }
}

/// As Lambda measures it.
fn measured(variables: &BTreeMap<String, String>) -> usize {
    if variables.is_empty() {
        return 0;
    }
    serde_json::json!(variables).to_string().len()
}

/// What only `GetFunction` tells.
fn live(function: &Function) -> Vec<Check> {
    let Some(live) = &function.live else {
        return Vec::new();
    };
    let mut checks = Vec::new();
    if live.reserved_concurrency == Some(0) {
        checks.push(Check::problem(
            "concurrency",
            "cannot run: its reserved concurrency is 0",
            "raise the reserved concurrency or remove it",
        ));
    }
    match &live.tags {
        Tags::Readable(tags) => {
            if let Some((reason, detail)) = owner::manager(tags) {
                checks.push(Check::warning("owner", detail, reason.explanation()));
            }
        }
        Tags::Unreadable(reason) => {
            let next = Reason::Unreadable.explanation();
            checks.push(Check::warning("owner", reason.clone(), next));
        }
    }
    checks
}

/// Whether it is as the runs of a state left it.
fn runs(function: &Function, change: &Change, runs_in: &str) -> Check {
    let drift = drift(function, change);
    if drift.is_empty() {
        return Check::ok(
            "drift",
            format!("unchanged since the last run in {runs_in}"),
        );
    }
    let drift: Vec<String> = drift.iter().map(ToString::to_string).collect();
    let next = "someone changed the function since; `backstop attach` restores the layer and the \
        settings";
    Check::warning("drift", drift.join("; "), next)
}

/// Whether code signing lets the layer pass.
pub(super) fn signing(
    function: &Function,
    signed_by: Option<&str>,
    signing: Result<Option<Signing>, Failure>,
) -> Vec<Check> {
    if function.is_image || function.is_replica {
        return Vec::new();
    }
    let signing = match signing {
        Ok(Some(signing)) => signing,
        Ok(None) => return vec![Check::ok("code-signing", "not enforced")],
        Err(failure) => {
            let permission = "lambda:GetFunctionCodeSigningConfig and lambda:GetCodeSigningConfig";
            return vec![Check::unanswered("code-signing", &failure, permission)];
        }
    };
    if !signing.is_enforced {
        return vec![Check::ok("code-signing", "not enforced")];
    }
    if signed_by.is_some_and(|profile| signing.allowed.iter().any(|it| it == profile)) {
        let found = "enforced, and an allowed profile signed the layer";
        return vec![Check::ok("code-signing", found)];
    }
    let found = if function.layers.iter().any(|arn| is_ours(arn)) {
        "enforced, but no allowed profile signed the layer: Lambda refuses the next change"
    } else {
        "enforced: Lambda refuses a layer that no allowed profile signed"
    };
    let next = Reason::CodeSigningEnforced.explanation();
    vec![Check::warning("code-signing", found, next)]
}
