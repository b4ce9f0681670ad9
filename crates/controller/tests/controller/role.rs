//! The role of the Terraform module, held to the calls that the function makes.

use std::collections::BTreeSet;

use backstop_fake_aws::FunctionSpec;
use serde_json::json;

use crate::stage::{Stage, arn, batch, created};

const POLICY: &str = include_str!("../../../../terraform/modules/controller/policy.tf");

/// Calls that need no permission.
const FREE: [&str; 2] = ["GetCallerIdentity", "GetContent"];

#[tokio::test(flavor = "multi_thread")]
async fn the_role_may_do_what_the_function_does_and_writes_nothing_else() {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        tags: [("team".to_owned(), "payments".to_owned())].into(),
        ..FunctionSpec::default()
    };
    stage.add("orders", 3, &spec);
    stage.want("tags = { team = \"payments\" }").await;
    // The stage publishes the layer.
    let before = stage.plane.calls().len();
    let mut attach = stage.environment("attach", &[]);
    attach.plan().await;
    attach.done(&batch(&[created("orders-0000")])).await;
    stage.add("pay", 1, &FunctionSpec::default());
    for action in ["create", "delete"] {
        let resource = json!({ "functions": [arn("pay-0000")], "tf": { "action": action } });
        attach.done(&resource).await;
    }

    let calls = stage.plane.calls();
    let called: BTreeSet<&str> = (calls.iter().skip(before))
        .map(|call| call.operation)
        .collect();
    let granted = |operation: &str| {
        ["lambda", "tag", "account"]
            .iter()
            .any(|service| POLICY.contains(&format!("\"{service}:{operation}\"")))
    };
    // Its answer has no tags without this one.
    assert!(granted("ListTags"));
    let missing: Vec<&&str> = (called.iter())
        .filter(|operation| !FREE.contains(operation) && !granted(operation))
        .collect();
    assert!(missing.is_empty(), "the role lacks {missing:?}");
    let writes = POLICY.matches("lambda:Update").count();
    assert_eq!(writes, 1, "the configuration is all that it writes");
    for other in [
        "\"lambda:*\"",
        "lambda:Create",
        "lambda:Delete",
        "lambda:Put",
        "iam:",
    ] {
        assert!(!POLICY.contains(other), "{other}");
    }
}
