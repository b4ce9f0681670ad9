//! What a policy says, and what it has to say: pure.

use std::collections::{BTreeMap, BTreeSet};

use backstop_config::{Fallback, Settings};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fleet::Place;

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Permission {
    /// Such as `s3:PutObject`.
    pub action: String,
    /// An ARN, with `*` at its end for whatever follows.
    pub resource: String,
}

/// What a function with these variables needs for its fallbacks.
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
    let mut needs = BTreeSet::new();
    let mut need = |action: &str, resource: String| {
        let action = action.to_owned();
        needs.insert(Permission { action, resource });
    };
    for fallback in settings.fallbacks {
        match fallback {
            Fallback::Firehose { stream, region, .. } => need(
                "firehose:PutRecordBatch",
                format!(
                    "arn:{partition}:firehose:{region}:{}:deliverystream/{stream}",
                    place.account
                ),
            ),
            Fallback::S3(archive) => {
                let (bucket, prefix) = (&archive.bucket, &archive.prefix);
                need(
                    "s3:PutObject",
                    format!("arn:{partition}:s3:::{bucket}/{prefix}/*"),
                );
                // An alias is no resource of a policy, and of an id the region is not known.
                let key = archive.kms_key_id.filter(|key| key.contains(":key/"));
                if let Some(key) = key {
                    need("kms:GenerateDataKey", key);
                }
            }
        }
    }
    needs
}

/// The policy with what is needed; none where it has all of it. What is there stays, in its words.
pub fn merged(
    document: Option<&str>,
    needed: &BTreeSet<Permission>,
) -> Result<Option<String>, &'static str> {
    const PROBLEM: &str = "its policy backstop-fallback cannot be understood";
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
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for permission in needed.difference(&granted) {
        let resources = missing.entry(&permission.action).or_default();
        resources.push(&permission.resource);
    }
    if missing.is_empty() {
        return Ok(None);
    }
    let added = missing.into_iter().map(
        |(action, resources)| json!({ "Effect": "Allow", "Action": action, "Resource": resources }),
    );
    statements.extend(added);
    Ok(Some(policy.to_string()))
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

/// Whether it is one of the permissions that a fallback may need.
pub(super) fn is_fallbacks(permission: &Permission) -> bool {
    let service = match permission.action.as_str() {
        "firehose:PutRecordBatch" => "firehose",
        "s3:PutObject" => "s3",
        "kms:GenerateDataKey" => "kms",
        _ => return false,
    };
    let mut parts = permission.resource.splitn(6, ':');
    parts.next() == Some("arn")
        && (parts.next()).is_some_and(|partition| partition.starts_with("aws"))
        && parts.next() == Some(service)
        && parts.nth(2).is_some_and(|name| !name.starts_with('*'))
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

/// What a document grants without a condition.
pub(super) fn permissions(document: Option<&str>) -> BTreeSet<Permission> {
    let policy: Value = document
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    match &policy["Statement"] {
        Value::Array(statements) => statements.iter().flat_map(granted).collect(),
        one => granted(one).into_iter().collect(),
    }
}

fn granted(statement: &Value) -> Vec<Permission> {
    if statement["Effect"] != "Allow" || !statement["Condition"].is_null() {
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
        })
    };
    texts(&statement["Action"])
        .into_iter()
        .flat_map(of)
        .collect()
}

/// A document as IAM gives it: percent-encoded.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |byte: &u8| char::from(*byte).to_digit(16);
        let pair = match (first, after) {
            (b'%', [high, low, after @ ..]) => hex(high).zip(hex(low)).map(|it| (it, after)),
            _ => None,
        };
        if let Some(((high, low), after)) = pair {
            bytes.extend(u8::try_from(high * 16 + low));
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            account: "111122223333".to_owned(),
            region: "cn-north-1".to_owned(),
        }
    }

    fn needed(variables: &[(&str, &str)]) -> Vec<String> {
        let variables = (variables.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        needs(&variables, &place(), "aws-cn")
            .into_iter()
            .map(|it| format!("{} {}", it.action, it.resource))
            .collect()
    }

    fn permission(action: &str, resource: &str) -> Permission {
        Permission {
            action: action.to_owned(),
            resource: resource.to_owned(),
        }
    }

    #[test]
    fn a_function_needs_what_its_fallbacks_do_and_nothing_else() {
        assert!(needed(&[("BACKSTOP_PRIMARY_URL", "https://host/")]).is_empty());
        let key = "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let all = [
            ("BACKSTOP_FIREHOSE_STREAM", "logs"),
            ("BACKSTOP_S3_BUCKET", "archive"),
            ("BACKSTOP_S3_PREFIX", "a/b/"),
            ("BACKSTOP_S3_KMS_KEY_ID", key),
        ];
        assert_eq!(
            needed(&all),
            [
                "firehose:PutRecordBatch arn:aws-cn:firehose:cn-north-1:111122223333:deliverystream/logs",
                &format!("kms:GenerateDataKey {key}"),
                "s3:PutObject arn:aws-cn:s3:::archive/a/b/*",
            ]
        );
        // Of an alias no policy can be made, and the prefix has a default.
        let alias = [all[1], ("BACKSTOP_S3_KMS_KEY_ID", "alias/logs")];
        assert_eq!(
            needed(&alias),
            ["s3:PutObject arn:aws-cn:s3:::archive/backstop/*"]
        );
        // Only the one that is used.
        let one = [all[0], all[1], ("BACKSTOP_FALLBACK", "s3")];
        assert_eq!(
            needed(&one),
            ["s3:PutObject arn:aws-cn:s3:::archive/backstop/*"]
        );
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
            (
                "kms:GenerateDataKey",
                "arn:aws:kms:eu-west-1:111122223333:key/1234",
                true,
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
        assert_eq!(
            decoded("%7B%22a%22%3A%20%22100%25%22%7D"),
            r#"{"a": "100%"}"#
        );
        assert_eq!(decoded("50% of %zz"), "50% of %zz");
    }
}
