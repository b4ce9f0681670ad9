//! Reads and writes the JSON of a policy. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use backstop_archive::{Need, NeedKind};
use backstop_config::{Arn, Settings};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fleet::Place;

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    /// Such as `s3:PutObject`.
    pub action: String,
    /// An ARN, with `*` at its end for whatever follows.
    pub resource: String,
    /// The services through which alone the resource may be used: a pattern for `kms:ViaService`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via_service: Option<String>,
}

impl From<Need> for Permission {
    fn from(need: Need) -> Self {
        Self {
            action: need.kind.action().to_owned(),
            via_service: need.kind.via().map(str::to_owned),
            resource: need.resource,
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {}", self.action, self.resource)?;
        match &self.via_service {
            Some(service) => write!(formatter, " through {service}"),
            None => Ok(()),
        }
    }
}

/// What a function with these variables needs for its fallbacks and its primary's token.
pub fn needs(
    variables: &BTreeMap<String, String>,
    place: &Place,
    partition: &str,
) -> BTreeSet<Permission> {
    let mut variables = variables.clone();
    variables.insert("AWS_REGION".to_owned(), place.region.clone());
    let (mut settings, _) = Settings::resolve(&variables);
    // What the extension refuses needs nothing; the doctor says that it does.
    settings.keep_to_account(&place.account);
    (backstop_archive::needs(&settings, partition, &place.account).into_iter())
        .map(Permission::from)
        .collect()
}

/// The policy with what is needed; none where it has all of it. What is there stays, in its words.
pub fn merged(
    document: Option<&str>,
    needed: &BTreeSet<Permission>,
) -> Result<Option<String>, &'static str> {
    const PROBLEM: &str = "cannot parse its policy backstop-fallback";
    let mut policy: Value = match document {
        Some(document) => serde_json::from_str(document).map_err(|_| PROBLEM)?,
        None => json!({ "Version": "2012-10-17", "Statement": [] }),
    };
    let statements = policy.get_mut("Statement").ok_or(PROBLEM)?;
    if statements.is_object() {
        *statements = Value::Array(vec![statements.take()]);
    }
    let statements = statements.as_array_mut().ok_or(PROBLEM)?;
    let granted: BTreeSet<Permission> = statements.iter().flat_map(granted).collect();
    let is_granted = |needed: &Permission| {
        // What is allowed through any service is allowed through this one.
        let unbound = Permission {
            via_service: None,
            ..needed.clone()
        };
        granted.contains(needed) || granted.contains(&unbound)
    };
    let mut missing: BTreeMap<(&str, Option<&str>), Vec<&str>> = BTreeMap::new();
    for permission in needed.iter().filter(|it| !is_granted(it)) {
        let what = (&*permission.action, permission.via_service.as_deref());
        missing.entry(what).or_default().push(&permission.resource);
    }
    if missing.is_empty() {
        return Ok(None);
    }
    let added = missing.into_iter().map(|((action, via), resources)| {
        let mut statement = json!({ "Effect": "Allow", "Action": action, "Resource": resources });
        if let Some(via) = via {
            statement["Condition"] = via_condition(via);
        }
        statement
    });
    statements.extend(added);
    Ok(Some(policy.to_string()))
}

fn via_condition(service: &str) -> Value {
    json!({ "StringLike": { "kms:ViaService": service } })
}

/// Whether two documents are the same one, but for how they are written.
pub fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            one == other || value(one).is_some() && value(one) == value(other)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Whether it is one of the permissions that a fallback or the primary's token may need.
pub(super) fn is_fallbacks(permission: &Permission) -> bool {
    let kind = (NeedKind::ALL.into_iter()).find(|kind| {
        kind.action() == permission.action && kind.via() == permission.via_service.as_deref()
    });
    let Some(kind) = kind else {
        return false;
    };
    let service = kind.action().split(':').next();
    // Of secrets and keys, each is named.
    let is_named = |resource: &str| match kind {
        NeedKind::Objects => !resource.starts_with('*'),
        _ => !resource.contains('*'),
    };
    Arn::parse(&permission.resource)
        .is_some_and(|arn| Some(arn.service) == service && is_named(arn.resource))
}

/// Whether every statement of one document is in the other too.
pub(super) fn is_within(one: Option<&str>, other: Option<&str>) -> bool {
    let statements = |text: Option<&str>| -> Option<Vec<Value>> {
        let Some(text) = text else {
            return Some(Vec::new());
        };
        let mut policy: Value = serde_json::from_str(text).ok()?;
        match policy.get_mut("Statement")?.take() {
            Value::Array(statements) => Some(statements),
            statement => Some(vec![statement]),
        }
    };
    match (statements(one), statements(other)) {
        (Some(one), Some(other)) => one.iter().all(|it| other.contains(it)),
        _ => false,
    }
}

/// What a document grants, as far as a fallback can rely on it.
pub fn permissions(document: Option<&str>) -> BTreeSet<Permission> {
    let policy: Value = document
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    match &policy["Statement"] {
        Value::Array(statements) => statements.iter().flat_map(granted).collect(),
        one => granted(one).into_iter().collect(),
    }
}

/// A statement with any condition but the one we write ourselves may not apply.
fn granted(statement: &Value) -> Vec<Permission> {
    let condition = &statement["Condition"];
    let via = condition["StringLike"]["kms:ViaService"].as_str();
    let is_ours = via.is_some_and(|via| *condition == via_condition(via));
    if statement["Effect"] != "Allow" || !(condition.is_null() || is_ours) {
        return Vec::new();
    }
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(texts) => {
                let texts = texts.iter().filter_map(Value::as_str);
                texts.map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    };
    let resources = texts(&statement["Resource"]);
    let of = |action: String| {
        resources.iter().map(move |resource| Permission {
            action: action.clone(),
            resource: resource.clone(),
            via_service: via.map(str::to_owned),
        })
    };
    texts(&statement["Action"])
        .into_iter()
        .flat_map(of)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(action: &str, resource: &str) -> Permission {
        Permission {
            action: action.to_owned(),
            resource: resource.to_owned(),
            via_service: None,
        }
    }

    /// The cases that each author of permissions is held to.
    #[test]
    fn roles_are_granted_what_the_file_of_permissions_says() {
        let file: Value = serde_json::from_str(include_str!("../../../archive/permissions.json"))
            .expect("the file is JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let place = Place {
            account: text(&file["account"]),
            region: text(&file["region"]),
        };
        for case in file["cases"].as_array().expect("cases") {
            let variables = case["environment"].as_object().expect("variables");
            let variables = (variables.iter())
                .map(|(name, value)| (name.clone(), text(value)))
                .collect();
            let needed = needs(&variables, &place, "aws");
            let expected: Vec<Value> = case["statements"].as_array().expect("a list").clone();
            let granted: BTreeSet<Permission> = expected.iter().flat_map(granted).collect();
            assert_eq!(needed, granted, "{}", case["case"]);
            assert!(needed.iter().all(is_fallbacks), "{}", case["case"]);
            // What is written into an empty policy, statement by statement.
            let written = merged(None, &needed).expect("it is valid");
            let written: Value = written.map_or(json!({ "Statement": [] }), |text| {
                serde_json::from_str(&text).expect("it is JSON")
            });
            let mut written: Vec<Value> = written["Statement"].as_array().expect("a list").clone();
            for statement in &mut written {
                statement["Resource"] = statement["Resource"][0].take();
            }
            assert!(
                written.len() == expected.len() && expected.iter().all(|it| written.contains(it)),
                "{}: {written:?}",
                case["case"]
            );
        }
    }

    #[test]
    fn what_is_missing_is_added_and_what_is_there_stays() {
        let needed = BTreeSet::from([permission("s3:PutObject", "a"), permission("kms:X", "k")]);
        let first = merged(None, &needed).expect("valid").expect("new");
        assert_eq!(permissions(Some(&first)), needed);
        assert_eq!(merged(Some(&first), &needed), Ok(None));
        let theirs = r#"{"Version":"2008-10-17","Id":"x","Statement":{"Sid":"S","Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":"a"}}"#;
        let both = merged(Some(theirs), &needed).expect("valid").expect("more");
        let policy: Value = serde_json::from_str(&both).expect("JSON");
        assert_eq!(
            (&policy["Id"], &policy["Version"]),
            (&json!("x"), &json!("2008-10-17"))
        );
        assert_eq!(policy["Statement"][0]["Sid"], "S");
        assert_eq!(policy["Statement"].as_array().map(Vec::len), Some(2));
        assert!(permissions(Some(&both)).is_superset(&permissions(Some(theirs))));
        // With a condition it is not ours to count on.
        let bound = r#"{"Statement":[{"Effect":"Allow","Action":"kms:X","Resource":"k","Condition":{"Bool":{"a":"b"}}}]}"#;
        assert!(permissions(Some(bound)).is_empty());
        // With the one that we write it is, and without any it is more than that.
        let key = Permission {
            via_service: Some("s3.*".to_owned()),
            ..permission("kms:X", "k")
        };
        let needed_key = BTreeSet::from([key]);
        let ours = merged(None, &needed_key).expect("valid").expect("new");
        assert_eq!(permissions(Some(&ours)), needed_key);
        assert_eq!(merged(Some(&ours), &needed_key), Ok(None));
        assert_eq!(merged(Some(&both), &needed_key), Ok(None));
        assert!(merged(Some(&ours), &needed).is_ok_and(|more| more.is_some()));
        let with_more = ours.replace(r#""Condition":{"#, r#""Condition":{"Bool":{"a":"b"},"#);
        assert!(permissions(Some(&with_more)).is_empty());
        for broken in ["", "[]", r#"{"Statement":"all"}"#] {
            assert!(merged(Some(broken), &needed).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_plan_of_someone_else_grants_nothing_but_what_fallbacks_need() {
        for (action, resource, is_fine) in [
            ("s3:PutObject", "arn:aws:s3:::archive/backstop/*", true),
            (
                "firehose:PutRecordBatch",
                "arn:aws-cn:firehose:cn-north-1:111122223333:deliverystream/logs",
                true,
            ),
            // Only through S3: the file has those.
            (
                "kms:GenerateDataKey",
                "arn:aws:kms:eu-west-1:111122223333:key/1234",
                false,
            ),
            (
                "secretsmanager:GetSecretValue",
                "arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-AbCdEf",
                true,
            ),
            (
                "secretsmanager:GetSecretValue",
                "arn:aws:secretsmanager:eu-west-1:111122223333:secret:*",
                false,
            ),
            (
                "ssm:GetParameter",
                "arn:aws:ssm:eu-west-1:111122223333:parameter/team/*",
                false,
            ),
            (
                "kms:Decrypt",
                "arn:aws:kms:eu-west-1:111122223333:key/*",
                false,
            ),
            ("s3:PutObject", "arn:aws:s3:::*", false),
            ("s3:PutObject", "*", false),
            ("s3:*", "arn:aws:s3:::archive/backstop/*", false),
            (
                "iam:PassRole",
                "arn:aws:iam::111122223333:role/admin",
                false,
            ),
        ] {
            let found = is_fallbacks(&permission(action, resource));
            assert_eq!(found, is_fine, "{action} {resource}");
        }
        let one = r#"{"Statement":{"Effect":"Allow","Action":"a","Resource":"r"}}"#;
        let two = r#"{"Statement":[{"Action":"b","Effect":"Allow","Resource":"r","Condition":{}},{"Action":"a","Effect":"Allow","Resource":"r"}]}"#;
        assert!(is_within(Some(one), Some(two)) && is_within(None, Some(one)));
        assert!(!is_within(Some(two), Some(one)) && !is_within(Some("{}"), Some(two)));
    }

    #[test]
    fn a_document_is_the_same_however_it_is_written() {
        assert!(is_same(
            Some(r#"{"a":1,"b":[2]}"#),
            Some("{ \"b\": [2], \"a\": 1 }")
        ));
        assert!(!is_same(Some(r#"{"a":1}"#), Some(r#"{"a":2}"#)));
        assert!(!is_same(Some("not"), Some("other")) && !is_same(None, Some("{}")));
    }
}
