//! The functions that events name: calls that `CloudTrail` recorded, and changes of state that Lambda reports.
//!
//! Invariant: a name may be anywhere in an event, but must be one that Lambda allows.

use std::collections::BTreeSet;

use backstop_config::Arn;
use backstop_fleet::fleet::SESSION_NAME;
use serde_json::Value;

/// Names of calls that `CloudTrail` records, without the date of the API at their end.
const CALLS: [&str; 5] = [
    "CreateFunction",
    "UpdateFunctionConfiguration",
    "UpdateFunctionCode",
    "TagResource",
    "UntagResource",
];
/// How many levels of an event are searched for a name.
const DEPTH: usize = 6;

/// Functions that events named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Their ARNs, without version or alias.
    pub functions: BTreeSet<String>,
    /// Events of the controller's own writes.
    pub own: u64,
    /// Events that name no function, or are about something else.
    pub ignored: u64,
}

impl Changed {
    pub(super) fn add(&mut self, event: &Value, own: &str) {
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
    session.is_some_and(|session| session == SESSION_NAME || !own.is_empty() && session == own)
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
pub(super) fn unqualified(text: &str) -> Option<String> {
    let arn = Arn::parse(text).filter(|arn| arn.service == "lambda")?;
    let rest = arn.resource.strip_prefix("function:")?;
    let name = rest.split(':').next().filter(|name| is_name(name))?;
    let is_place =
        backstop_config::is_account(arn.account) && backstop_config::is_region(arn.region);
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
    // The account that is written is the function's; the one that was called may be another.
    let (account, name) = match given.split_once(":function:") {
        Some((before, name)) => (before.rsplit(':').next().unwrap_or(account), name),
        None => (account, given.strip_prefix("function:").unwrap_or(given)),
    };
    let partition = backstop_config::partition_of(region);
    unqualified(&format!(
        "arn:{partition}:lambda:{region}:{account}:function:{name}"
    ))
}

fn is_name(name: &str) -> bool {
    let is_part = |one: char| one.is_ascii_alphanumeric() || "-_".contains(one);
    (1..=64).contains(&name.len()) && name.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Request, read};
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
    fn a_name_is_of_the_partition_of_its_region() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let arn = named("orders", "111122223333", region);
            let expected = format!("arn:{partition}:lambda:{region}:111122223333:function:orders");
            assert_eq!(arn, Some(expected));
        }
        for odd in ["", "EU", "eu west", "../x"] {
            assert_eq!(named("orders", "111122223333", odd), None, "{odd}");
        }
    }

    #[test]
    fn a_partial_arn_says_the_account() {
        for (given, function) in [
            (
                "444455556666:function:orders",
                "444455556666:function:orders",
            ),
            (
                "444455556666:function:orders:live",
                "444455556666:function:orders",
            ),
            ("function:orders", "111122223333:function:orders"),
            ("myfunction:live", "111122223333:function:myfunction"),
        ] {
            let expected = format!("arn:aws:lambda:eu-west-1:{function}");
            assert_eq!(named(given, "111122223333", "eu-west-1"), Some(expected));
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
}
