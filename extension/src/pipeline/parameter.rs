//! The settings in the parameter that `BACKSTOP_CONFIG` names: how they are asked for, and what they become.
//!
//! Invariant: nothing is asked before somebody calls [`Ask`].

use std::sync::Arc;

use backstop_config::parameter;
use backstop_config::{ConfigError, Reference, Strings};
use backstop_delivery::NoSecret;
use backstop_sinks::secret::Secrets;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::{Routes, TransformStage};

/// Asks once.
pub(crate) type Ask = Box<dyn Fn() -> BoxFuture<'static, Result<Late, NoSecret>> + Send>;

/// What is known once the parameter is.
#[derive(Debug)]
pub(crate) struct Late {
    pub(crate) transforms: TransformStage,
    pub(crate) routes: Routes,
    /// What is wrong with its text, and nobody has said yet.
    pub(crate) errors: Vec<ConfigError>,
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
            Ok(late(&environment, text.expose(), has_primary, &known))
        }
        .boxed()
    })
}

fn late(environment: &impl Strings, text: &str, has_primary: bool, known: &[ConfigError]) -> Late {
    let (settings, mut errors) = parameter::resolve(environment, text);
    let transforms = TransformStage::new(&settings.transforms, &mut errors);
    errors.retain(|error| !known.contains(error));
    Late {
        transforms,
        routes: Routes::of(settings.routing, has_primary),
        errors,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_mistake_is_said_once_also_that_of_a_pattern() {
        let environment: BTreeMap<String, String> = [
            ("BACKSTOP_S3_BUCKET", "archive"),
            ("BACKSTOP_REDACT", "a=/(/"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let (settings, mut known) = backstop_config::Settings::resolve(&environment);
        TransformStage::new(&settings.transforms, &mut known);
        assert_eq!(known.len(), 1);
        let text = "BACKSTOP_FILTER=drop record~/(/";
        let found = late(&environment, text, false, &known).errors;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].variable(), "BACKSTOP_FILTER");
    }
}
