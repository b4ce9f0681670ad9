//! Groups functions with the same message: their number, and some of their names.
//!
//! A reason names the function that it is about: [`gist`] takes that out, so that the same denial of ten
//! thousand functions is one. Invariants: a reason that one function has stays as it is; every function
//! is counted. Must not: leave out what differs between two reasons but for the function and its place.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use backstop_common::UNTRIED;

use crate::plural;

/// Names that are listed at one place.
const NAMES: usize = 4;
/// Places that are listed for one reason.
const PLACES: usize = 10;

/// A function, and what is said of it.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    pub account: &'a str,
    pub region: &'a str,
    pub name: &'a str,
    /// What is said.
    pub reason: &'a str,
}

/// Reasons with the functions that they are about, each reason once, in the order in which it came first. A
/// reason that only one has stays on its line; of many the first few are named, and all where `full`.
pub fn by_reason<'a>(items: impl IntoIterator<Item = Item<'a>>, full: bool) -> String {
    let mut groups: Vec<(String, Vec<Item<'a>>)> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for item in items {
        let gist = gist(item.reason, item.account, item.region, item.name);
        let at = *known.entry(gist.clone()).or_insert(groups.len());
        match groups.get_mut(at) {
            Some((_, items)) => items.push(item),
            None => groups.push((gist, vec![item])),
        }
    }
    let mut text = String::new();
    for (gist, items) in groups {
        let shared = match items.as_slice() {
            [one, others @ ..] if others.iter().all(|it| it.reason == one.reason) => one.reason,
            _ => &gist,
        };
        let reason = shared.replace('\n', "\n      ");
        let (first, is_one) = (items.first(), items.len() == 1);
        let head = match first.filter(|_| is_one) {
            Some(it) => format!("{} {} {}", it.account, it.region, it.name),
            None => plural(items.len() as u64, "function"),
        };
        // Writing to a String cannot fail.
        writeln!(text, "  {head}: {reason}").unwrap_or_default();
        if !is_one {
            let named = items.iter().map(|it| {
                let place = format!("{} {}", it.account, it.region);
                (place, it.name.to_owned())
            });
            for line in names(named, full) {
                writeln!(text, "    {line}").unwrap_or_default();
            }
        }
    }
    text
}

/// The names at each place, a line each: the first few of them, or all where `full`.
pub fn names(named: impl IntoIterator<Item = (String, String)>, full: bool) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (place, name) in named {
        places.entry(place).or_default().push(name);
    }
    let left_out = places.len().saturating_sub(PLACES);
    let shown = if full { places.len() } else { PLACES };
    let hidden: usize = places.values().skip(shown).map(Vec::len).sum();
    let mut lines: Vec<String> = (places.into_iter().take(shown))
        .map(|(place, names)| {
            let shown = if full { names.len() } else { NAMES };
            let more = names.len().saturating_sub(shown);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let shown: Vec<&str> = names.iter().take(shown).map(String::as_str).collect();
            format!("{place}: {}{more}", shown.join(", "))
        })
        .collect();
    if hidden > 0 {
        let places = plural(left_out as u64, "more place");
        let functions = plural(hidden as u64, "function");
        lines.push(format!("and {functions} in {places} (--full lists them)"));
    }
    lines
}

/// What a text says whatever function it is about: functions with the same gist are one group.
///
/// Of a denial that is the error's code, the action, a resource that is no function and why, and of expired
/// credentials the code and the message: what was tried, the caller's session and the function are not of it.
pub fn gist(text: &str, account: &str, region: &str, name: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = without_subject(&line.replace(UNTRIED, ""), account, region, name);
        denial(&line)
            .or_else(|| expiry(&line).map(str::to_owned))
            .unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A line that says that something is denied, without who asked, and without the function or the role that it
/// was asked for. Any other resource stays: a layer, or a role to assume, is what a permission is missing for.
fn denial(line: &str) -> Option<String> {
    let (before, after) = line.split_once("is not authorized to perform: ")?;
    // What was tried, and the error's code.
    let (code, _) = before.rsplit_once(": User")?;
    let parts = code.split(": ");
    let parts = parts.filter(|part| !part.contains("arn:") && !part.ends_with("the function"));
    let code = parts.collect::<Vec<_>>().join(": ");
    let begins = [" because ", " with an explicit deny "].map(|words| after.find(words));
    let at = begins.into_iter().flatten().min().unwrap_or(after.len());
    let (asked, why) = after.split_at(at);
    // The policy that denies it, which may be one of each account.
    let why = why.split(": arn:").next().unwrap_or(why);
    let (action, resource) = asked.split_once(" on resource: ").unwrap_or((asked, ""));
    // Of what was not tried it is another function, that was.
    let is_subject = matches!(resource, "" | "*")
        || resource.starts_with("the function")
        || resource.contains(":function:")
        || action.starts_with("iam:") && resource.contains("role");
    let resource = if is_subject {
        String::new()
    } else {
        format!(" on {resource}")
    };
    Some(format!(
        "{code}: not authorized to perform {action}{resource}{why}"
    ))
}

/// A line that says that the credentials have expired, whatever they were used for.
fn expiry(line: &str) -> Option<&str> {
    let (_, cause) = line.rsplit_once("the function: ")?;
    cause.starts_with("ExpiredToken").then_some(cause)
}

/// Without the function and the place that it is about.
fn without_subject(reason: &str, account: &str, region: &str, name: &str) -> String {
    let reason = reason.replace(&format!(" in {account} {region}"), "");
    let reason = match name {
        "" => reason,
        name => replaced(&reason, &format!("function {name}"), "the function"),
    };
    let arn = format!(":{region}:{account}:function:{name}");
    let reason: Vec<String> = (reason.split(' '))
        .map(|word| match word.find(&arn) {
            Some(at) if word.starts_with("arn:") && ends(&word[at + arn.len()..]) => {
                format!("the function{}", &word[at + arn.len()..])
            }
            _ => word.replace(&format!(":{region}:{account}:"), ":*:*:"),
        })
        .collect();
    replaced(&reason.join(" "), &format!("::{account}:"), "::*:")
}

/// Where it stands as a word of its own.
fn replaced(text: &str, what: &str, by: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(what) {
        let after = &rest[at + what.len()..];
        replaced.push_str(&rest[..at]);
        replaced.push_str(if what.ends_with(':') || ends(after) {
            by
        } else {
            what
        });
        rest = after;
    }
    replaced + rest
}

/// Whether a name that stands before this is a whole one.
fn ends(after: &str) -> bool {
    let goes_on = |one: char| one.is_ascii_alphanumeric() || one == '-' || one == '_';
    !after.starts_with(goes_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "111122223333";

    fn denied(region: &str, account: &str, name: &str) -> String {
        format!(
            "changing function {name} in {account} {region}: AccessDeniedException: User: \
             arn:aws:sts::{account}:assumed-role/Deployer/ci-{name} is not authorized to perform: \
             lambda:UpdateFunctionConfiguration on resource: \
             arn:aws:lambda:{region}:{account}:function:{name} because no identity-based policy \
             allows the lambda:UpdateFunctionConfiguration action\ngive the role the permission"
        )
    }

    #[test]
    fn a_gist_names_neither_the_function_nor_its_place() {
        let both = |reason: &dyn Fn(&str, &str, &str) -> String| {
            [
                ("eu-west-1", ACCOUNT, "a"),
                ("us-east-1", "444455556666", "a-b"),
            ]
            .map(|(region, account, name)| {
                gist(&reason(region, account, name), account, region, name)
            })
        };
        let [one, other] = both(&denied);
        assert_eq!(one, other);
        assert_eq!(
            one,
            "AccessDeniedException: not authorized to perform lambda:UpdateFunctionConfiguration \
             because no identity-based policy allows the lambda:UpdateFunctionConfiguration \
             action\ngive the role the permission"
        );
        let [one, other] = both(&|region, account, name| {
            format!(
                "changing function {name} in {account} {region}: ServiceException: told to fail"
            )
        });
        assert_eq!(one, other);
        assert_eq!(one, "changing the function: ServiceException: told to fail");
        let [one, other] = both(&|_, account, name| {
            format!(
                "role-not-writable: writing the policy p of arn:aws:iam::{account}:role/{name}: \
                 AccessDenied: User: arn:aws:sts::{account}:assumed-role/x/y is not authorized to \
                 perform: iam:PutRolePolicy on resource: role {name}"
            )
        });
        let role = "role-not-writable: AccessDenied: not authorized to perform iam:PutRolePolicy";
        assert_eq!([one.as_str(), &other], [role; 2]);
        // What else a permission is missing for is said, and so is a policy that denies it.
        for (message, expected) in [
            (
                "sts:AssumeRole on resource: arn:aws:iam::444455556666:role/Deployer",
                "sts:AssumeRole on arn:aws:iam::444455556666:role/Deployer",
            ),
            (
                "lambda:GetLayerVersion on resource: \
                 arn:aws:lambda:eu-west-1:444455556666:layer:theirs:1 because no resource-based \
                 policy allows the lambda:GetLayerVersion action",
                "lambda:GetLayerVersion on arn:aws:lambda:eu-west-1:444455556666:layer:theirs:1 \
                 because no resource-based policy allows the lambda:GetLayerVersion action",
            ),
            (
                "lambda:GetFunction on resource: arn:aws:lambda:eu-west-1:111122223333:function:f \
                 with an explicit deny in a service control policy: \
                 arn:aws:organizations::1:policy/o-1/p-1",
                "lambda:GetFunction with an explicit deny in a service control policy",
            ),
            ("account:ListRegions on resource: *", "account:ListRegions"),
            ("account:ListRegions", "account:ListRegions"),
        ] {
            let cause = format!(
                "reading function f in {ACCOUNT} eu-west-1: {UNTRIED}AccessDenied: User: x is not \
                 authorized to perform: {message}"
            );
            let expected = format!("AccessDenied: not authorized to perform {expected}");
            assert_eq!(gist(&cause, ACCOUNT, "eu-west-1", "f"), expected);
        }
        for (what, message) in [("changing", "told"), ("reading", "told")] {
            let [one, _] = both(&|region, account, name| {
                format!("{what} function {name} in {account} {region}: ExpiredToken: {message}")
            });
            assert_eq!(one, "ExpiredToken: told");
        }
        let [one, other] = both(&|region, account, _| {
            format!(
                "its role may not firehose:PutRecordBatch on \
                 arn:aws:firehose:{region}:{account}:deliverystream/logs and iam:x on \
                 arn:aws:iam::{account}:role/app"
            )
        });
        assert_eq!(one, other);
        assert!(
            one.contains("arn:aws:firehose:*:*:deliverystream/logs"),
            "{one}"
        );
        let [one, other] = both(&|region, account, name| {
            format!(
                "an update is in progress for arn:aws:lambda:{region}:{account}:function:{name}"
            )
        });
        assert_eq!(
            [one.as_str(), "an update is in progress for the function"],
            [&*other, &*one]
        );
        // Another function's name is not taken for this one's.
        let message = "function orders-api is in the way";
        assert_eq!(gist(message, ACCOUNT, "eu-west-1", "orders"), message);
    }

    #[test]
    fn a_reason_of_many_is_said_once() {
        let names: Vec<String> = (0..7).map(|it| format!("f-{it}")).collect();
        let reasons: Vec<String> = (names.iter())
            .map(|name| denied("eu-west-1", ACCOUNT, name))
            .collect();
        let item = |name: &'static str, reason: &'static str| Item {
            account: ACCOUNT,
            region: "eu-west-1",
            name,
            reason,
        };
        let items = || {
            let denied = names.iter().zip(&reasons).map(|(name, reason)| Item {
                account: ACCOUNT,
                region: "eu-west-1",
                name,
                reason,
            });
            [item("x", "it is gone")].into_iter().chain(denied)
        };
        let head = "  111122223333 eu-west-1 x: it is gone\n  7 functions: AccessDeniedException: \
            not authorized to perform lambda:UpdateFunctionConfiguration because no identity-based \
            policy allows the lambda:UpdateFunctionConfiguration action\n      give the role the \
            permission\n";
        assert_eq!(
            by_reason(items(), false),
            format!("{head}    111122223333 eu-west-1: f-0, f-1, f-2, f-3 and 3 more\n")
        );
        assert_eq!(
            by_reason(items(), true),
            format!("{head}    111122223333 eu-west-1: f-0, f-1, f-2, f-3, f-4, f-5, f-6\n")
        );
        let shared = [item("x", "the same"), item("y", "the same")];
        assert_eq!(
            by_reason(shared, false),
            "  2 functions: the same\n    111122223333 eu-west-1: x, y\n"
        );
    }

    #[test]
    fn many_places_are_counted() {
        let named = (0..13)
            .flat_map(|place| (0..2).map(move |it| (format!("place-{place}"), format!("f-{it}"))));
        let lines = names(named.clone(), false);
        assert_eq!(lines.len(), PLACES + 1);
        assert_eq!(
            lines.last().map(String::as_str),
            Some("and 6 functions in 3 more places (--full lists them)")
        );
        assert_eq!(names(named, true).len(), 13);
    }
}
