//! What an invocation asks for.
//!
//! Events are hints: they name functions, and the plan decides what is done with these. Must not: take
//! anything but names from an event.

mod changed;

use std::collections::BTreeSet;

use serde_json::Value;

pub use changed::Changed;
use changed::unqualified;

/// Owns what Terraform asks for: its requests name no resource.
const TERRAFORM: &str = "terraform";
/// What the name begins with that `CloudFormation` has of a resource.
const PHYSICAL: &str = "backstop-";
/// The same of one that attached nothing: there is nothing to take back.
const PHYSICAL_OF_NONE: &str = "backstop-none-";

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

/// A resource that owns the attachment of functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// What its runs are known by in the state.
    pub owner: String,
    /// ARNs of functions to attach.
    pub attach: BTreeSet<String>,
    /// Functions to detach.
    pub detach: Detach,
    /// How to answer, if `CloudFormation` asked.
    pub reply: Option<Reply>,
}

/// Functions to detach: of them, those that the resource attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detach {
    /// These, by ARN.
    Named(BTreeSet<String>),
    /// All that it does not ask to attach, whatever its properties say or said: a stack must be able to go
    /// back from properties that cannot be read.
    Others,
}

/// What `CloudFormation` wants to know again.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// Where the answer goes. As good as a secret: it is signed.
    pub url: String,
    pub stack: String,
    pub request: String,
    /// The resource's name in the template.
    pub logical: String,
    /// The resource itself; none before it is made.
    pub physical: Option<String>,
    /// Whether the resource goes away.
    pub is_deletion: bool,
}

impl Reply {
    /// Whether the resource goes away and never attached a function: nothing has to be read for that.
    pub fn is_nothing_to_do(&self) -> bool {
        let of_none = |physical: &str| physical.starts_with(PHYSICAL_OF_NONE);
        self.is_deletion && self.physical.as_deref().is_some_and(of_none)
    }

    /// The resource's name from now on. `CloudFormation` deletes what had another name: so it changes from
    /// that of nothing only.
    pub fn physical(&self, has_attached: bool) -> String {
        match &self.physical {
            Some(physical) if !has_attached || !physical.starts_with(PHYSICAL_OF_NONE) => {
                physical.clone()
            }
            _ if has_attached => format!("{PHYSICAL}{}", self.logical),
            _ => format!("{PHYSICAL_OF_NONE}{}", self.logical),
        }
    }

    fn owner(&self) -> String {
        format!("cloudformation {} {}", self.stack, self.logical)
    }
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
        is_deletion: payload["RequestType"] == "Delete",
    })
}

/// `aws_lambda_invocation` with `lifecycle_scope = "CRUD"`.
fn of_terraform(payload: &Value) -> Result<Resource, String> {
    let now = || functions(&payload["functions"]);
    let before = || functions(&payload["tf"]["prev_input"]["functions"]);
    let (attach, detach) = match payload["tf"]["action"].as_str() {
        Some("create") => (now()?, BTreeSet::new()),
        Some("update") => {
            let attach = now()?;
            let detach = before().unwrap_or_default();
            let detach = detach.difference(&attach).cloned().collect();
            (attach, detach)
        }
        // Of a list that cannot be read nothing was attached.
        Some("delete") => (BTreeSet::new(), now().unwrap_or_default()),
        _ => return Err("tf.action is none of create, update and delete".to_owned()),
    };
    Ok(Resource {
        owner: TERRAFORM.to_owned(),
        attach,
        detach: Detach::Named(detach),
        reply: None,
    })
}

/// A custom resource with the property `Functions`.
fn of_cloudformation(payload: &Value) -> Result<Resource, String> {
    let reply = reply(payload).ok_or("ResponseURL is missing")?;
    let attach = match payload["RequestType"].as_str() {
        Some("Create" | "Update") => functions(&payload["ResourceProperties"]["Functions"])?,
        // Whatever it asked for: a creation that failed is deleted as well.
        Some("Delete") => BTreeSet::new(),
        _ => return Err("RequestType is none of Create, Update and Delete".to_owned()),
    };
    Ok(Resource {
        owner: reply.owner(),
        attach,
        detach: Detach::Others,
        reply: Some(reply),
    })
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

    #[test]
    fn a_resource_of_terraform_attaches_changes_and_detaches() {
        let pay = ORDERS.replace("orders", "pay");
        let of = |payload: &Value| match read(payload, "controller") {
            Ok(Request::Resource(resource)) => resource,
            other => panic!("{other:?}"),
        };
        let none = Detach::Named(BTreeSet::new());
        let orders = Detach::Named(BTreeSet::from([ORDERS.to_owned()]));
        let created = of(&json!({ "functions": [ORDERS], "tf": { "action": "create" } }));
        assert_eq!((created.attach.len(), &created.detach), (1, &none));
        let updated = of(&json!({
            "functions": [pay],
            "tf": { "action": "update", "prev_input": { "functions": [ORDERS, pay] } },
        }));
        assert_eq!(updated.attach, BTreeSet::from([pay]));
        assert_eq!(updated.detach, orders);
        let deleted = of(&json!({ "functions": [ORDERS], "tf": { "action": "delete" } }));
        assert_eq!((deleted.attach.len(), &deleted.detach), (0, &orders));
        let deleted = of(&json!({ "functions": "orders", "tf": { "action": "delete" } }));
        assert_eq!(deleted.detach, none);
        for wrong in [
            json!({ "tf": { "action": "create" } }),
            json!({ "functions": ["orders"], "tf": { "action": "create" } }),
            json!({ "functions": [ORDERS], "tf": { "action": "read" } }),
        ] {
            assert!(read(&wrong, "controller").is_err(), "{wrong}");
        }
    }

    fn request(kind: &str, physical: Option<&str>) -> Value {
        json!({
            "RequestType": kind, "ResponseURL": "https://example.com/?hunter2",
            "StackId": "stack", "RequestId": "1", "LogicalResourceId": "Logs",
            "PhysicalResourceId": physical, "ResourceProperties": { "Functions": "orders" },
        })
    }

    #[test]
    fn a_deletion_by_cloudformation_is_never_refused() {
        let Ok(Request::Resource(resource)) = read(&request("Delete", None), "controller") else {
            panic!("it is a resource");
        };
        assert_eq!(resource.detach, Detach::Others);
        assert!(!format!("{resource:?}").contains("hunter2"));
        assert!(resource.reply.is_some());
        assert!(read(&request("Create", None), "controller").is_err());
    }

    #[test]
    fn a_resource_changes_its_name_only_when_it_attaches_its_first_function() {
        for (before, has_attached, after) in [
            (None, false, "backstop-none-Logs"),
            (None, true, "backstop-Logs"),
            (Some("backstop-none-Logs"), false, "backstop-none-Logs"),
            (Some("backstop-none-Logs"), true, "backstop-Logs"),
            (Some("backstop-Logs"), false, "backstop-Logs"),
            (Some("kept"), true, "kept"),
        ] {
            let reply = reply(&request("Update", before)).expect("it is a request");
            assert_eq!(reply.physical(has_attached), after, "{before:?}");
        }
        for (kind, physical, is_nothing) in [
            ("Delete", "backstop-none-Logs", true),
            ("Delete", "backstop-Logs", false),
            ("Update", "backstop-none-Logs", false),
        ] {
            let reply = reply(&request(kind, Some(physical))).expect("it is a request");
            assert_eq!(reply.is_nothing_to_do(), is_nothing, "{kind} {physical}");
        }
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
