//! Roles: assuming one is how a caller becomes another account's.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::form::{Form, escaped, xml};
use crate::identity::Caller;
use crate::refusal::Refusal;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// A role that somebody became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumed {
    /// The account that asked.
    pub by: String,
    /// The role's ARN.
    pub role: String,
    /// The name of the session.
    pub session: String,
    /// What was said to be the external id.
    pub external_id: Option<String>,
    /// The session's tags.
    pub tags: BTreeMap<String, String>,
}

/// Who may become what.
#[derive(Debug, Default)]
pub(crate) struct Sts {
    /// Accounts without a role that anybody may assume.
    pub(crate) closed: BTreeSet<String>,
    /// The names of an account's roles, where not all are there.
    pub(crate) roles: BTreeMap<String, BTreeSet<String>>,
    /// What an account's roles demand.
    pub(crate) external_ids: BTreeMap<String, String>,
    pub(crate) assumed: Vec<Assumed>,
}

/// What a request asks for, and of what.
pub(crate) fn operation(body: &[u8]) -> Option<(&'static str, String)> {
    let form = Form::of(body);
    match form.get("Action")? {
        "AssumeRole" => Some(("AssumeRole", form.text("RoleArn"))),
        "GetCallerIdentity" => Some(("GetCallerIdentity", String::new())),
        _ => None,
    }
}

impl Sts {
    pub(crate) fn answer(
        &mut self,
        caller: &Caller,
        operation: &str,
        body: &[u8],
    ) -> Result<Response<Bytes>, Refusal> {
        if operation == "AssumeRole" {
            self.assume(caller, &Form::of(body))
        } else {
            Ok(identity(caller))
        }
    }

    /// Keys of the role's account, unless its doors are closed. What is missing and what is forbidden
    /// look alike.
    fn assume(&mut self, caller: &Caller, form: &Form) -> Result<Response<Bytes>, Refusal> {
        let arn = form.text("RoleArn");
        let account = arn.split(':').nth(4).unwrap_or_default().to_owned();
        let role = arn.rsplit('/').next().unwrap_or_default();
        let external_id = form.get("ExternalId").map(str::to_owned);
        let is_there = (self.roles.get(&account)).is_none_or(|roles| roles.contains(role));
        let demanded = self.external_ids.get(&account);
        let is_open = account.len() == 12 && !self.closed.contains(&account);
        if !is_open || !is_there || demanded.is_some_and(|id| Some(id) != external_id.as_ref()) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "AccessDenied",
                format!("User is not authorized to perform: sts:AssumeRole on resource: {arn}"),
            ));
        }
        let session = form.text("RoleSessionName");
        if session.len() < 2 {
            return Err(Refusal::bad(
                "ValidationError",
                "Value at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2",
            ));
        }
        let (keys, values) = (form.list("Tags", ".Key"), form.list("Tags", ".Value"));
        self.assumed.push(Assumed {
            by: caller.place.account.clone(),
            role: arn.clone(),
            session: session.clone(),
            external_id,
            tags: keys.into_iter().zip(values).collect(),
        });
        let result = format!(
            "<AssumedRoleUser><AssumedRoleId>AROA:{session}</AssumedRoleId>\
             <Arn>arn:aws:sts::{account}:assumed-role/{role}/{session}</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
             <SessionToken>session/{role}/{session}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        );
        Ok(xml(NAMESPACE, "AssumeRole", &result))
    }
}

/// The key says which account it is of, and the token which session.
fn identity(caller: &Caller) -> Response<Bytes> {
    let account = &caller.place.account;
    let (arn, user) = match &caller.session {
        Some(session) => (
            format!("arn:aws:sts::{account}:assumed-role/{session}"),
            "AROA:session",
        ),
        None => (format!("arn:aws:iam::{account}:user/operator"), "AIDA"),
    };
    let result = format!(
        "<Arn>{}</Arn><UserId>{user}</UserId><Account>{account}</Account>",
        escaped(&arn)
    );
    xml(NAMESPACE, "GetCallerIdentity", &result)
}
