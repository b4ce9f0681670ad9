//! Roles and the policies written into them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use crate::form::{Form, encoded, escaped, members, xml};
use crate::paging::Page;
use crate::policy;
use crate::refusal::Refusal;

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// Of all the policies of a role together, not counting white space.
const MOST_CHARACTERS: usize = 10_240;
const PAGE: usize = 100;

pub(crate) const OPERATIONS: [&str; 6] = [
    "GetRole",
    "GetRolePolicy",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "ListRolePolicies",
    "SimulatePrincipalPolicy",
];

/// Every role is there, unless a test took it away.
#[derive(Debug, Default)]
pub(crate) struct Iam {
    /// By account and role: the policies by name.
    policies: BTreeMap<(String, String), BTreeMap<String, String>>,
    pub(crate) missing: BTreeSet<(String, String)>,
    /// Those that nobody may write to.
    pub(crate) guarded: BTreeSet<(String, String)>,
}

/// What a request asks for, and of which role.
pub(crate) fn operation(body: &[u8]) -> Option<(&'static str, String)> {
    let form = Form::of(body);
    let action = form.get("Action")?;
    let operation = OPERATIONS.into_iter().find(|known| *known == action)?;
    let source = form.text("PolicySourceArn");
    let role = form.get("RoleName").or_else(|| source.rsplit('/').next());
    Some((operation, role.unwrap_or_default().to_owned()))
}

impl Iam {
    /// Writes a policy as somebody else would: nothing is checked.
    pub(crate) fn put(&mut self, account: &str, role: &str, name: &str, document: &str) {
        let role = (account.to_owned(), role.to_owned());
        let policies = self.policies.entry(role).or_default();
        policies.insert(name.to_owned(), document.to_owned());
    }

    pub(crate) fn policy(&self, account: &str, role: &str, name: &str) -> Option<&String> {
        let role = (account.to_owned(), role.to_owned());
        self.policies.get(&role)?.get(name)
    }

    pub(crate) fn answer(
        &mut self,
        account: &str,
        (operation, role): (&'static str, &str),
        body: &[u8],
    ) -> Result<Response<Bytes>, Refusal> {
        let form = Form::of(body);
        let key = (account.to_owned(), role.to_owned());
        let is_write = matches!(operation, "PutRolePolicy" | "DeleteRolePolicy");
        if is_write && self.guarded.contains(&key) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "AccessDenied",
                format!(
                    "User is not authorized to perform: iam:{operation} on resource: role {role}"
                ),
            ));
        }
        if self.missing.contains(&key) {
            return Err(no_entity(&format!(
                "The role with name {role} cannot be found."
            )));
        }
        let policies = self.policies.entry(key).or_default();
        let name = form.text("PolicyName");
        let absent = || {
            no_entity(&format!(
                "The role policy with name {name} cannot be found."
            ))
        };
        let result = match operation {
            "GetRole" => format!(
                "<Role><Path>/</Path><RoleName>{role}</RoleName><RoleId>AROA{account}</RoleId>\
                 <Arn>arn:aws:iam::{account}:role/{role}</Arn><CreateDate>2026-01-31T08:00:00Z</CreateDate>\
                 <AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument></Role>",
                encoded(TRUST)
            ),
            "GetRolePolicy" => format!(
                "<RoleName>{role}</RoleName><PolicyName>{name}</PolicyName><PolicyDocument>{}</PolicyDocument>",
                encoded(policies.get(&name).ok_or_else(absent)?)
            ),
            "PutRolePolicy" => {
                put(role, policies, name, form.text("PolicyDocument"))?;
                String::new()
            }
            "DeleteRolePolicy" => {
                policies.remove(&name).ok_or_else(absent)?;
                String::new()
            }
            "ListRolePolicies" => {
                let most = form.get("MaxItems").and_then(|text| text.parse().ok());
                let page = Page::new(form.get("Marker").map(str::to_owned), most, PAGE);
                let names = policies.keys().map(|name| (name.clone(), name.clone()));
                let (names, next) = page.of(names);
                let marker = next.as_ref().map(|next| format!("<Marker>{next}</Marker>"));
                format!(
                    "<PolicyNames>{}</PolicyNames><IsTruncated>{}</IsTruncated>{}",
                    members(names),
                    next.is_some(),
                    marker.unwrap_or_default()
                )
            }
            _ => simulated(policies, &form),
        };
        Ok(xml(NAMESPACE, operation, &result))
    }
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

fn put(
    role: &str,
    policies: &mut BTreeMap<String, String>,
    name: String,
    document: String,
) -> Result<(), Refusal> {
    let is_policy = serde_json::from_str::<Value>(&document)
        .is_ok_and(|policy| policy["Statement"].is_array() || policy["Statement"].is_object());
    if !is_policy {
        return Err(Refusal::bad(
            "MalformedPolicyDocument",
            "Syntax errors in policy.",
        ));
    }
    let others = policies.iter().filter(|(other, _)| **other != name);
    let characters = others
        .map(|(_, document)| document)
        .chain([&document])
        .flat_map(|document| document.chars())
        .filter(|character| !character.is_whitespace())
        .count();
    if characters > MOST_CHARACTERS {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "LimitExceeded",
            format!("Maximum policy size of {MOST_CHARACTERS} bytes exceeded for role {role}"),
        ));
    }
    policies.insert(name, document);
    Ok(())
}

/// One result for each action on each resource, all on one page.
fn simulated(policies: &BTreeMap<String, String>, form: &Form) -> String {
    // What the caller brings along is as if it were the role's.
    let brought = form.list("PolicyInputList", "");
    let policies: Vec<Value> = (policies.values().chain(&brought))
        .filter_map(|document| serde_json::from_str(document).ok())
        .collect();
    let mut resources = form.list("ResourceArns", "");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let names = form.list("ContextEntries", ".ContextKeyName");
    let values = form.list("ContextEntries", ".ContextKeyValues.member.1");
    let context: BTreeMap<String, String> = names.into_iter().zip(values).collect();
    let mut results = Vec::new();
    for action in form.list("ActionNames", "") {
        for resource in &resources {
            let decision = policy::decide(policies.iter(), &action, resource, &context).name();
            results.push(format!(
                "<EvalActionName>{}</EvalActionName><EvalResourceName>{}</EvalResourceName>\
                 <EvalDecision>{decision}</EvalDecision><MatchedStatements/><MissingContextValues/>",
                escaped(&action),
                escaped(resource)
            ));
        }
    }
    let results = members(results);
    format!("<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>")
}

fn no_entity(message: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "NoSuchEntity", message)
}
