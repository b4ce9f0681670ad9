//! Simulates an execution role's permissions in IAM.

use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType,
};

use backstop_archive::{Source, VERSION, object_key};
use backstop_config::Arn;
use backstop_delivery::Wall;

use super::Permission;
use crate::aws::{self, Failure};
use crate::fleet::{Site, in_flight};
use crate::select::Function;

/// What IAM says of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A policy of the role allows it.
    Allowed,
    /// Nothing allows it; the resource's own policy may.
    NotAllowed,
    /// Something denies it.
    Forbidden,
}

/// Whether the function's role may do this.
///
/// A policy may name any part of an object's key, and is asked about one as this function writes them.
pub async fn decision(
    site: &Site,
    function: &Function,
    need: &Permission,
) -> Result<Decision, Failure> {
    let (resource, via) = example(need, function);
    let region = aws::global_region(&site.partition);
    let config = site.config.to_builder().region(region).build();
    let via = via.map(|service| {
        ContextEntry::builder()
            .context_key_name("kms:ViaService")
            .context_key_type(ContextKeyTypeEnum::String)
            .context_key_values(service)
            .build()
    });
    let _permit = in_flight::permit().await;
    let answer = aws_sdk_iam::Client::new(&config)
        .simulate_principal_policy()
        .policy_source_arn(&function.role)
        .action_names(&need.action)
        .resource_arns(resource)
        .set_context_entries(via.map(|via| vec![via]))
        .send()
        .await
        .map_err(|error| {
            Failure::of("simulating the execution role's permissions in IAM", &error)
        })?;
    let decisions = answer.evaluation_results().iter();
    let decisions: Vec<_> = decisions.map(EvaluationResult::eval_decision).collect();
    Ok(
        if decisions.contains(&&PolicyEvaluationDecisionType::ExplicitDeny) {
            Decision::Forbidden
        } else if decisions == [&PolicyEvaluationDecisionType::Allowed] {
            Decision::Allowed
        } else {
            Decision::NotAllowed
        },
    )
}

/// A resource that the permission is about, and the service through which it is used.
fn example(need: &Permission, function: &Function) -> (String, Option<String>) {
    let place = &function.place;
    let source = Source {
        account: &place.account,
        region: &place.region,
        function: &function.name,
    };
    let resource = match need.resource.strip_suffix(&format!("{VERSION}/*")) {
        Some(folder) => folder.to_owned() + &object_key("", &source, Wall::default(), "b"),
        None => need.resource.clone(),
    };
    let via = need.via_service.as_ref().map(|pattern| {
        let region = Arn::parse(&need.resource).map_or(&*place.region, |arn| arn.region);
        pattern.replace('*', &format!("{region}.amazonaws.com"))
    });
    (resource, via)
}
