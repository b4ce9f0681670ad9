//! What policies allow: as much of their language as a role's inline policies are written in.

use serde_json::Value;

/// What a role's policies say of one action on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Allowed,
    ImplicitDeny,
    ExplicitDeny,
}

impl Decision {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ImplicitDeny => "implicitDeny",
            Self::ExplicitDeny => "explicitDeny",
        }
    }
}

/// A denial wins. A statement with a condition does not apply, as nothing is known that could meet it.
pub(super) fn decide<'all>(
    policies: impl Iterator<Item = &'all Value>,
    action: &str,
    resource: &str,
) -> Decision {
    let mut decision = Decision::ImplicitDeny;
    for statement in policies.flat_map(|policy| listed(&policy["Statement"])) {
        if !statement["Condition"].is_null() || !applies(statement, action, resource) {
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
            assert_eq!(decide(policies.iter(), action, resource), decision);
        }
        let all_but =
            [json!({ "Statement": { "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" } })];
        assert_eq!(
            decide(all_but.iter(), "s3:GetObject", "*"),
            Decision::Allowed
        );
        assert_eq!(
            decide(all_but.iter(), "iam:GetRole", "*"),
            Decision::ImplicitDeny
        );
    }
}
