//! What IAM says that an execution role may, all its policies together.

use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType,
};

use crate::aws::{self, Failure};
use crate::fleet::Site;

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

/// Whether a role may do this; `via` is the service through which a key is used.
pub async fn decision(
    site: &Site,
    role: &str,
    action: &str,
    resource: &str,
    via: Option<&str>,
) -> Result<Decision, Failure> {
    let region = aws::global_region(&site.partition);
    let config = site.config.to_builder().region(region).build();
    let via = via.map(|service| {
        ContextEntry::builder()
            .context_key_name("kms:ViaService")
            .context_key_type(ContextKeyTypeEnum::String)
            .context_key_values(service)
            .build()
    });
    let answer = aws_sdk_iam::Client::new(&config)
        .simulate_principal_policy()
        .policy_source_arn(role)
        .action_names(action)
        .resource_arns(resource)
        .set_context_entries(via.map(|via| vec![via]))
        .send()
        .await
        .map_err(|error| Failure::of("asking IAM what the execution role may", &error))?;
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
