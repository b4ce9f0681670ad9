//! The calls that the checks need.

use aws_sdk_lambda::operation::get_layer_version::GetLayerVersionOutput;
use aws_sdk_lambda::types::CodeSigningPolicy;
use backstop_archive::Need;
use futures_util::future::join_all;

use super::sinks::Decided;
use crate::aws::{Failure, Kind, Marker};
use crate::fleet::Site;
use crate::grants;
use crate::plan;
use crate::select::{self, Alias, Function, LATEST};

/// A code signing configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signing {
    /// Whether what is not signed is refused.
    pub(super) is_enforced: bool,
    /// The signing profiles' versions that are allowed.
    pub(super) allowed: Vec<String>,
}

/// What is published of a function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Published {
    /// Versions and the layers of each.
    pub(super) versions: Vec<(String, Vec<String>)>,
    pub(super) aliases: Vec<Alias>,
    /// Versions and aliases for which environments are kept ready.
    pub(super) provisioned: Vec<String>,
}

pub(super) async fn layer_version(
    site: &Site,
    arn: Option<&str>,
) -> Option<Result<GetLayerVersionOutput, Failure>> {
    Some(plan::layer_version(site, arn?).await)
}

/// None where the function has no such configuration.
pub(super) async fn signing(site: &Site, function: &Function) -> Result<Option<Signing>, Failure> {
    let (lambda, client) = (&site.lambda, site.lambda.client());
    let answer = lambda
        .read("reading the function's code signing", || {
            (client.get_function_code_signing_config())
                .function_name(&function.name)
                .send()
        })
        .await;
    let arn = match &answer {
        Ok(answer) => answer.code_signing_config_arn(),
        Err(failure) if failure.kind == Kind::NotFound => "",
        Err(failure) => return Err(failure.clone()),
    };
    if arn.is_empty() {
        return Ok(None);
    }
    let answer = lambda
        .read("reading the code signing configuration", || {
            (client.get_code_signing_config())
                .code_signing_config_arn(arn)
                .send()
        })
        .await?;
    let config = answer.code_signing_config();
    let policy = config
        .and_then(|config| config.code_signing_policies())
        .and_then(|policies| policies.untrusted_artifact_on_deployment());
    let publishers = config.and_then(|config| config.allowed_publishers());
    Ok(Some(Signing {
        is_enforced: policy == Some(&CodeSigningPolicy::Enforce),
        allowed: publishers.map_or_else(Vec::new, |it| it.signing_profile_version_arns().to_vec()),
    }))
}

pub(super) async fn published(site: &Site, function: &Function) -> Result<Published, Failure> {
    let mut published = Published {
        aliases: select::aliases(site, &function.name).await?,
        versions: versions(site, &function.name).await?,
        provisioned: Vec::new(),
    };
    // There is none of what was never published.
    if !published.versions.is_empty() {
        let provisioned = select::provisioned(site, &function.name).await?;
        published.provisioned = provisioned.into_iter().map(|it| it.qualifier).collect();
    }
    Ok(published)
}

async fn versions(site: &Site, name: &str) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let (lambda, mut marker) = (&site.lambda, Marker::default());
    let mut versions = Vec::new();
    loop {
        let page = lambda
            .read("listing the function's versions", || {
                (lambda
                    .client()
                    .list_versions_by_function()
                    .function_name(name))
                .set_marker(marker.current())
                .send()
            })
            .await?;
        for version in page.versions() {
            let number = version.version().unwrap_or_default();
            // It is listed with what is published, and is not.
            if number != LATEST {
                let layers = version.layers().iter().filter_map(|layer| layer.arn());
                versions.push((number.to_owned(), layers.map(str::to_owned).collect()));
            }
        }
        if !marker.advance("listing the function's versions", page.next_marker())? {
            return Ok(versions);
        }
    }
}

/// Asks IAM what the execution role may.
pub(super) async fn decisions(site: &Site, function: &Function, needs: Vec<Need>) -> Vec<Decided> {
    let ask = |need: Need| async move {
        let permission = need.clone().into();
        let decision = grants::decision(site, function, &permission).await;
        (need, decision)
    };
    join_all(needs.into_iter().map(ask)).await
}
