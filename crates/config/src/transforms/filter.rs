//! `BACKSTOP_FILTER`: rules that drop or keep records; the first that matches decides.

use super::{Level, MOST_PATTERNS, entries, path, pattern};

/// What a rule does with a record that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The record is dropped, and counted.
    Drop,
    /// The record is kept, whatever later rules say.
    Keep,
}

/// How a level is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `!=`
    Other,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
}

impl Comparison {
    /// Whether a level compares so with the rule's.
    pub fn holds(self, level: Level, of_rule: Level) -> bool {
        match self {
            Self::Below => level < of_rule,
            Self::AtMost => level <= of_rule,
            Self::Equal => level == of_rule,
            Self::Other => level != of_rule,
            Self::AtLeast => level >= of_rule,
            Self::Above => level > of_rule,
        }
    }
}

/// What a rule asks of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The record's type, or the beginning of it.
    Type {
        /// The text to compare with.
        name: String,
        /// Whether the type may go on after it.
        is_prefix: bool,
        /// `!=`
        negated: bool,
    },
    /// The level of function or extension output. Nothing else has one.
    Level(Comparison, Level),
    /// A field equals a text.
    Field {
        /// Without the leading `record.`.
        path: String,
        /// The text, or a number or word as JSON writes it.
        value: String,
        /// `!=`, which also holds where there is no such field.
        negated: bool,
    },
    /// A pattern is found in a field, or anywhere in the record.
    Pattern {
        /// Without the leading `record.`; `None` for the whole record.
        path: Option<String>,
        /// The regular expression.
        pattern: String,
    },
}

/// A rule: what it does, where all of its conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterRule {
    /// Its place among the rules, from 1.
    pub position: usize,
    /// As the user wrote it.
    pub text: String,
    /// What it does.
    pub action: Action,
    /// What it asks; never empty.
    pub conditions: Vec<Condition>,
}

/// The rules that are valid, and what is wrong with the others.
pub(crate) fn filter(text: &str) -> (Vec<FilterRule>, Vec<String>) {
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    let mut patterns = 0;
    for (index, entry) in entries(text, ';', "~").into_iter().enumerate() {
        let position = index + 1;
        match rule(entry, position, &mut patterns) {
            Ok(rule) => rules.push(rule),
            Err(problem) => problems.push(format!("{problem} (rule {position})")),
        }
    }
    if rules.is_empty() && problems.is_empty() {
        problems.push("has no rule: write \"drop CONDITION\" or \"keep CONDITION\"".to_owned());
    }
    (rules, problems)
}

fn rule(text: &str, position: usize, patterns: &mut usize) -> Result<FilterRule, String> {
    let (action, mut rest) = match text.split_once(char::is_whitespace) {
        Some(("drop", rest)) => (Action::Drop, rest.trim_start()),
        Some(("keep", rest)) => (Action::Keep, rest.trim_start()),
        _ => {
            return Err("has a rule that does not begin with \"drop \" or \"keep \"".to_owned());
        }
    };
    let mut conditions = Vec::new();
    loop {
        let (condition, after) = condition(rest)?;
        if matches!(condition, Condition::Pattern { .. }) {
            *patterns += 1;
            if *patterns > MOST_PATTERNS {
                return Err(format!("has more than {MOST_PATTERNS} patterns: use fewer"));
            }
        }
        conditions.push(condition);
        let after = after.trim_start();
        if after.is_empty() {
            break;
        }
        rest = match after.split_once(char::is_whitespace) {
            Some(("and", next)) => next.trim_start(),
            _ => return Err("has a rule with text after a condition: join them by \"and\"".into()),
        };
    }
    Ok(FilterRule {
        position,
        text: text.to_owned(),
        action,
        conditions,
    })
}

/// One condition, and what follows it.
fn condition(text: &str) -> Result<(Condition, &str), String> {
    const FORMS: &str = "has a condition that is not valid: write type=TEXT, level<LEVEL, \
                         record.FIELD=TEXT, record.FIELD~/PATTERN/ or record~/PATTERN/";
    let end = text.find(['=', '!', '<', '>', '~']).ok_or(FORMS)?;
    let (name, rest) = (text[..end].trim_end(), &text[end..]);
    if let Some(rest) = rest.strip_prefix('~') {
        let path = if name == "record" {
            None
        } else {
            Some(path(name)?)
        };
        let rest = rest.trim_start().strip_prefix('/').ok_or(FORMS)?;
        let (pattern, rest) = pattern(rest)?;
        return Ok((Condition::Pattern { path, pattern }, rest));
    }
    let length = rest.bytes().take_while(|it| b"=!<>".contains(it)).count();
    let comparison = match &rest[..length] {
        "<" => Comparison::Below,
        "<=" => Comparison::AtMost,
        "=" | "==" => Comparison::Equal,
        "!=" => Comparison::Other,
        ">=" => Comparison::AtLeast,
        ">" => Comparison::Above,
        _ => return Err(FORMS.to_owned()),
    };
    let (value, rest) = value(rest[length..].trim_start())?;
    if name == "level" {
        let level = Level::parse(&value)
            .ok_or("has a level other than debug, info, warn and error".to_owned())?;
        return Ok((Condition::Level(comparison, level), rest));
    }
    let negated = match comparison {
        Comparison::Equal => false,
        Comparison::Other => true,
        _ => return Err("compares something other than a level by < or >: use = or !=".to_owned()),
    };
    let condition = if name == "type" {
        let prefix = value.strip_suffix('*');
        Condition::Type {
            name: prefix.unwrap_or(&value).to_owned(),
            is_prefix: prefix.is_some(),
            negated,
        }
    } else {
        Condition::Field {
            path: path(name)?,
            value,
            negated,
        }
    };
    Ok((condition, rest))
}

/// A value in quotes, or up to the next white space.
fn value(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        if end == 0 {
            return Err("has a condition without a value: write \"\" for an empty text".to_owned());
        }
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut rest = quoted.char_indices();
    while let Some((at, each)) = rest.next() {
        match each {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.extend(rest.next().map(|(_, escaped)| escaped)),
            _ => value.push(each),
        }
    }
    Err("has a value without its closing quote".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_in_order_with_all_forms_of_conditions() {
        let (rules, problems) = filter(
            "keep record.path=/health/deep; drop type=platform.* and type!=platform.report\n\
             drop level<=info and record.user.id=\"a; b\"; drop record.message ~ /GET \\/x; y/;\
             drop record~/(a|b)/",
        );
        assert_eq!(problems, [""; 0]);
        let conditions: Vec<_> = rules.iter().map(|rule| rule.conditions.clone()).collect();
        let field = |path: &str, value: &str| Condition::Field {
            path: path.to_owned(),
            value: value.to_owned(),
            negated: false,
        };
        let kind = |name: &str, is_prefix, negated| Condition::Type {
            name: name.to_owned(),
            is_prefix,
            negated,
        };
        let pattern = |path: Option<&str>, pattern: &str| Condition::Pattern {
            path: path.map(str::to_owned),
            pattern: pattern.to_owned(),
        };
        assert_eq!(
            conditions,
            [
                vec![field("path", "/health/deep")],
                vec![
                    kind("platform.", true, false),
                    kind("platform.report", false, true)
                ],
                vec![
                    Condition::Level(Comparison::AtMost, Level::Info),
                    field("user.id", "a; b")
                ],
                vec![pattern(Some("message"), "GET /x; y")],
                vec![pattern(None, "(a|b)")],
            ]
        );
        assert_eq!(rules[0].action, Action::Keep);
        assert_eq!(rules[1].action, Action::Drop);
    }

    #[test]
    fn a_wrong_rule_costs_itself_and_says_why() {
        for (text, words) in [
            ("deny type=x", "does not begin with"),
            ("drop", "does not begin with"),
            ("drop x", "not valid"),
            ("drop type<x", "by < or >"),
            ("drop level=loud", "other than debug"),
            ("drop user.id=1", "does not begin with \"record.\""),
            ("drop record.a..b=1", "path that is not valid"),
            ("drop record.a=", "without a value"),
            ("drop record.a=\"x", "closing quote"),
            ("drop record.a~x", "not valid"),
            ("drop record.a~/x", "closing slash"),
            ("drop type=x or type=y", "join them by \"and\""),
            (";", "has no rule"),
        ] {
            let (rules, problems) = filter(text);
            assert!(rules.is_empty(), "{text}");
            assert!(problems[0].contains(words), "{text}: {problems:?}");
        }
        let (rules, problems) = filter("drop type=x; bad; keep level=error");
        assert_eq!((rules.len(), problems.len()), (2, 1));
        assert!(problems[0].ends_with("(rule 2)"), "{problems:?}");
    }
}
