//! Published versions and the aliases on them.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Place;
use crate::configuration::{Shown, code_sha256};
use crate::function::Alias;
use crate::functions::Functions;
use crate::layers::Layers;
use crate::paging::Page;
use crate::refusal::Refusal;

impl Functions {
    pub(crate) fn publish_version(
        &mut self,
        place: &Place,
        name: &str,
        body: &Value,
        layers: &Layers,
    ) -> Result<Value, Refusal> {
        let update_time = self.update_time;
        let function = self.function(place, name)?.0;
        function.must_be_idle()?;
        function.must_be_at(body)?;
        let code = code_sha256(&function.spec);
        if let Some(wanted) = body["CodeSha256"].as_str().filter(|wanted| *wanted != code) {
            return Err(Refusal::invalid(format!(
                "CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({code}). Please try again with the CodeSHA256 in $LATEST."
            )));
        }
        let description = body["Description"].as_str().unwrap_or_default();
        let number = function.freeze(description, update_time);
        Ok(function.shown(place, Shown::asked(number), layers))
    }

    /// `$LATEST` first, then the oldest.
    pub(crate) fn list_versions(
        &mut self,
        place: &Place,
        name: &str,
        page: &Page,
        layers: &Layers,
    ) -> Result<Value, Refusal> {
        let function = self.function(place, name)?.0;
        let after: Option<u64> = page.marker.as_ref().and_then(|text| text.parse().ok());
        let numbers = std::iter::once(0).chain(function.versions.keys().copied());
        let listed = numbers
            .filter(|number| after.is_none_or(|after| *number > after))
            .take(page.most + 1)
            .map(|number| {
                let shown = function.shown(place, Shown::listed(number, true), layers);
                (number.to_string(), shown)
            });
        let (versions, next) = page.cut(listed.collect());
        Ok(json!({ "Versions": versions, "NextMarker": next }))
    }

    /// Deletes a version; a function as a whole is nobody's to delete here.
    pub(crate) fn delete_version(
        &mut self,
        place: &Place,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(), Refusal> {
        let (function, in_name) = self.function(place, name)?;
        let Some(qualifier) = qualifier.or(in_name.as_deref()) else {
            return Err(Refusal::unknown("DeleteFunction without a Qualifier"));
        };
        if qualifier == "$LATEST" || function.aliases.contains_key(qualifier) {
            return Err(Refusal::invalid(format!(
                "{qualifier} cannot be deleted without deleting the function."
            )));
        }
        let number = function.number(Some(qualifier))?;
        let is_on =
            |alias: &Alias| alias.version == qualifier || alias.weights.contains_key(qualifier);
        let mut aliases = function.aliases.iter();
        if let Some((alias, _)) = aliases.find(|(_, alias)| is_on(alias)) {
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "ResourceConflictException",
                format!(
                    "Unable to delete version because the following aliases reference it: [{alias}]"
                ),
            ));
        }
        function.versions.remove(&number);
        Ok(())
    }

    pub(crate) fn list_aliases(
        &mut self,
        place: &Place,
        name: &str,
        page: &Page,
        version: Option<&str>,
    ) -> Result<Value, Refusal> {
        let function = self.function(place, name)?.0;
        let aliases = (function.aliases.iter())
            .filter(|(_, alias)| version.is_none_or(|version| alias.version == version))
            .map(|(name, alias)| (name.clone(), alias.shown(&function.arn, name)));
        let (aliases, next) = page.of(aliases);
        Ok(json!({ "Aliases": aliases, "NextMarker": next }))
    }

    /// The versions and aliases for which environments are kept ready.
    pub(crate) fn list_provisioned(&mut self, place: &Place, name: &str) -> Result<Value, Refusal> {
        let function = self.function(place, name)?.0;
        let configs = function.spec.provisioned.iter().map(|qualifier| {
            // While environments are made ready for another version, the alias leads to both.
            let alias = function.aliases.get(qualifier);
            let is_moving = alias.is_some_and(|alias| !alias.weights.is_empty());
            let status = if is_moving { "IN_PROGRESS" } else { "READY" };
            json!({
                "FunctionArn": format!("{}:{qualifier}", function.arn), "Status": status,
                "RequestedProvisionedConcurrentExecutions": 1,
            })
        });
        Ok(json!({ "ProvisionedConcurrencyConfigs": configs.collect::<Vec<_>>() }))
    }

    /// The same for every version: none of ours is changed by itself.
    pub(crate) fn runtime_management(
        &mut self,
        place: &Place,
        name: &str,
    ) -> Result<Value, Refusal> {
        let function = self.function(place, name)?.0;
        let mode = &function.spec.update_runtime_on;
        let mode = if mode.is_empty() { "Auto" } else { mode };
        Ok(json!({ "FunctionArn": function.arn, "UpdateRuntimeOn": mode }))
    }

    pub(crate) fn alias(
        &mut self,
        place: &Place,
        name: &str,
        alias: &str,
    ) -> Result<Value, Refusal> {
        let function = self.function(place, name)?.0;
        let found = function.aliases.get(alias);
        found
            .map(|found| found.shown(&function.arn, alias))
            .ok_or_else(|| no_alias(&function.arn, alias))
    }

    pub(crate) fn update_alias(
        &mut self,
        place: &Place,
        name: &str,
        alias: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let function = self.function(place, name)?.0;
        let Some(found) = function.aliases.get(alias) else {
            return Err(no_alias(&function.arn, alias));
        };
        let revision = found.revision.to_string();
        if body["RevisionId"]
            .as_str()
            .is_some_and(|known| known != revision)
        {
            return Err(Refusal::stale());
        }
        let version = body["FunctionVersion"].as_str().unwrap_or(&found.version);
        let weights = match body["RoutingConfig"].as_object() {
            Some(routing) => weights(routing.get("AdditionalVersionWeights"))?,
            None => found.weights.clone(),
        };
        for version in weights.keys().map(String::as_str).chain([version]) {
            // Aliases do not lead to aliases.
            if function.aliases.contains_key(version) {
                return Err(Refusal::invalid(format!("{version} is not a version.")));
            }
            function.number(Some(version))?;
        }
        if !weights.is_empty() && (version == "$LATEST" || weights.contains_key("$LATEST")) {
            return Err(Refusal::invalid(
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ));
        }
        let changed = Alias {
            version: version.to_owned(),
            weights,
            description: (body["Description"].as_str())
                .map_or_else(|| found.description.clone(), str::to_owned),
            revision: Uuid::new_v4(),
        };
        let shown = changed.shown(&function.arn, alias);
        function.aliases.insert(alias.to_owned(), changed);
        Ok(shown)
    }
}

fn weights(wanted: Option<&Value>) -> Result<BTreeMap<String, f64>, Refusal> {
    let wanted = wanted.and_then(Value::as_object);
    let weights: BTreeMap<String, f64> = (wanted.into_iter().flatten())
        .map(|(version, weight)| (version.clone(), weight.as_f64().unwrap_or(-1.0)))
        .collect();
    let is_share = |weight: &f64| (0.0..=1.0).contains(weight);
    if weights.len() > 1 || !weights.values().all(is_share) {
        return Err(Refusal::invalid(
            "An alias has one additional version at most, with a weight between 0 and 1.",
        ));
    }
    Ok(weights)
}

fn no_alias(function: &str, alias: &str) -> Refusal {
    Refusal::not_found(format!("Cannot find alias arn: {function}:{alias}"))
}
