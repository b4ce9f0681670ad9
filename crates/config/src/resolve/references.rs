//! The token of the primary, from the one variable that names it, and what is kept elsewhere.
//!
//! Invariant: exactly one variable gives the token; with two of them the primary is off, because either
//! could be the wrong account's.
//!
//! Must not: ask a store.

use super::{Reported, Resolver};
use crate::aws;
use crate::error::{ConfigError, ErrorKind};
use crate::headers::{self, Value};
use crate::parameter::SCHEME;
use crate::reference::{Reference, Store, Template};
use crate::register::{
    CONFIG, PRIMARY_HEADERS, PRIMARY_TOKEN, PRIMARY_TOKEN_KMS, PRIMARY_TOKEN_KMS_KEY_ID,
    PRIMARY_TOKEN_SECRET_ARN, PRIMARY_TOKEN_SSM_PARAMETER,
};
use crate::settings::{AwsSettings, References};
use crate::variable::Variable;

/// What a mistake costs.
const OFF: &str = "the primary is off";
/// The variables that name a token, each with its store.
const SOURCES: [(&Variable, Option<Store>); 4] = [
    (&PRIMARY_TOKEN, None),
    (&PRIMARY_TOKEN_SECRET_ARN, Some(Store::SecretsManager)),
    (&PRIMARY_TOKEN_SSM_PARAMETER, Some(Store::ParameterStore)),
    (&PRIMARY_TOKEN_KMS, Some(Store::Kms)),
];

impl Resolver {
    /// The variable that names the token.
    pub(super) fn token_variable(&self) -> Option<&'static str> {
        let mut names = SOURCES.iter().map(|(variable, _)| variable.name);
        names.find(|name| self.raw.get(name).is_some())
    }

    /// The token; `here` is the region of the function, where it is known.
    pub(super) fn token(&mut self, here: Option<&str>) -> Result<Option<Value>, Reported> {
        let set: Vec<_> = (SOURCES.iter())
            .filter(|(variable, _)| self.raw.get(variable.name).is_some())
            .collect();
        match set[..] {
            [] => Ok(None),
            [(variable, None)] => self.needed(variable, |text| headers::token(text, here)),
            [(variable, Some(store))] => self.needed(variable, |text| {
                let reference = Reference::in_store(*store, text, here)?;
                Ok(Value::Kept(Template::bare(reference)))
            }),
            [(first, _), (second, _), ..] => {
                let problem = format!("and {} are both set: keep one of the two", second.name);
                let error = ConfigError::new(first.name, ErrorKind::Conflict, problem);
                self.errors.push(error.with_effect(OFF));
                Err(Reported)
            }
        }
    }

    /// The parameter that `BACKSTOP_CONFIG` names; none where it names a file.
    pub(super) fn parameter(&mut self, here: Option<&str>) -> Option<Reference> {
        let name = self.raw.get(CONFIG.name)?.strip_prefix(SCHEME)?;
        let reference = Reference::in_store(Store::ParameterStore, name.trim(), here);
        let error = |problem| {
            ConfigError::invalid(CONFIG.name, problem).with_effect("the parameter is left out")
        };
        (reference.map_err(|problem| self.errors.push(error(problem)))).ok()
    }

    /// What of the token and the headers is kept elsewhere, in services that can be asked.
    pub(super) fn references(
        &mut self,
        aws: &AwsSettings,
        token: Option<&Value>,
        headers: &[(String, Value)],
    ) -> Result<References, Reported> {
        let kept = |(name, value): &(String, Value)| Some((name.clone(), value.kept()?.clone()));
        let kms_key_id = self.needed(&PRIMARY_TOKEN_KMS_KEY_ID, |text| {
            aws::token_key(text, &aws.region)
        })?;
        let references = References {
            token: token.and_then(Value::kept).cloned(),
            headers: headers.iter().filter_map(kept).collect(),
            kms_key_id,
        };
        if references.kms_key_id.is_some() && references.is_empty() {
            let problem = format!(
                "is set, and no token or header is kept elsewhere: remove it, or set {} or {}",
                PRIMARY_TOKEN_KMS.name, PRIMARY_HEADERS.name
            );
            let error =
                ConfigError::new(PRIMARY_TOKEN_KMS_KEY_ID.name, ErrorKind::Conflict, problem);
            self.errors.push(error.with_effect("it is left out"));
        }
        for store in Store::ALL {
            let is_used = references.each().iter().any(|it| it.store == store);
            let conflict = self.endpoint_conflict(aws, store.endpoint_variable());
            if let Some(error) = conflict.filter(|_| is_used) {
                self.errors.push(error.with_effect(OFF));
                return Err(Reported);
            }
        }
        Ok(references)
    }
}
