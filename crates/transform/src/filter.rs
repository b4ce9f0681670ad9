//! Which records are dropped: by level, and by the rules of the user's.
//!
//! Invariant: a record whose level or fields cannot be read is kept, unless a rule asks for just that.

use backstop_config::{Action, Condition, FilterRule, Level};
use backstop_telemetry::Severity;

use crate::attributes::{Extent, attributes};
use crate::fields::{Field, fields};
use crate::parts::Parts;
use crate::pattern::Pattern;
use crate::unescape::each_level;
use backstop_json::{Token, tokens};

/// Why a record is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its level is below the least.
    Level,
    /// The rule with this index.
    Rule(usize),
}

/// The rules, compiled.
#[derive(Debug)]
pub(crate) struct Filter {
    min_level: Option<Level>,
    rules: Vec<Rule>,
    /// Whether any rule asks for a level.
    asks_level: bool,
}

#[derive(Debug)]
struct Rule {
    index: usize,
    action: Action,
    conditions: Vec<Test>,
}

#[derive(Debug)]
enum Test {
    Plain(Condition, Vec<String>),
    Pattern(Vec<String>, Box<Pattern>),
}

impl Filter {
    /// A filter; `patterns` are those of each rule, compiled. A rule without its own is left out.
    pub(crate) fn new(
        min_level: Option<Level>,
        rules: &[FilterRule],
        patterns: Vec<Option<Vec<Pattern>>>,
    ) -> Self {
        let rules: Vec<Rule> = (rules.iter().zip(patterns).enumerate())
            .filter_map(|(index, (rule, patterns))| {
                let mut patterns = patterns?.into_iter();
                let conditions = rule.conditions.iter().filter_map(|condition| {
                    Some(match condition {
                        Condition::Pattern { path, .. } => Test::Pattern(
                            path.iter().cloned().collect(),
                            Box::new(patterns.next()?),
                        ),
                        Condition::Field { path, .. } => {
                            Test::Plain(condition.clone(), vec![path.clone()])
                        }
                        _ => Test::Plain(condition.clone(), Vec::new()),
                    })
                });
                Some(Rule {
                    index,
                    action: rule.action,
                    conditions: conditions.collect(),
                })
            })
            .collect();
        let is_level = |test: &Test| matches!(test, Test::Plain(Condition::Level(..), _));
        let asks_level = min_level.is_some()
            || rules
                .iter()
                .any(|rule| rule.conditions.iter().any(is_level));
        Self {
            min_level,
            rules,
            asks_level,
        }
    }

    /// Why the record is dropped; `None` where it is kept.
    pub(crate) fn judge(&self, fragment: &[u8], parts: &Parts<'_>) -> Option<Cause> {
        let level = (self.asks_level && parts.is_output()).then(|| level(fragment));
        if let (Some(least), Some(level)) = (self.min_level, level)
            && level < least
        {
            return Some(Cause::Level);
        }
        let holds = |rule: &&Rule| rule.conditions.iter().all(|test| test.holds(parts, level));
        let rule = self.rules.iter().find(holds)?;
        (rule.action == Action::Drop).then_some(Cause::Rule(rule.index))
    }
}

/// The level of a function's or an extension's output.
pub(crate) fn level(fragment: &[u8]) -> Level {
    match Severity::of(fragment) {
        Severity::Debug => Level::Debug,
        Severity::Info => Level::Info,
        Severity::Warn => Level::Warn,
        Severity::Error => Level::Error,
    }
}

impl Test {
    fn holds(&self, parts: &Parts<'_>, level: Option<Level>) -> bool {
        match self {
            Self::Plain(
                Condition::Type {
                    name,
                    is_prefix,
                    negated,
                },
                _,
            ) => {
                let is_meant = if *is_prefix {
                    parts.kind.starts_with(name.as_bytes())
                } else {
                    parts.kind == name.as_bytes()
                };
                is_meant != *negated
            }
            Self::Plain(Condition::Level(comparison, of_rule), _) => {
                level.is_some_and(|level| comparison.holds(level, *of_rule))
            }
            Self::Plain(Condition::Field { value, negated, .. }, paths) => {
                let found = named(parts, paths);
                found.iter().any(|field| field.text == value.as_bytes()) != *negated
            }
            Self::Plain(Condition::Pattern { .. }, _) => false,
            Self::Pattern(paths, pattern) if paths.is_empty() => {
                tokens(parts.record).any(|token| {
                    let (Token::String(range, _) | Token::Number(range)) = token;
                    is_in(pattern, &parts.record[range])
                })
            }
            Self::Pattern(paths, pattern) => {
                let found = named(parts, paths);
                found.iter().any(|field| is_in(pattern, &field.text))
            }
        }
    }
}

/// The fields that paths name; of an item that the function posted, its attributes as well.
fn named(parts: &Parts<'_>, paths: &[String]) -> Vec<Field> {
    let mut found = fields(parts.record, paths);
    if parts.is_posted() {
        let attributes = attributes(parts.record, paths, Extent::Whole);
        found.extend(attributes.values);
        found.extend(attributes.in_text);
    }
    found
}

/// Whether a pattern is in a text at any level of escaping.
fn is_in(pattern: &Pattern, content: &[u8]) -> bool {
    let mut is_found = false;
    each_level(content, &mut |text, _| {
        is_found = is_found || pattern.is_in(text);
    });
    is_found
}
