//! The transforms' variables: every rule that is valid, and an error for each that is not.
//!
//! Invariant: what cannot be read removes nothing. Of a redaction that cannot be read nothing is guessed:
//! [`crate::redaction`] says what follows from it.

use super::Resolver;
use crate::error::{ConfigError, ErrorKind};
use crate::parse;
use crate::redaction::NOTHING_LEAVES;
use crate::register::{
    DEDUPE, FILTER, INSIGHTS, MIN_LEVEL, REDACT, REDACT_ARCHIVE, SAMPLE, SAMPLE_KEEP,
};
use crate::settings::InitializationType;
use crate::transforms::{
    Level, SampleSettings, TransformSettings, filter, keep, redactions, share,
};
use crate::variable::Variable;

impl Resolver {
    pub(super) fn transforms(&mut self, initialization: &InitializationType) -> TransformSettings {
        let min_level = self.or_default(&MIN_LEVEL, |text| {
            parse::choice(&MIN_LEVEL, text, Level::ALL, Level::as_str)
        });
        TransformSettings {
            // The least level drops nothing.
            min_level: (min_level > Level::Debug).then_some(min_level),
            filter: self.rules(&FILTER, "this rule is left out", filter),
            redact: self.rules(&REDACT, NOTHING_LEAVES, redactions),
            archives_originals: !self.or_default(&REDACT_ARCHIVE, |text| {
                parse::boolean(&REDACT_ARCHIVE, text)
            }),
            dedupe: self.or_default(&DEDUPE, |text| parse::boolean(&DEDUPE, text)),
            sample: self.sample(initialization),
            insights: self.or_default(&INSIGHTS, |text| parse::boolean(&INSIGHTS, text)),
        }
    }

    fn rules<T>(
        &mut self,
        variable: &Variable,
        effect: &str,
        parse: impl FnOnce(&str) -> (Vec<T>, Vec<String>),
    ) -> Vec<T> {
        let Some(text) = self.raw.get(variable.name) else {
            return Vec::new();
        };
        let (rules, problems) = parse(text);
        let errors = problems.into_iter();
        let errors = errors.map(|it| ConfigError::invalid(variable.name, it).with_effect(effect));
        self.errors.extend(errors);
        rules
    }

    fn sample(&mut self, initialization: &InitializationType) -> Option<SampleSettings> {
        let keep = self.or_default(&SAMPLE_KEEP, |text| keep(text).map_err(Into::into));
        let share = self.said(&SAMPLE, "every invocation is kept", |text| {
            share(text).map_err(Into::into)
        });
        let millionths = share.ok().flatten()?;
        if *initialization == InitializationType::ManagedInstances {
            let problem = "cannot be used on Lambda Managed Instances, where invocations run side by \
                           side and none of their lines says which it is of: remove it";
            let error = ConfigError::new(SAMPLE.name, ErrorKind::Conflict, problem);
            self.errors
                .push(error.with_effect("every invocation is kept"));
            return None;
        }
        (millionths < 1_000_000).then_some(SampleSettings { millionths, keep })
    }
}
