//! The settings in the parameter that `BACKSTOP_CONFIG` names: how they are asked for, and what they become.
//!
//! Invariant: nothing is asked before somebody calls [`Ask`].

use std::sync::Arc;

use backstop_config::{ConfigError, Reference, Strings};
use backstop_config::{parameter, redaction};
use backstop_delivery::NoSecret;
use backstop_sinks::secret::Secrets;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::{Routes, TransformStage};

/// Why the transforms are not known from the start.
pub(crate) enum Unknown {
    /// They are in a parameter.
    Parameter(Ask),
    /// A mistake in the environment or in a file leaves open what to redact: they will not be known.
    Invalid,
}

pub(crate) type Ask = Box<dyn Fn() -> BoxFuture<'static, Answer> + Send>;
pub(crate) type Answer = Result<Late, Failure>;

/// What is known once the parameter is.
#[derive(Debug)]
pub(crate) struct Late {
    pub(crate) transforms: TransformStage,
    pub(crate) routes: Routes,
    /// What is wrong with its text, and nobody has said yet.
    pub(crate) errors: Vec<ConfigError>,
}

/// Why a parameter is still not known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Unreadable(NoSecret),
    /// Its text leaves open what to redact.
    Invalid(Vec<ConfigError>),
}

impl Failure {
    /// Whether it is worth a log line after this one. A store that fails is said once, whatever it answers with.
    pub(super) fn is_another_than(&self, said: Option<&Self>) -> bool {
        match (self, said) {
            (Self::Unreadable(_), Some(Self::Unreadable(_))) => false,
            (new, said) => Some(new) != said,
        }
    }
}

impl From<NoSecret> for Failure {
    fn from(why: NoSecret) -> Self {
        Self::Unreadable(why)
    }
}

/// Asks for this parameter. `known` are the errors that were reported at the start.
pub(crate) fn asks<E>(
    environment: E,
    secrets: Secrets,
    reference: Reference,
    has_primary: bool,
    known: Vec<ConfigError>,
) -> Ask
where
    E: Strings + Clone + Send + Sync + 'static,
{
    let known = Arc::new(known);
    Box::new(move || {
        let (environment, known) = (environment.clone(), Arc::clone(&known));
        let (secrets, reference) = (secrets.clone(), reference.clone());
        async move {
            let text = secrets.parameter(&reference).await?;
            late(&environment, text.expose(), has_primary, &known)
        }
        .boxed()
    })
}

fn late(
    environment: &impl Strings,
    text: &str,
    has_primary: bool,
    known: &[ConfigError],
) -> Answer {
    let (settings, mut errors) = parameter::resolve(environment, text);
    let transforms = TransformStage::new(&settings.transforms, &mut errors);
    let is_unknown = redaction::is_unknown(environment, &mut errors);
    errors.retain(|error| !known.contains(error));
    if is_unknown {
        return Err(Failure::Invalid(errors));
    }
    Ok(Late {
        transforms,
        routes: Routes::of(settings.routing, has_primary),
        errors,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = (variables.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        all.insert("BACKSTOP_S3_BUCKET".to_owned(), "archive".to_owned());
        all
    }

    #[test]
    fn each_mistake_is_said_once_also_that_of_a_pattern() {
        let environment = environment(&[("BACKSTOP_FILTER", "drop record~/(/")]);
        let (settings, mut known) = backstop_config::Settings::resolve(&environment);
        TransformStage::new(&settings.transforms, &mut known);
        assert_eq!(known.len(), 1);
        let text = "BACKSTOP_SAMPLE=many";
        let found = late(&environment, text, false, &known).unwrap().errors;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].variable(), "BACKSTOP_SAMPLE");
    }

    #[test]
    fn a_text_that_leaves_open_what_to_redact_is_a_failure() {
        for text in [
            "BACKSTOP_REDACT=e-mail",
            "BACKSTOP_REDACT=email,/(/",
            "BACKSTOP_REDACT=email\nBACKSTOP_REDACT=card",
            "BACKSTOP_REDCT=email",
            "email",
        ] {
            match late(&environment(&[]), text, false, &[]) {
                Err(Failure::Invalid(errors)) => {
                    let said = errors[0].to_string();
                    assert!(said.ends_with(redaction::NOTHING_LEAVES), "{said}");
                }
                other => panic!("{text}: {other:?}"),
            }
            let overridden = environment(&[("BACKSTOP_REDACT", "card")]);
            assert!(late(&overridden, text, false, &[]).is_ok(), "{text}");
        }
        let others = "BACKSTOP_TAGS=a=b\nBACKSTOP_FILTER=nonsense";
        let late = late(&environment(&[]), others, false, &[]).expect(others);
        assert_eq!(late.errors.len(), 2);
    }
}
