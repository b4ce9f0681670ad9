//! Settings in a parameter of Systems Manager, which are known only after init: what it may set, and what
//! its text says.
//!
//! Invariants: it sets nothing that is needed before it can be read, or that decides what the function's role
//! must be granted; the environment overrides it, and so no mistake of the environment is reported again.
//!
//! Must not: read a parameter.

use crate::error::{ConfigError, ErrorKind};
use crate::file::{Layered, parse_of};
use crate::raw::Strings;
use crate::register::{
    CONFIG, DEDUPE, FILTER, INSIGHTS, MIN_LEVEL, REDACT, REDACT_ARCHIVE, ROUTE, SAMPLE, SAMPLE_KEEP,
};
use crate::settings::{Routing, Settings};
use crate::suggest;
use crate::transforms::TransformSettings;

/// What the value of `BACKSTOP_CONFIG` begins with where it is no path.
pub const SCHEME: &str = "ssm:";
/// What a mistake in a name costs.
const LEFT_OUT: &str = "it is left out";

/// What is done to a record once it has arrived.
static NAMES: [&str; 9] = [
    ROUTE.name,
    MIN_LEVEL.name,
    FILTER.name,
    REDACT.name,
    REDACT_ARCHIVE.name,
    DEDUPE.name,
    SAMPLE.name,
    SAMPLE_KEEP.name,
    INSIGHTS.name,
];

/// What a parameter and the environment say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LateSettings {
    /// What is done to records before they are buffered.
    pub transforms: TransformSettings,
    /// What else is archived.
    pub routing: Routing,
}

/// What the text of a parameter says below an environment, and each mistake in it.
pub fn resolve(environment: &impl Strings, text: &str) -> (LateSettings, Vec<ConfigError>) {
    let (mut variables, mut errors) = parse_of("a parameter", text);
    errors.extend(variables.keys().filter_map(|name| misplaced(name)));
    variables.retain(|name, _| NAMES.contains(&name.as_str()));
    let (_, known) = Settings::resolve(environment);
    let (settings, more) = Settings::resolve(&Layered {
        environment,
        file: &variables,
    });
    errors.extend(more.into_iter().filter(|error| !known.contains(error)));
    let settings = LateSettings {
        transforms: settings.transforms,
        routing: settings.routing,
    };
    (settings, errors)
}

/// The error of a name that a parameter cannot set.
fn misplaced(name: &str) -> Option<ConfigError> {
    if NAMES.contains(&name) {
        return None;
    }
    let unknown = suggest::unknown_name(name);
    let early = || {
        let problem = format!(
            "names a parameter that sets {name}, which is needed before it is read: set it in the \
             function's environment"
        );
        ConfigError::new(CONFIG.name, ErrorKind::Conflict, problem).with_effect(LEFT_OUT)
    };
    Some(unknown.unwrap_or_else(early))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_parameter_sets_transforms_and_the_route_below_the_environment() {
        let environment = map(&[
            ("BACKSTOP_CONFIG", "ssm:/team/backstop"),
            ("BACKSTOP_S3_BUCKET", "archive"),
            ("BACKSTOP_MIN_LEVEL", "error"),
            ("BACKSTOP_TAGS", "a"),
        ]);
        let text = "BACKSTOP_MIN_LEVEL=warn\nBACKSTOP_REDACT=\n  email\n  card\n\
                    BACKSTOP_ROUTE=mirror\nBACKSTOP_DEDUPE=true";
        let (late, errors) = resolve(&environment, text);
        assert_eq!(errors, [], "the tag without a value was reported at init");
        assert_eq!(late.transforms.redact.len(), 2);
        assert!(late.transforms.dedupe);
        assert_eq!(
            late.transforms.min_level,
            Some(crate::transforms::Level::Error)
        );
        assert_eq!(late.routing, Routing::Mirror);
    }

    #[test]
    fn every_mistake_of_a_parameter_is_in_one_list_and_quotes_no_value() {
        let environment = map(&[("BACKSTOP_S3_BUCKET", "archive")]);
        let text = "hunter2\nBACKSTOP_S3_BUCKET=hunter2\nBACKSTOP_FLTER=hunter2\n\
                    BACKSTOP_SAMPLE=hunter2\nBACKSTOP_FILTER=hunter2; drop type=x";
        let (late, errors) = resolve(&environment, text);
        assert_eq!(late.transforms.filter.len(), 1, "the valid rule applies");
        let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
        for words in [
            "a parameter that has a line that is not NAME=VALUE (line 1)",
            "sets BACKSTOP_S3_BUCKET, which is needed before",
            "did you mean BACKSTOP_FILTER",
            "BACKSTOP_SAMPLE ",
            "(rule 1)",
        ] {
            assert!(
                shown.iter().any(|it| it.contains(words)),
                "{words}: {shown:?}"
            );
        }
        assert_eq!(shown.len(), 5, "{shown:?}");
    }

    #[test]
    fn the_variable_names_a_parameter_by_its_name_or_its_arn() {
        let arn = "arn:aws:ssm:us-east-2:111122223333:parameter/backstop";
        for (text, id, region) in [
            ("ssm:/team/backstop", "/team/backstop", "eu-west-1"),
            (&*format!("ssm: {arn}"), arn, "us-east-2"),
        ] {
            let environment = map(&[
                ("AWS_REGION", "eu-west-1"),
                ("BACKSTOP_S3_BUCKET", "archive"),
                ("BACKSTOP_CONFIG", text),
            ]);
            let (settings, errors) = Settings::resolve(&environment);
            assert_eq!(errors, []);
            let reference = settings.parameter.expect(text);
            assert_eq!((&*reference.id, &*reference.region), (id, region));
        }
        let environment = map(&[
            ("BACKSTOP_S3_BUCKET", "archive"),
            ("BACKSTOP_CONFIG", "ssm:"),
        ]);
        let (settings, errors) = Settings::resolve(&environment);
        assert_eq!((settings.parameter, errors.len()), (None, 1));
    }
}
