//! Terraform and `CloudFormation` as owners of an attachment.

use std::sync::Arc;
use std::time::Duration;

use backstop_fake_aws::{FunctionSpec, Moment};
use backstop_simulator::server::{Answer, FaultServer};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::stage::{Environment, Stage, arn};

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

/// A stack with one resource, and what it hears.
struct CloudFormation {
    server: FaultServer,
    inbox: mpsc::Receiver<(String, Value)>,
}

impl CloudFormation {
    fn start() -> Self {
        let (answers, inbox) = mpsc::channel(8);
        Self {
            server: FaultServer::start("the stack", Arc::new(Stack(answers)), None).unwrap(),
            inbox,
        }
    }

    /// Asks, and hears the answer. Nothing secret is in it.
    async fn ask(
        &mut self,
        environment: &mut Environment,
        kind: &str,
        functions: &Value,
        physical: Option<&Value>,
    ) -> Value {
        let request = json!({
            "RequestType": kind,
            "ResponseURL": format!("{}/answer?signature=hunter2", self.server.endpoint()),
            "StackId": "stack", "RequestId": "1", "LogicalResourceId": "Logs",
            "PhysicalResourceId": physical,
            "ResourceProperties": { "Functions": functions },
        });
        environment.done(&request).await;
        let heard = tokio::time::timeout(Duration::from_secs(30), self.inbox.recv()).await;
        let (method, body) = heard.expect("it is heard in time").expect("it is heard");
        assert_eq!(method, "PUT");
        assert!(!body.to_string().contains("hunter2"), "{body}");
        body
    }

    /// The same, which ends well; the resource's name.
    async fn done(
        &mut self,
        environment: &mut Environment,
        kind: &str,
        functions: &Value,
        physical: Option<&Value>,
    ) -> Value {
        let body = self.ask(environment, kind, functions, physical).await;
        assert_eq!(body["Status"], "SUCCESS", "{body}");
        body["PhysicalResourceId"].clone()
    }

    /// The same, which fails for this reason; the resource's name.
    async fn failed(
        &mut self,
        environment: &mut Environment,
        (kind, functions, physical): (&str, &Value, Option<&Value>),
        expected: &str,
    ) -> Value {
        let body = self.ask(environment, kind, functions, physical).await;
        assert_eq!(body["Status"], "FAILED", "{body}");
        let reason = body["Reason"].as_str().unwrap();
        assert!(reason.contains(expected), "{body}");
        body["PhysicalResourceId"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudformation_always_gets_an_answer() {
    let stage = Stage::set().await;
    stage.add("orders", 1, &FunctionSpec::default());
    let before = stage.everything();
    let mut stack = CloudFormation::start();
    let functions = json!([arn("orders-0000")]);
    let mut attach = stage.environment("attach", &[]);
    let made = (stack.done(&mut attach, "Create", &functions, None)).await;
    assert_eq!(made, "backstop-Logs");
    assert!(stage.is_attached("orders-0000"));
    (stack.done(&mut attach, "Delete", &functions, Some(&made))).await;
    assert_eq!(stage.everything(), before);

    // Wrong in the request, in the mode, in the function's own settings, and in time.
    let absent = json!([arn("absent")]);
    let none = [("CONTROLLER_CONFIG", "s3://backstop-archive/none")];
    for (functions, mode, more, expected) in [
        (&json!("orders"), "attach", &[][..], "is not a list"),
        (&functions, "report", &[], "the mode is report"),
        (&functions, "typo", &[], "CONTROLLER_MODE"),
        (&absent, "attach", &none, "does not exist"),
    ] {
        let mut broken = stage.environment(mode, more);
        let create = ("Create", functions, None);
        let made = stack.failed(&mut broken, create, expected).await;
        // An alarm hears of it, whatever is wrong.
        assert_eq!(broken.line().await["Errors"], 1, "{expected}");
        // What attached nothing goes, also where nothing else works.
        assert_eq!(made, "backstop-none-Logs");
        (stack.done(&mut broken, "Delete", functions, Some(&made))).await;
    }
    let held = (stage.plane).hold("GetFunction", 1, Moment::BeforeItIsDone);
    let mut hasty = stage.environment_for("attach", &[], Duration::from_secs(44));
    let create = ("Create", &functions, None);
    stack
        .failed(&mut hasty, create, "did not end in time")
        .await;
    held.release();
    assert_eq!(stage.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_does_not_get_all_of_its_functions_fails_and_goes_back() {
    let stage = Stage::set().await;
    stage.add("orders", 2, &FunctionSpec::default());
    let before = stage.everything();
    let mut stack = CloudFormation::start();
    let mut attach = stage.environment("attach", &[("CONTROLLER_NEVER", "orders-0001")]);
    for (other, expected) in [
        ("absent", "function:absent: it was not found"),
        (
            "orders-0001",
            "function:orders-0001 (ok): the settings say to leave it",
        ),
    ] {
        let functions = json!([arn("orders-0000"), arn(other)]);
        let create = ("Create", &functions, None);
        let made = stack.failed(&mut attach, create, expected).await;
        assert!(stage.is_attached("orders-0000"));
        assert_eq!(made, "backstop-Logs");
        (stack.done(&mut attach, "Delete", &functions, Some(&made))).await;
        assert_eq!(stage.everything(), before);
    }
    // Nothing is begun without the time to end it.
    let mut hasty = stage.environment_for("attach", &[], Duration::from_secs(140));
    let functions = json!([arn("orders-0000")]);
    let create = ("Create", &functions, None);
    stack.failed(&mut hasty, create, "no time was left").await;
    assert_eq!(stage.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_takes_back_only_what_it_attached() {
    let stage = Stage::set().await;
    stage.add("orders", 2, &FunctionSpec::default());
    stage.want("functions = [\"orders-0000\"]").await;
    let mut stack = CloudFormation::start();
    let mut attach = stage.environment("attach", &[]);
    attach.plan().await;
    let one = json!([arn("orders-0000")]);
    let made = (stack.done(&mut attach, "Create", &one, None)).await;
    assert_eq!(made, "backstop-none-Logs");
    // With its first function it has another name, and the old one is deleted.
    let both = json!([arn("orders-0000"), arn("orders-0001")]);
    let named = (stack.done(&mut attach, "Update", &both, Some(&made))).await;
    assert_eq!(named, "backstop-Logs");
    (stack.done(&mut attach, "Delete", &one, Some(&made))).await;
    assert!(stage.is_attached("orders-0000") && stage.is_attached("orders-0001"));
    (stack.done(&mut attach, "Delete", &both, Some(&named))).await;
    assert!(stage.is_attached("orders-0000"));
    assert!(!stage.is_attached("orders-0001"));
    // Nor does Terraform.
    for action in ["create", "delete"] {
        attach
            .done(&terraform(action, &["orders-0000"], None))
            .await;
    }
    assert!(stage.is_attached("orders-0000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_goes_back_while_the_wanted_state_and_its_properties_are_broken() {
    let stage = Stage::set().await;
    stage.add("orders", 2, &FunctionSpec::default());
    let before = stage.everything();
    let mut stack = CloudFormation::start();
    let mut attach = stage.environment("attach", &[]);
    let one = json!([arn("orders-0000")]);
    let made = (stack.done(&mut attach, "Create", &one, None)).await;
    let both = json!([arn("orders-0000"), arn("orders-0001")]);
    (stack.done(&mut attach, "Update", &both, Some(&made))).await;
    stage.want_text("hunter2").await;
    let third = json!([arn("orders-0000"), arn("absent")]);
    let update = ("Update", &third, Some(&made));
    stack.failed(&mut attach, update, "cannot be used").await;
    (stack.done(&mut attach, "Update", &one, Some(&made))).await;
    assert!(stage.is_attached("orders-0000"));
    assert!(!stage.is_attached("orders-0001"));
    (stack.done(&mut attach, "Delete", &json!("broken"), Some(&made))).await;
    assert_eq!(stage.everything(), before);
}
