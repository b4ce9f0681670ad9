//! Who may use a layer version: the wanted principals and the policy's. Pure.
//!
//! Invariant: a statement counts only where it grants exactly that; what is not understood is shown,
//! and never taken for what was wanted.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::parsing::{Unreadable, json};

/// The one action that a layer's policy can grant.
pub(super) const ACTION: &str = "lambda:GetLayerVersion";

/// Whom to share with, beside the account that a layer is in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Share {
    pub accounts: Vec<String>,
    /// Every account of this organisation.
    pub organization: Option<String>,
    /// Every account there is.
    pub public: bool,
}

/// Who is granted the use of a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    Account(String),
    /// An organisation's accounts.
    Organization(String),
    Everyone,
    /// A statement that was not written here.
    Other(String),
}

impl Share {
    /// Who is to be granted the use of a version in an account.
    pub(super) fn principals(&self, owner: &str) -> Vec<Principal> {
        let accounts = self.accounts.iter().filter(|account| *account != owner);
        let mut wanted: Vec<Principal> = accounts.cloned().map(Principal::Account).collect();
        wanted.extend(self.organization.clone().map(Principal::Organization));
        if self.public {
            wanted.push(Principal::Everyone);
        }
        wanted.sort();
        wanted.dedup();
        wanted
    }
}

impl Principal {
    /// The same each time, so that a grant is never made twice.
    pub(super) fn statement_id(&self) -> String {
        match self {
            Self::Account(account) => format!("backstop-account-{account}"),
            Self::Organization(organization) => format!("backstop-organization-{organization}"),
            Self::Everyone | Self::Other(_) => "backstop-public".to_owned(),
        }
    }

    /// What `AddLayerVersionPermission` takes: principal and organisation.
    pub(super) fn as_parameters(&self) -> (&str, Option<&str>) {
        match self {
            Self::Account(account) => (account, None),
            Self::Organization(organization) => ("*", Some(organization)),
            Self::Everyone | Self::Other(_) => ("*", None),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Account(text) | Self::Organization(text) | Self::Other(text) => text,
            Self::Everyone => "everyone",
        })
    }
}

impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whom a version's policy grants its use.
pub(super) fn granted(policy: &str) -> Result<Vec<Principal>, Unreadable> {
    let policy: Value = serde_json::from_str(policy).map_err(json)?;
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let mut granted: Vec<Principal> = statements.iter().flat_map(principals).collect();
    granted.sort();
    granted.dedup();
    Ok(granted)
}

fn principals(statement: &Value) -> Vec<Principal> {
    let other = || {
        let id = statement["Sid"].as_str().unwrap_or("without an id");
        vec![Principal::Other(format!("statement {id}"))]
    };
    if statement["Effect"] != "Allow" || strings(&statement["Action"]) != [ACTION] {
        return other();
    }
    let named = match &statement["Principal"] {
        Value::Object(by) if by.len() == 1 => strings(&by.get("AWS").cloned().unwrap_or_default()),
        by => strings(by),
    };
    let condition = statement.get("Condition").filter(|it| !it.is_null());
    match (&named[..], condition) {
        ([all], None) if all == "*" => vec![Principal::Everyone],
        ([all], Some(condition)) if all == "*" => match organization(condition) {
            Some(organization) => vec![Principal::Organization(organization)],
            None => other(),
        },
        ([], _) | (_, Some(_)) => other(),
        (accounts, None) => (accounts.iter())
            .map(|account| Principal::Account(account_of(account).to_owned()))
            .collect(),
    }
}

/// One text or a list of them.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => (list.iter())
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// Of a condition that says only that.
fn organization(condition: &Value) -> Option<String> {
    let tests = condition.as_object().filter(|tests| tests.len() == 1)?;
    let keys = tests.get("StringEquals")?.as_object()?;
    let values = keys.get("aws:PrincipalOrgID").filter(|_| keys.len() == 1)?;
    match &strings(values)[..] {
        [one] => Some(one.clone()),
        _ => None,
    }
}

/// Its number, where it is the whole account's.
fn account_of(principal: &str) -> &str {
    let number = (principal.strip_suffix(":root"))
        .and_then(|arn| arn.rsplit("::").next())
        .unwrap_or(principal);
    if backstop_config::is_account(number) {
        number
    } else {
        principal
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn granted_by(statement: &Value) -> Vec<String> {
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let granted = granted(&policy).expect("it is JSON");
        granted.iter().map(ToString::to_string).collect()
    }

    fn statement(principal: &Value, condition: &Value) -> Value {
        json!({ "Sid": "s", "Effect": "Allow", "Action": ACTION, "Principal": principal, "Condition": condition })
    }

    #[test]
    fn a_statement_counts_for_exactly_what_it_grants() {
        let root = json!({ "AWS": "arn:aws-cn:iam::111122223333:root" });
        let two = json!({ "AWS": ["111122223333", "arn:aws:iam::222233334444:root"] });
        let everyone = json!({ "AWS": "*" });
        let organization = json!({ "StringEquals": { "aws:PrincipalOrgID": "o-abc1234567" } });
        let narrower = json!({ "StringEquals": { "aws:PrincipalOrgID": "o-abc1234567", "aws:SourceVpc": "vpc-1" } });
        let liker = json!({ "StringLike": { "aws:PrincipalOrgID": "o-*" } });
        for (statement, expected) in [
            (statement(&root, &Value::Null), &["111122223333"][..]),
            (
                statement(&two, &Value::Null),
                &["111122223333", "222233334444"],
            ),
            (statement(&json!("*"), &Value::Null), &["everyone"]),
            (statement(&everyone, &Value::Null), &["everyone"]),
            (statement(&everyone, &organization), &["o-abc1234567"]),
            (statement(&everyone, &narrower), &["statement s"]),
            (statement(&everyone, &liker), &["statement s"]),
            (statement(&root, &organization), &["statement s"]),
            (
                statement(&json!({ "Service": "lambda.amazonaws.com" }), &Value::Null),
                &["statement s"],
            ),
            (
                json!({ "Effect": "Deny", "Action": ACTION, "Principal": "*" }),
                &["statement without an id"],
            ),
            (
                json!({ "Sid": "s", "Effect": "Allow", "Action": "lambda:Other", "Principal": "*" }),
                &["statement s"],
            ),
            (
                statement(
                    &json!({ "AWS": "arn:aws:iam::111122223333:role/one" }),
                    &Value::Null,
                ),
                &["arn:aws:iam::111122223333:role/one"],
            ),
        ] {
            assert_eq!(granted_by(&statement), expected, "{statement}");
        }
        assert_eq!(granted("{}").expect("it is JSON"), []);
        assert!(granted("no policy").is_err());
    }

    #[test]
    fn each_is_wanted_once_and_the_owner_not_at_all() {
        let twice = ["222233334444", "111122223333", "222233334444"];
        let share = Share {
            accounts: twice.map(str::to_owned).to_vec(),
            organization: Some("o-abc1234567".to_owned()),
            public: false,
        };
        let ids: Vec<String> = (share.principals("111122223333").iter())
            .map(Principal::statement_id)
            .collect();
        assert_eq!(
            ids,
            [
                "backstop-account-222233334444",
                "backstop-organization-o-abc1234567"
            ]
        );
    }
}
