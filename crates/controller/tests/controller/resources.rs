//! Terraform and `CloudFormation` as owners of an attachment.

use std::sync::Arc;
use std::time::Duration;

use backstop_fake_aws::FunctionSpec;
use backstop_simulator::server::{Answer, FaultServer};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::stage::{Stage, arn};

fn terraform(action: &str, functions: &[&str], before: Option<&[&str]>) -> Value {
    let arns = |names: &[&str]| names.iter().map(|name| arn(name)).collect::<Vec<_>>();
    json!({
        "functions": arns(functions),
        "tf": { "action": action, "prev_input": before.map(|it| json!({ "functions": arns(it) })) },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn terraform_attaches_changes_and_detaches_exactly() {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        environment: [("TABLE".to_owned(), "orders".to_owned())].into(),
        ..FunctionSpec::default()
    };
    stage.add("orders", 3, &spec);
    let before = stage.everything();
    let mut attach = stage.environment("attach", &[]);
    let both = ["orders-0000", "orders-0001"];
    let result = attach.done(&terraform("create", &both, None)).await;
    assert_eq!(result["counts"]["attached"], 2, "{result}");
    let other = ["orders-0001", "orders-0002"];
    let result = attach.done(&terraform("update", &other, Some(&both))).await;
    assert_eq!(result["counts"]["attached"], 1, "{result}");
    assert_eq!(result["counts"]["detached"], 1, "{result}");
    let result = attach.done(&terraform("delete", &other, None)).await;
    assert_eq!(result["counts"]["detached"], 2, "{result}");
    assert_eq!(stage.everything(), before);
    // A second deletion has nothing to do.
    attach.done(&terraform("delete", &other, None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_terraform_asks_for_and_does_not_get_is_an_error() {
    let stage = Stage::set().await;
    stage.add("orders", 1, &FunctionSpec::default());
    let create = terraform("create", &["orders-0000"], None);
    let error = stage.environment("report", &[]).invoke(&create).await;
    let error = error.expect_err("the mode writes nothing").to_string();
    assert!(error.contains("the mode is report"), "{error}");
    stage.stop(true).await;
    let error = stage.environment("attach", &[]).invoke(&create).await;
    let error = error.expect_err("the switch is set").to_string();
    assert!(error.contains("the switch stops all writes"), "{error}");
    assert_eq!(stage.writes(), 0);
    // There is nothing to take back, so that nothing is in the way of a deletion.
    let delete = terraform("delete", &["orders-0000"], None);
    stage.environment("report", &[]).done(&delete).await;
}

/// Where `CloudFormation` hears from its resources.
struct Stack(mpsc::Sender<(String, Value)>);

impl Answer for Stack {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let body = serde_json::from_slice(request.body()).unwrap_or_default();
        let method = request.method().to_string();
        self.0.send((method, body)).await.ok();
        Response::new(Bytes::new())
    }

    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        response
    }

    fn observe(&self, _: &Parts, _: Option<StatusCode>) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudformation_always_gets_an_answer() {
    let stage = Stage::set().await;
    stage.add("orders", 1, &FunctionSpec::default());
    let before = stage.everything();
    let (answers, mut inbox) = mpsc::channel(8);
    let server = FaultServer::start("the stack", Arc::new(Stack(answers)), None).unwrap();
    let request = |kind: &str, functions: &Value| {
        json!({
            "RequestType": kind,
            "ResponseURL": format!("{}/answer?signature=hunter2", server.endpoint()),
            "StackId": "stack", "RequestId": "1", "LogicalResourceId": "Logs",
            "ResourceProperties": { "Functions": functions },
        })
    };
    let mut next = async || {
        let heard = tokio::time::timeout(Duration::from_secs(30), inbox.recv()).await;
        heard.expect("it is heard in time").expect("it is heard")
    };
    let functions = json!([arn("orders-0000")]);
    let mut attach = stage.environment("attach", &[]);
    attach.done(&request("Create", &functions)).await;
    let (method, body) = next().await;
    assert_eq!(
        (method.as_str(), &body["Status"]),
        ("PUT", &json!("SUCCESS")),
        "{body}"
    );
    assert!(stage.is_attached("orders-0000"));
    attach.done(&request("Delete", &functions)).await;
    assert_eq!(next().await.1["Status"], "SUCCESS");
    assert_eq!(stage.everything(), before);

    // Wrong in the request, in the mode, and in the function's own settings.
    let absent = json!([arn("absent")]);
    for (functions, mode, more, expected) in [
        (json!("orders"), "attach", &[][..], "is not a list"),
        (functions.clone(), "report", &[], "the mode is report"),
        (functions, "typo", &[], "CONTROLLER_MODE"),
        (
            absent,
            "attach",
            &[("CONTROLLER_CONFIG", "s3://backstop-archive/none")],
            "does not exist",
        ),
    ] {
        let mut broken = stage.environment(mode, more);
        broken.done(&request("Create", &functions)).await;
        let body = next().await.1;
        assert_eq!(body["Status"], "FAILED", "{body}");
        let reason = body["Reason"].as_str().unwrap();
        assert!(reason.contains(expected), "{body}");
        assert!(!reason.contains("hunter2"), "{body}");
    }
}
