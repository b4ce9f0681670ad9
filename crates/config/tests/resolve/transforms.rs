//! The transforms' variables: what is valid applies, and every mistake is an error of its own.

use backstop_config::{Level, NamedPattern, Redaction, TransformSettings};

use crate::{resolve, with_bucket};

#[test]
fn nothing_is_done_unless_it_is_said() {
    let (settings, errors) = with_bucket("BACKSTOP_MIN_LEVEL", "debug");
    assert_eq!(errors, [""; 0]);
    assert_eq!(settings.transforms, TransformSettings::default());
    // Every invocation.
    let (settings, errors) = with_bucket("BACKSTOP_SAMPLE", "100%");
    assert_eq!(errors, [""; 0]);
    assert_eq!(settings.transforms, TransformSettings::default());
}

#[test]
fn what_is_valid_applies_beside_what_is_not() {
    let (settings, errors) = resolve(&[
        ("BACKSTOP_S3_BUCKET", "archive"),
        ("BACKSTOP_MIN_LEVEL", "WARN"),
        ("BACKSTOP_FILTER", "drop type=x; nonsense"),
        ("BACKSTOP_REDACT", "email, e-mail"),
        ("BACKSTOP_DEDUPE", "yes"),
        ("BACKSTOP_SAMPLE", "ten"),
        ("BACKSTOP_SAMPLE_KEEP", "failed"),
        ("BACKSTOP_REDACT_ARCHIVE", "no"),
    ]);
    let transforms = settings.transforms;
    assert_eq!(transforms.min_level, Some(Level::Warn));
    assert_eq!(transforms.filter.len(), 1);
    assert_eq!(transforms.redact, [Redaction::Named(NamedPattern::Email)]);
    assert!(!transforms.archives_originals);
    assert!(!transforms.dedupe && transforms.sample.is_none());
    for (error, beginning, end) in [
        (
            0,
            "BACKSTOP_FILTER has a rule that does not begin",
            "(rule 2); this rule is left out",
        ),
        (
            1,
            "BACKSTOP_REDACT has an entry that is not known",
            "(entry 2); nothing is sent until it is corrected",
        ),
        (
            2,
            "BACKSTOP_REDACT_ARCHIVE is \"no\"",
            "the default true is used",
        ),
        (3, "BACKSTOP_DEDUPE is \"yes\"", "the default false is used"),
        (
            4,
            "BACKSTOP_SAMPLE_KEEP has an entry",
            "the default error,timeout,cold is used",
        ),
        (
            5,
            "BACKSTOP_SAMPLE has no percent sign",
            "every invocation is kept",
        ),
    ] {
        let message = &errors[error];
        assert!(
            message.starts_with(beginning) && message.ends_with(end),
            "{message}"
        );
    }
    assert_eq!(errors.len(), 6, "{errors:?}");
}

#[test]
fn invocations_are_not_sampled_where_they_run_side_by_side() {
    let (settings, errors) = resolve(&[
        ("BACKSTOP_S3_BUCKET", "archive"),
        ("BACKSTOP_SAMPLE", "10%"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances"),
    ]);
    assert_eq!(settings.transforms.sample, None);
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].contains("cannot be used on Lambda Managed Instances"),
        "{errors:?}"
    );
}
