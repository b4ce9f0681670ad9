//! What policies allow: as much of their language as a role's inline policies are written in.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a role's policies say of one action on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed,
    ImplicitDeny,
    ExplicitDeny,
}

impl Decision {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ImplicitDeny => "implicitDeny",
            Self::ExplicitDeny => "explicitDeny",
        }
    }
}

/// A denial wins. A condition is met by what the context says and by nothing else.
pub(crate) fn decide<'all>(
    policies: impl Iterator<Item = &'all Value>,
    action: &str,
    resource: &str,
    context: &BTreeMap<String, String>,
) -> Decision {
    let mut decision = Decision::ImplicitDeny;
    for statement in policies.flat_map(|policy| listed(&policy["Statement"])) {
        if !is_met(&statement["Condition"], context) || !applies(statement, action, resource) {
            continue;
        }
        match statement["Effect"].as_str() {
            Some("Deny") => return Decision::ExplicitDeny,
            Some("Allow") => decision = Decision::Allowed,
            _ => {}
        }
    }
    decision
}

/// Whether the context meets the condition. The one operator that is known here is `StringLike`.
fn is_met(condition: &Value, context: &BTreeMap<String, String>) -> bool {
    let Some(operators) = condition.as_object() else {
        return condition.is_null();
    };
    operators.iter().all(|(operator, keys)| {
        let Some(keys) = keys.as_object().filter(|_| operator == "StringLike") else {
            return false;
        };
        keys.iter().all(|(key, patterns)| {
            let is_like = |pattern: &Value, value: &str| {
                pattern
                    .as_str()
                    .is_some_and(|pattern| matches(pattern, value))
            };
            let value = context.get(key);
            value.is_some_and(|value| listed(patterns).iter().any(|it| is_like(it, value)))
        })
    })
}

fn applies(statement: &Value, action: &str, resource: &str) -> bool {
    // Actions know no case, resources do.
    let action = action.to_lowercase();
    let is_action = |pattern: &str| matches(&pattern.to_lowercase(), &action);
    let is_resource = |pattern: &str| matches(pattern, resource);
    named(statement, ["Action", "NotAction"], is_action)
        && named(statement, ["Resource", "NotResource"], is_resource)
}

fn named(statement: &Value, [all, all_but]: [&str; 2], fits: impl Fn(&str) -> bool) -> bool {
    let any = |member: &str| {
        listed(&statement[member])
            .iter()
            .any(|pattern| pattern.as_str().is_some_and(&fits))
    };
    if statement[all_but].is_null() {
        any(all)
    } else {
        !any(all_but)
    }
}

/// One, or a list of them.
fn listed(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// `*` is anything, `?` any one character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut star) = ((0, 0), None);
    while at.1 < text.len() {
        match pattern.get(at.0) {
            Some(b'*') => {
                star = Some(at);
                at.0 += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[at.1] => at = (at.0 + 1, at.1 + 1),
            _ => {
                // The last star takes one more.
                let Some((before, taken)) = star else {
                    return false;
                };
                star = Some((before, taken + 1));
                at = (before + 1, taken + 1);
            }
        }
    }
    pattern[at.0..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_is_anything() {
        for (pattern, text, is_match) in [
            ("*", "", true),
            ("s3:Get*", "s3:GetObject", true),
            ("s3:Get*", "s3:PutObject", false),
            ("*:*:prefix/*/end", "a:b:c:prefix/x/y/end", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(matches(pattern, text), is_match, "{pattern} {text}");
        }
    }

    #[test]
    fn a_denial_wins_and_a_condition_is_not_met() {
        let policies = [
            json!({ "Statement": [
                { "Effect": "Allow", "Action": ["s3:*"], "Resource": "*" },
                { "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", "Condition": { "Bool": {} } },
            ]}),
            json!({ "Statement": { "Effect": "Deny", "Action": "S3:putobject", "Resource": "arn:aws:s3:::closed/*" } }),
        ];
        for (action, resource, decision) in [
            ("s3:PutObject", "arn:aws:s3:::open/a", Decision::Allowed),
            (
                "s3:PutObject",
                "arn:aws:s3:::closed/a",
                Decision::ExplicitDeny,
            ),
            ("sqs:SendMessage", "*", Decision::ImplicitDeny),
            ("firehose:PutRecordBatch", "*", Decision::ImplicitDeny),
        ] {
            let context = BTreeMap::new();
            let found = decide(policies.iter(), action, resource, &context);
            assert_eq!(found, decision, "{action}");
        }
        let all_but =
            [json!({ "Statement": { "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" } })];
        let context = BTreeMap::new();
        for (action, decision) in [
            ("s3:GetObject", Decision::Allowed),
            ("iam:GetRole", Decision::ImplicitDeny),
        ] {
            assert_eq!(decide(all_but.iter(), action, "*", &context), decision);
        }
    }

    #[test]
    fn a_condition_is_met_by_the_context_alone() {
        let allowed = |condition: Value, service: Option<&str>| {
            let policy = json!({ "Statement": {
                "Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition,
            }});
            let context = (service.iter())
                .map(|it| ("kms:ViaService".to_owned(), (*it).to_owned()))
                .collect();
            decide([&policy].into_iter(), "kms:Decrypt", "*", &context) == Decision::Allowed
        };
        let via = || json!({ "StringLike": { "kms:ViaService": "s3.*" } });
        assert!(allowed(via(), Some("s3.eu-west-1.amazonaws.com")));
        assert!(!allowed(via(), Some("lambda.eu-west-1.amazonaws.com")));
        assert!(!allowed(via(), None));
        let mut more = via();
        more["Bool"] = json!({ "aws:SecureTransport": "true" });
        assert!(!allowed(more, Some("s3.eu-west-1.amazonaws.com")));
    }
}
