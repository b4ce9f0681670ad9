//! Which functions enforce code signing, and which signing profiles they allow.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_lambda::types::CodeSigningPolicy;

use crate::aws::{Failure, Marker};
use crate::fleet::Site;

/// The functions whose code signing configuration enforces signatures: asked for by configuration, of
/// which there are few, and not by function.
pub(super) async fn enforcing(site: &Site) -> BTreeMap<String, Vec<String>> {
    let lambda = &site.lambda;
    let client = lambda.client();
    let mut enforcing = BTreeMap::new();
    let mut marker = Marker::default();
    loop {
        let page = lambda
            .read("listing code signing configurations", || {
                (client.list_code_signing_configs())
                    .set_marker(marker.current())
                    .send()
            })
            .await;
        // Without the permission to ask: Lambda itself refuses what is not signed, and changes nothing.
        let Ok(page) = page else {
            return enforcing;
        };
        for config in page.code_signing_configs() {
            let policies = config.code_signing_policies();
            let policy = policies.and_then(|it| it.untrusted_artifact_on_deployment());
            if policy != Some(&CodeSigningPolicy::Enforce) {
                continue;
            }
            let arn = config.code_signing_config_arn();
            let publishers = config.allowed_publishers();
            let allowed = publishers.map(|it| it.signing_profile_version_arns().to_vec());
            let allowed = allowed.unwrap_or_default();
            let functions = functions_of(site, arn).await.unwrap_or_default();
            enforcing.extend(functions.into_iter().map(|it| (it, allowed.clone())));
        }
        let more = marker.advance("listing code signing configurations", page.next_marker());
        if !matches!(more, Ok(true)) {
            return enforcing;
        }
    }
}

async fn functions_of(site: &Site, config: &str) -> Result<BTreeSet<String>, Failure> {
    let lambda = &site.lambda;
    let mut functions = BTreeSet::new();
    let mut marker = Marker::default();
    loop {
        let page = lambda
            .read("listing the functions that enforce code signing", || {
                (lambda.client().list_functions_by_code_signing_config())
                    .code_signing_config_arn(config)
                    .set_marker(marker.current())
                    .send()
            })
            .await?;
        functions.extend(page.function_arns().iter().cloned());
        if !marker.advance(
            "listing the functions that enforce code signing",
            page.next_marker(),
        )? {
            return Ok(functions);
        }
    }
}
