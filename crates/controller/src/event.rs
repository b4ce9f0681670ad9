//! What an invocation asks for.
//!
//! Events are hints: they name functions, and the plan decides what is done with these. A reader is
//! therefore lenient about where a name is, and strict about what one is. Must not: take anything but
//! names from an event.

use std::collections::BTreeSet;

use backstop_config::Arn;
use serde_json::Value;

/// Names of calls that `CloudTrail` records, without the date of the API at their end.
const CALLS: [&str; 5] = [
    "CreateFunction",
    "UpdateFunctionConfiguration",
    "UpdateFunctionCode",
    "TagResource",
    "UntagResource",
];
/// The session in which the library takes a role in another account.
const SESSION: &str = "backstop";
/// How deep a name is looked for.
const DEPTH: usize = 6;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// To plan over everything.
    Everything,
    /// To plan for functions that changed.
    Changed(Changed),
    /// To attach some functions and to detach others, now.
    Resource(Resource),
}

/// Functions that events named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Their ARNs, each once.
    pub functions: BTreeSet<String>,
    /// Events of the controller's own writes.
    pub own: u64,
    /// Events that name no function, or are about something else.
    pub ignored: u64,
}

/// A resource that owns the attachment of functions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// ARNs of functions to attach.
    pub attach: BTreeSet<String>,
    /// ARNs of functions to detach.
    pub detach: BTreeSet<String>,
    /// How to answer, if `CloudFormation` asked.
    pub reply: Option<Reply>,
}

/// What `CloudFormation` wants to know again.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// Where the answer goes. As good as a secret: it is signed.
    pub url: String,
    /// The stack.
    pub stack: String,
    /// The request.
    pub request: String,
    /// The resource's name in the template.
    pub logical: String,
    /// The resource itself; none before it is made.
    pub physical: Option<String>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (formatter.debug_struct("Reply"))
            .field("stack", &self.stack)
            .field("logical", &self.logical)
            .finish_non_exhaustive()
    }
}

/// Reads a payload. `own` is this function's name.
pub fn read(payload: &Value, own: &str) -> Result<Request, String> {
    if let Some(records) = payload["Records"].as_array() {
        let mut changed = Changed::default();
        for record in records {
            let body = record["body"].as_str().unwrap_or_default();
            let event: Value = serde_json::from_str(body).unwrap_or_default();
            changed.add(&event, own);
        }
        return Ok(Request::Changed(changed));
    }
    if payload.get("RequestType").is_some() {
        return of_cloudformation(payload).map(Request::Resource);
    }
    if payload.get("tf").is_some() {
        return of_terraform(payload).map(Request::Resource);
    }
    let is_schedule = payload["detail-type"] == "Scheduled Event";
    if is_schedule || payload["action"] == "plan" {
        return Ok(Request::Everything);
    }
    if payload.get("source").is_some() {
        let mut changed = Changed::default();
        changed.add(payload, own);
        return Ok(Request::Changed(changed));
    }
    Err(
        "the payload asks for nothing: send {\"action\": \"plan\"} to plan over everything"
            .to_owned(),
    )
}

/// How to answer `CloudFormation`, whatever else is wrong with its request.
pub fn reply(payload: &Value) -> Option<Reply> {
    let text = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
    payload.get("RequestType")?;
    Some(Reply {
        url: payload["ResponseURL"].as_str()?.to_owned(),
        stack: text("StackId"),
        request: text("RequestId"),
        logical: text("LogicalResourceId"),
        physical: (payload["PhysicalResourceId"].as_str()).map(str::to_owned),
    })
}

impl Changed {
    fn add(&mut self, event: &Value, own: &str) {
        if is_own(event, own) {
            self.own += 1;
            return;
        }
        let found = if event["detail"].get("eventName").is_some() {
            of_call(event)
        } else if event["source"] == "aws.lambda" {
            of_state(event)
        } else {
            None
        };
        match found {
            Some(arn) => {
                self.functions.insert(arn);
            }
            None => self.ignored += 1,
        }
    }
}

/// Whether a call was made with the credentials of the controller, here or in another account.
fn is_own(event: &Value, own: &str) -> bool {
    let identity = &event["detail"]["userIdentity"];
    let session = (identity["arn"].as_str())
        .filter(|arn| arn.contains(":assumed-role/"))
        .and_then(|arn| arn.rsplit('/').next());
    session.is_some_and(|session| session == SESSION || !own.is_empty() && session == own)
}

/// The function of a call that `CloudTrail` recorded.
fn of_call(event: &Value) -> Option<String> {
    let detail = &event["detail"];
    let name = detail["eventName"].as_str()?;
    // `CreateFunction20150331` is one, `CreateFunctionUrlConfig` is not.
    let is_call = |call: &&str| {
        let rest = name.strip_prefix(*call);
        rest.is_some_and(|rest| rest.chars().next().is_none_or(|one| one.is_ascii_digit()))
    };
    if detail["eventSource"] != "lambda.amazonaws.com" || !CALLS.iter().any(is_call) {
        return None;
    }
    if !detail["errorCode"].is_null() {
        return None;
    }
    let parameters = &detail["requestParameters"];
    let given = [
        &detail["responseElements"]["functionArn"],
        &parameters["functionArn"],
        &parameters["resource"],
        &parameters["functionName"],
    ];
    let given = given.into_iter().find_map(Value::as_str)?;
    let region = detail["awsRegion"].as_str().or(event["region"].as_str());
    let account = (detail["recipientAccountId"].as_str()).or(event["account"].as_str());
    named(
        given,
        account.unwrap_or_default(),
        region.unwrap_or_default(),
    )
}

/// The function of an event of Lambda's own. AWS documents little of its form.
fn of_state(event: &Value) -> Option<String> {
    let resources = event["resources"].as_array().into_iter().flatten();
    let mut resources = resources.filter_map(Value::as_str);
    if let Some(arn) = resources.find_map(unqualified) {
        return Some(arn);
    }
    if let Some(arn) = first_arn(&event["detail"], DEPTH) {
        return Some(arn);
    }
    let detail = event["detail"].as_object()?;
    let is_name = |key: &String| {
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        key.eq_ignore_ascii_case("functionname")
    };
    let (_, name) = detail.iter().find(|(key, _)| is_name(key))?;
    named(
        name.as_str()?,
        event["account"].as_str().unwrap_or_default(),
        event["region"].as_str().unwrap_or_default(),
    )
}

fn first_arn(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::String(text) => unqualified(text),
        Value::Array(list) if depth > 0 => list.iter().find_map(|it| first_arn(it, depth - 1)),
        Value::Object(members) if depth > 0 => {
            members.values().find_map(|it| first_arn(it, depth - 1))
        }
        _ => None,
    }
}

/// The ARN of a function, without version or alias.
fn unqualified(text: &str) -> Option<String> {
    let arn = Arn::parse(text).filter(|arn| arn.service == "lambda")?;
    let rest = arn.resource.strip_prefix("function:")?;
    let name = rest.split(':').next().filter(|name| is_name(name))?;
    let is_place = backstop_config::is_account(arn.account) && !arn.region.is_empty();
    is_place.then(|| {
        let (partition, region, account) = (arn.partition, arn.region, arn.account);
        format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
    })
}

/// The ARN of what a call names: an ARN, `ACCOUNT:function:NAME`, or a name, each with or without a qualifier.
fn named(given: &str, account: &str, region: &str) -> Option<String> {
    if given.starts_with("arn:") {
        return unqualified(given);
    }
    let name = match given.split_once(":function:") {
        Some((_, rest)) => rest,
        None => given,
    };
    let partition = match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    unqualified(&format!(
        "arn:{partition}:lambda:{region}:{account}:function:{name}"
    ))
}

fn is_name(name: &str) -> bool {
    let is_part = |one: char| one.is_ascii_alphanumeric() || "-_".contains(one);
    (1..=64).contains(&name.len()) && name.chars().all(is_part)
}

/// `aws_lambda_invocation` with `lifecycle_scope = "CRUD"`.
fn of_terraform(payload: &Value) -> Result<Resource, String> {
    let now = || functions(&payload["functions"]);
    let before = || functions(&payload["tf"]["prev_input"]["functions"]);
    match payload["tf"]["action"].as_str() {
        Some("create") => Ok(Resource {
            attach: now()?,
            ..Resource::default()
        }),
        Some("update") => {
            let attach = now()?;
            let detach = before().unwrap_or_default();
            Ok(Resource {
                detach: detach.difference(&attach).cloned().collect(),
                attach,
                reply: None,
            })
        }
        Some("delete") => Ok(Resource {
            detach: now()?,
            ..Resource::default()
        }),
        _ => Err("tf.action is none of create, update and delete".to_owned()),
    }
}

/// A custom resource with the property `Functions`.
fn of_cloudformation(payload: &Value) -> Result<Resource, String> {
    let now = || functions(&payload["ResourceProperties"]["Functions"]);
    let before = functions(&payload["OldResourceProperties"]["Functions"]);
    let reply = reply(payload);
    match payload["RequestType"].as_str() {
        Some("Create") => Ok(Resource {
            attach: now()?,
            detach: BTreeSet::new(),
            reply,
        }),
        Some("Update") => {
            let attach = now()?;
            let detach = before.unwrap_or_default();
            Ok(Resource {
                detach: detach.difference(&attach).cloned().collect(),
                attach,
                reply,
            })
        }
        // A creation that failed is deleted as well, whatever it asked for.
        Some("Delete") => Ok(Resource {
            attach: BTreeSet::new(),
            detach: now().unwrap_or_default(),
            reply,
        }),
        _ => Err("RequestType is none of Create, Update and Delete".to_owned()),
    }
}

fn functions(list: &Value) -> Result<BTreeSet<String>, String> {
    let list = list.as_array().filter(|list| !list.is_empty());
    let list = list.ok_or("`functions` is not a list of ARNs of functions")?;
    let arns = list.iter().map(|one| {
        let arn = one.as_str().and_then(unqualified);
        arn.ok_or_else(|| "`functions` has an entry that is not the ARN of a function".to_owned())
    });
    arns.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ORDERS: &str = "arn:aws:lambda:eu-west-1:111122223333:function:orders";

    fn call(name: &str, parameters: &Value) -> Value {
        json!({
            "source": "aws.lambda",
            "detail-type": "AWS API Call via CloudTrail",
            "account": "111122223333",
            "region": "eu-west-1",
            "detail": {
                "eventSource": "lambda.amazonaws.com",
                "eventName": name,
                "awsRegion": "eu-west-1",
                "requestParameters": parameters,
            },
        })
    }

    fn changed(event: &Value) -> Changed {
        match read(event, "controller") {
            Ok(Request::Changed(changed)) => changed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_names_a_function_in_any_form() {
        for (name, parameters) in [
            (
                "CreateFunction20150331",
                json!({ "functionName": "orders" }),
            ),
            (
                "UpdateFunctionConfiguration20150331v2",
                json!({ "functionName": "111122223333:function:orders" }),
            ),
            (
                "UpdateFunctionCode20150331v2",
                json!({ "functionName": format!("{ORDERS}:live") }),
            ),
            ("TagResource20170331v2", json!({ "resource": ORDERS })),
        ] {
            let found = changed(&call(name, &parameters));
            assert_eq!(
                found.functions,
                BTreeSet::from([ORDERS.to_owned()]),
                "{name}"
            );
        }
    }

    #[test]
    fn other_calls_failed_ones_and_strange_names_are_ignored() {
        let mut failed = call(
            "CreateFunction20150331",
            &json!({ "functionName": "orders" }),
        );
        failed["detail"]["errorCode"] = "AccessDenied".into();
        let mut other = call(
            "CreateFunction20150331",
            &json!({ "functionName": "orders" }),
        );
        other["detail"]["eventSource"] = "s3.amazonaws.com".into();
        for event in [
            failed,
            other,
            call(
                "CreateFunctionUrlConfig",
                &json!({ "functionName": "orders" }),
            ),
            call(
                "DeleteFunction20150331",
                &json!({ "functionName": "orders" }),
            ),
            call("CreateFunction20150331", &json!({ "functionName": "../x" })),
            call("CreateFunction20150331", &json!({})),
            json!({ "source": "aws.s3", "detail": {} }),
        ] {
            let found = changed(&event);
            assert_eq!((found.functions.len(), found.ignored), (0, 1), "{event}");
        }
    }

    #[test]
    fn own_writes_are_known_here_and_in_other_accounts() {
        let mut event = call(
            "UpdateFunctionConfiguration20150331v2",
            &json!({ "functionName": "orders" }),
        );
        for (arn, own) in [
            (
                "arn:aws:sts::111122223333:assumed-role/any/controller",
                true,
            ),
            (
                "arn:aws:sts::444455556666:assumed-role/Deployer/backstop",
                true,
            ),
            ("arn:aws:sts::111122223333:assumed-role/any/alice", false),
            ("arn:aws:iam::111122223333:user/controller", false),
        ] {
            event["detail"]["userIdentity"]["arn"] = arn.into();
            assert_eq!(changed(&event).own, u64::from(own), "{arn}");
        }
    }

    #[test]
    fn an_event_of_lambda_is_read_wherever_it_names_the_function() {
        let event = |resources: Value, detail: Value| {
            json!({
                "source": "aws.lambda", "detail-type": "Lambda Function State Change",
                "account": "111122223333", "region": "eu-west-1",
                "resources": resources, "detail": detail,
            })
        };
        for event in [
            event(json!([ORDERS]), json!({})),
            event(
                json!([]),
                json!({ "function": { "arn": format!("{ORDERS}:3") } }),
            ),
            event(json!([]), json!({ "function-name": "orders" })),
            event(json!([]), json!({ "functionName": "orders" })),
        ] {
            let found = changed(&event);
            assert_eq!(
                found.functions,
                BTreeSet::from([ORDERS.to_owned()]),
                "{event}"
            );
        }
    }

    #[test]
    fn a_batch_names_each_function_once_and_survives_what_cannot_be_read() {
        let body = call(
            "CreateFunction20150331",
            &json!({ "functionName": "orders" }),
        )
        .to_string();
        let records = json!({ "Records": [
            { "body": body }, { "body": body }, { "body": "hunter2" }, {},
        ]});
        let found = changed(&records);
        assert_eq!((found.functions.len(), found.ignored), (1, 2));
    }

    #[test]
    fn a_resource_of_terraform_attaches_changes_and_detaches() {
        let pay = ORDERS.replace("orders", "pay");
        let of = |payload: &Value| match read(payload, "controller") {
            Ok(Request::Resource(resource)) => resource,
            other => panic!("{other:?}"),
        };
        let created = of(&json!({ "functions": [ORDERS], "tf": { "action": "create" } }));
        assert_eq!((created.attach.len(), created.detach.len()), (1, 0));
        let updated = of(&json!({
            "functions": [pay],
            "tf": { "action": "update", "prev_input": { "functions": [ORDERS, pay] } },
        }));
        assert_eq!(updated.attach, BTreeSet::from([pay]));
        assert_eq!(updated.detach, BTreeSet::from([ORDERS.to_owned()]));
        let deleted = of(&json!({ "functions": [ORDERS], "tf": { "action": "delete" } }));
        assert_eq!((deleted.attach.len(), deleted.detach.len()), (0, 1));
        for wrong in [
            json!({ "tf": { "action": "create" } }),
            json!({ "functions": ["orders"], "tf": { "action": "create" } }),
            json!({ "functions": [ORDERS], "tf": { "action": "read" } }),
        ] {
            assert!(read(&wrong, "controller").is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_deletion_by_cloudformation_is_never_refused() {
        let payload = json!({
            "RequestType": "Delete", "ResponseURL": "https://example.com/?hunter2",
            "StackId": "stack", "RequestId": "1", "LogicalResourceId": "Logs",
            "ResourceProperties": {},
        });
        let Ok(Request::Resource(resource)) = read(&payload, "controller") else {
            panic!("it is a resource");
        };
        assert!(resource.detach.is_empty());
        assert!(!format!("{resource:?}").contains("hunter2"));
        assert!(resource.reply.is_some());
    }

    #[test]
    fn a_payload_that_asks_for_nothing_is_an_error() {
        assert!(read(&json!({}), "controller").is_err());
        for all in [
            json!({ "action": "plan" }),
            json!({ "detail-type": "Scheduled Event" }),
        ] {
            assert_eq!(read(&all, "controller"), Ok(Request::Everything));
        }
    }
}
