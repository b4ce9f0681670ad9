//! Equal things said of many, said once.

use std::fmt::Write as _;

use super::plural;

/// Names that are listed for a reason that many have.
const LISTED: usize = 3;

/// Reasons with those they are about, each reason once, in the order in which it came first. A reason that only
/// one has stays on its line; of many the first few are named, and all of them where `full`.
pub fn by_reason<'a>(
    noun: &str,
    left: impl IntoIterator<Item = (String, &'a str)>,
    full: bool,
) -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for (name, reason) in left {
        match groups.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => groups.push((reason, vec![name])),
        }
    }
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |line: String| writeln!(text, "  {line}").unwrap_or_default();
    for (reason, names) in groups {
        let reason = reason.replace('\n', "\n      ");
        if let [name] = names.as_slice() {
            line(format!("{name}: {reason}"));
            continue;
        }
        line(format!("{}: {reason}", plural(names.len() as u64, noun)));
        let listed = if full { names.len() } else { LISTED };
        for name in names.iter().take(listed) {
            line(format!("  {name}"));
        }
        let more = names.len().saturating_sub(listed);
        if more > 0 {
            line(format!("  and {more} more: --full lists them"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::by_reason;

    #[test]
    fn a_reason_of_many_is_said_once() {
        let denied = "not authorized\nAsk for lambda:UpdateFunctionConfiguration";
        let names = ["a", "b", "c", "d", "e"].map(|name| (name.to_owned(), denied));
        let left = || {
            [("x".to_owned(), "it is being updated")]
                .into_iter()
                .chain(names.clone())
        };
        let expected = "  x: it is being updated\n  5 functions: not authorized\n      Ask for \
                        lambda:UpdateFunctionConfiguration\n    a\n    b\n    c\n    and 2 more: --full \
                        lists them\n";
        assert_eq!(by_reason("function", left(), false), expected);
        let full = by_reason("function", left(), true);
        assert!(
            full.ends_with("    a\n    b\n    c\n    d\n    e\n"),
            "{full}"
        );
    }
}
