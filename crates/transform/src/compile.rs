//! The patterns of the settings, compiled; and an error for each that is not valid.

use backstop_config::redaction::NOTHING_LEAVES;
use backstop_config::{Condition, ConfigError, FilterRule, Redaction};

use crate::pattern::Pattern;

const FILTER: &str = "BACKSTOP_FILTER";
const REDACT: &str = "BACKSTOP_REDACT";

/// The patterns of the rules, each rule's in order. None for a rule with one that does not compile.
pub(crate) fn of_rules(
    rules: &[FilterRule],
    errors: &mut Vec<ConfigError>,
) -> Vec<Option<Vec<Pattern>>> {
    let compiled = rules.iter().map(|rule| {
        let patterns = rule
            .conditions
            .iter()
            .filter_map(|condition| match condition {
                Condition::Pattern { pattern, .. } => Some(pattern),
                _ => None,
            });
        let compiled: Result<Vec<Pattern>, &str> = patterns.map(|it| Pattern::new(it)).collect();
        compiled
            .map_err(|problem| {
                let problem = format!("{problem} (rule {})", rule.position);
                let effect = "this rule is left out";
                errors.push(ConfigError::of_pattern(FILTER, problem, effect));
            })
            .ok()
    });
    compiled.collect()
}

/// The redactions that compile, and the patterns of those that are the user's own.
pub(crate) fn of_redactions(
    redactions: &[Redaction],
    errors: &mut Vec<ConfigError>,
) -> (Vec<Redaction>, Vec<Pattern>) {
    let (mut valid, mut own) = (Vec::new(), Vec::new());
    for redaction in redactions {
        if let Redaction::Own { name, pattern } = redaction {
            match Pattern::consuming(pattern) {
                Ok(pattern) => own.push(pattern),
                Err(problem) => {
                    let problem = format!("{problem} ({name})");
                    errors.push(ConfigError::of_pattern(REDACT, problem, NOTHING_LEAVES));
                    continue;
                }
            }
        }
        valid.push(redaction.clone());
    }
    (valid, own)
}
