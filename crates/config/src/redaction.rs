//! Which mistakes leave open what to redact: while there is one, no record may leave.
//!
//! Invariant: a mistake that may have cost a redaction counts, and its effect says so.

use crate::error::{ConfigError, ErrorKind};
use crate::raw::Strings;
use crate::register::{CONFIG, REDACT, REDACT_ARCHIVE};
use crate::suggest;

/// What such a mistake costs.
pub const NOTHING_LEAVES: &str = "nothing is sent until it is corrected";

/// Whether these mistakes leave open what to redact. Beside those of the variable itself, these are the ones of
/// the file or the parameter that may set it, and of a name that may be meant for it; unless the environment
/// sets it, which overrides both.
pub fn is_unknown(environment: &impl Strings, errors: &mut [ConfigError]) -> bool {
    let set = environment.get(REDACT.name);
    let is_set = set.is_some_and(|text| !text.trim().is_empty());
    let mut is_unknown = false;
    for error in errors {
        let is_of = |name: &str| match error.kind() {
            ErrorKind::Invalid => error.variable() == name,
            ErrorKind::UnknownName => may_be(error.variable(), name),
            ErrorKind::NoSink | ErrorKind::Conflict => false,
        };
        let is_own = error.kind() == ErrorKind::Invalid && is_of(REDACT.name);
        if is_own || (!is_set && (is_of(REDACT.name) || is_of(CONFIG.name))) {
            is_unknown = true;
            *error = error.clone().with_effect(NOTHING_LEAVES);
        }
    }
    is_unknown
}

/// Whether an unknown name may be meant for this one: a few edits away, or a longer name for the same thing.
fn may_be(unknown: &str, name: &str) -> bool {
    let meant = suggest::meant(unknown);
    if meant == Some(REDACT_ARCHIVE.name) {
        // It only ever takes from what is redacted.
        return false;
    }
    let upper = unknown.to_ascii_uppercase();
    let is_longer = match name {
        name if name == REDACT.name => upper.contains("REDACT"),
        name => upper.starts_with(name),
    };
    is_longer || meant == Some(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::file;
    use crate::settings::Settings;

    fn of(pairs: &[(&str, &str)]) -> (bool, Vec<String>) {
        let all = pairs.iter();
        let environment: BTreeMap<String, String> = all
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let (_, mut errors) = Settings::resolve(&environment);
        let is_unknown = is_unknown(&environment, &mut errors);
        (is_unknown, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_mistake_that_may_cost_a_redaction_leaves_it_open_unless_the_environment_has_it() {
        let bucket = ("BACKSTOP_S3_BUCKET", "archive");
        let email = ("BACKSTOP_REDACT", "email");
        for (name, value) in [
            ("BACKSTOP_CONFIG", "ssm:"),
            ("BACKSTOP_CONFIG", "ssm:{{x}}"),
            ("BACKSTOP_CONFIG", "ssm:arn:aws:ssm:eu-west-1"),
            ("BACKSTOP_CONFGI", "backstop.env"),
            ("BACKSTOP_REDCT", "email"),
            ("backstop_redact", "email"),
            ("BACKSTOP_REDACTIONS", "email"),
            ("BACKSTOP_LOG_REDACTION", "email"),
            ("BACKSTOP_CONFIG_FILE", "backstop.env"),
        ] {
            let (is_unknown, errors) = of(&[bucket, (name, value)]);
            assert!(is_unknown, "{name}={value}");
            assert!(errors[0].ends_with(NOTHING_LEAVES), "{errors:?}");
            let (is_unknown, errors) = of(&[bucket, email, (name, value)]);
            assert!(!is_unknown, "{name}={value}");
            assert!(!errors[0].ends_with(NOTHING_LEAVES), "{errors:?}");
        }
        for value in ["e-mail", "email,e-mail", "email,/open", ","] {
            let (is_unknown, errors) = of(&[bucket, ("BACKSTOP_REDACT", value)]);
            assert!(
                is_unknown && errors[0].ends_with(NOTHING_LEAVES),
                "{errors:?}"
            );
        }
    }

    #[test]
    fn other_mistakes_leave_nothing_open() {
        for (name, value) in [
            ("BACKSTOP_FILTER", "nonsense"),
            ("BACKSTOP_FLTER", "drop type=x"),
            ("BACKSTOP_REDACT_ARCHIVE", "no"),
            ("BACKSTOP_REDACT_ARCHIV", "false"),
            ("BACKSTOP_SAMPLE", "many"),
        ] {
            let (is_unknown, errors) = of(&[("BACKSTOP_S3_BUCKET", "archive"), (name, value)]);
            assert_eq!((is_unknown, errors.len()), (false, 1), "{errors:?}");
        }
    }

    #[test]
    fn a_line_of_a_file_that_is_refused_may_have_been_a_redaction() {
        for line in [
            "email",
            "REDACT=email",
            "BACKSTOP_TAGS=b=c",
            "BACKSTOP_CONFIG=other",
        ] {
            let (_, mut errors) = file::parse(&format!("BACKSTOP_TAGS=a=b\n{line}\n"));
            assert!(is_unknown(&BTreeMap::new(), &mut errors), "{line}");
            assert!(errors[0].to_string().ends_with(NOTHING_LEAVES));
        }
    }
}
