//! Code signing configurations: each place has one that warns and one that enforces.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::Place;
use crate::function::Function;
use crate::functions::Functions;
use crate::paging::Page;
use crate::refusal::Refusal;
use crate::spec::Signing;

/// The name that AWS gives a configuration: `csc-` and seventeen characters.
fn id(signing: Signing) -> Option<&'static str> {
    match signing {
        Signing::None => None,
        Signing::Warn => Some("csc-warn0000000000000"),
        Signing::Enforce => Some("csc-enforce0000000000"),
    }
}

fn arn(place: &Place, signing: Signing) -> Option<String> {
    let id = id(signing)?;
    Some(format!(
        "arn:aws:lambda:{}:{}:code-signing-config:{id}",
        place.region, place.account
    ))
}

/// The one with this ARN.
fn named(place: &Place, wanted: &str) -> Result<Signing, Refusal> {
    [Signing::Warn, Signing::Enforce]
        .into_iter()
        .find(|signing| arn(place, *signing).as_deref() == Some(wanted))
        .ok_or_else(|| {
            Refusal::not_found(format!(
                "The code signing configuration cannot be found. Check that the provided configuration is not deleted: {wanted}."
            ))
        })
}

impl Functions {
    pub(crate) fn code_signing(&mut self, place: &Place, name: &str) -> Result<Value, Refusal> {
        let spec = &self.function(place, name)?.0.spec;
        Ok(json!({ "CodeSigningConfigArn": arn(place, spec.signing), "FunctionName": spec.name }))
    }

    pub(crate) fn signing_config(&self, place: &Place, wanted: &str) -> Result<Value, Refusal> {
        let config = named(place, wanted)?;
        Ok(json!({ "CodeSigningConfig": self.shown_signing(place, config) }))
    }

    /// Those that a function has.
    pub(crate) fn list_signing_configs(&self, place: &Place, page: &Page) -> Value {
        let signings = self.of(place).map(|(_, function)| function.spec.signing);
        // By name, as markers have to be in order.
        let used: BTreeSet<_> = signings
            .filter_map(|signing| Some((id(signing)?, signing == Signing::Enforce)))
            .collect();
        let configs = used.into_iter().map(|(id, is_enforced)| {
            let signing = if is_enforced {
                Signing::Enforce
            } else {
                Signing::Warn
            };
            (id.to_owned(), self.shown_signing(place, signing))
        });
        let (configs, next) = page.of(configs);
        json!({ "CodeSigningConfigs": configs, "NextMarker": next })
    }

    pub(crate) fn signed_by(
        &self,
        place: &Place,
        wanted: &str,
        page: &Page,
    ) -> Result<Value, Refusal> {
        let config = named(place, wanted)?;
        let has_it = |function: &Function| function.spec.signing == config;
        let arns = (self.of(place))
            .filter(|(_, function)| has_it(function))
            .map(|(name, function)| (name.clone(), function.arn.clone()));
        let (arns, next) = page.of(arns);
        Ok(json!({ "FunctionArns": arns, "NextMarker": next }))
    }

    fn shown_signing(&self, place: &Place, signing: Signing) -> Value {
        let policy = match signing {
            Signing::Enforce => "Enforce",
            Signing::Warn | Signing::None => "Warn",
        };
        json!({
            "CodeSigningConfigId": id(signing), "CodeSigningConfigArn": arn(place, signing),
            "Description": "", "LastModified": "2026-01-31T08:00:00Z",
            "AllowedPublishers": {
                "SigningProfileVersionArns": self.publishers.get(place).cloned().unwrap_or_default(),
            },
            "CodeSigningPolicies": { "UntrustedArtifactOnDeployment": policy },
        })
    }
}
