//! Checks of published versions and aliases: a version keeps the layers that it was published with.
//! Pure.

use std::collections::BTreeSet;

use super::Check;
use super::ask::Published;
use crate::aws::Failure;
use crate::change::is_ours;
use crate::select::{Function, LATEST};

const NEXT: &str = "publish a version, and point the alias to it";

pub(super) fn checks(function: &Function, published: Result<Published, Failure>) -> Vec<Check> {
    let has_layer = |layers: &[String]| layers.iter().any(|arn| is_ours(arn));
    if !has_layer(&function.layers) {
        // There is nothing yet that a version could be without.
        return Vec::new();
    }
    let published = match published {
        Ok(published) => published,
        Err(failure) => {
            let permission = "lambda:ListAliases, lambda:ListVersionsByFunction and \
                lambda:ListProvisionedConcurrencyConfigs";
            return vec![Check::unanswered("aliases", &failure, permission)];
        }
    };
    let with: BTreeSet<&str> = (published.versions.iter())
        .filter(|(_, layers)| has_layer(layers))
        .map(|(version, _)| version.as_str())
        .collect();
    let is_with = |version: &str| version == LATEST || with.contains(version);
    let mut checks = Vec::new();
    for alias in &published.aliases {
        let without: Vec<&str> = (alias.versions.iter())
            .map(String::as_str)
            .filter(|version| !is_with(version))
            .collect();
        if !without.is_empty() {
            let (name, versions) = (&alias.name, without.join(" and "));
            let found = format!(
                "{name} points to version {versions}, which lacks the layer: invocations through \
                 it do not use the layer"
            );
            checks.push(Check::warning("aliases", found, NEXT));
        }
    }
    if checks.is_empty() {
        let found = match published.aliases.len() {
            0 => "none".to_owned(),
            count => format!("{count}, all to versions with the layer"),
        };
        checks.push(Check::ok("aliases", found));
    }
    if function.is_snap_start && with.is_empty() {
        let found = "no published version has the layer, and SnapStart applies to published \
            versions only";
        checks.push(Check::warning("snap-start", found, "publish a version"));
    }
    let target = |qualifier: &str| -> Vec<String> {
        let alias = published.aliases.iter().find(|it| it.name == qualifier);
        alias.map_or_else(|| vec![qualifier.to_owned()], |it| it.versions.clone())
    };
    for qualifier in &published.provisioned {
        if target(qualifier).iter().any(|version| !is_with(version)) {
            let found = format!("provisioned concurrency of {qualifier} runs without the layer");
            checks.push(Check::warning("provisioned-concurrency", found, NEXT));
        }
    }
    checks
}
