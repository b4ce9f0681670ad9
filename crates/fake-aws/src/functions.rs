//! Functions, what may be changed of them and when.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::Place;
use crate::configuration::{Shown, without};
use crate::function::{Alias, Function};
use crate::layers::{LayerArn, Layers};
use crate::paging::Page;
use crate::refusal::Refusal;
use crate::spec::{FunctionSpec, PackageType, Signing};

const MOST_LAYERS: usize = 5;
const MOST_ENVIRONMENT: usize = 4096;
const MOST_UNZIPPED: u64 = 262_144_000;
const MOST_REQUEST: usize = 5120;

/// By place first, so that a list costs what it shows and not what there is elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    places: BTreeMap<Place, BTreeMap<String, Function>>,
    pub(crate) update_time: Duration,
    /// The signing profiles that a place trusts.
    pub(crate) publishers: BTreeMap<Place, Vec<String>>,
}

impl Functions {
    pub(crate) fn add(&mut self, place: &Place, spec: FunctionSpec) {
        let name = spec.name.clone();
        let aliases = (spec.aliases.iter())
            .map(|name| (name.clone(), Alias::on("1")))
            .collect();
        let mut function = Function {
            arn: format!(
                "arn:aws:lambda:{}:{}:function:{name}",
                place.region, place.account
            ),
            revision: Uuid::new_v4(),
            busy: None,
            last: 0,
            versions: BTreeMap::new(),
            aliases,
            writes: 0,
            spec,
        };
        if !function.aliases.is_empty() {
            function.freeze("", Duration::ZERO);
        }
        let functions = self.places.entry(place.clone()).or_default();
        functions.insert(name, function);
    }

    /// Somebody else's change: checked by nobody, but another revision.
    pub(crate) fn change(
        &mut self,
        place: &Place,
        name: &str,
        change: impl FnOnce(&mut FunctionSpec),
    ) {
        if let Some(function) = self.named_mut(place, name) {
            change(&mut function.spec);
            function.revision = Uuid::new_v4();
        }
    }

    pub(crate) fn remove(&mut self, place: &Place, name: &str) {
        if let Some(functions) = self.places.get_mut(place) {
            functions.remove(name);
        }
    }

    /// All that there are in a place, by name.
    pub(crate) fn of(&self, place: &Place) -> impl Iterator<Item = (&String, &Function)> {
        self.places.get(place).into_iter().flatten()
    }

    /// All that there are.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Place, &String, &Function)> {
        (self.places.iter()).flat_map(|(place, functions)| {
            (functions.iter()).map(move |(name, function)| (place, name, function))
        })
    }

    pub(crate) fn named(&self, place: &Place, name: &str) -> Option<&Function> {
        self.places.get(place)?.get(name)
    }

    pub(crate) fn named_mut(&mut self, place: &Place, name: &str) -> Option<&mut Function> {
        self.places.get_mut(place)?.get_mut(name)
    }

    /// `$LATEST` of each, or with `ALL` every published version behind it.
    pub(crate) fn list(
        &mut self,
        place: &Place,
        page: &Page,
        is_all: bool,
        layers: &Layers,
    ) -> Value {
        // A marker is the name of the last one shown, and its version where those are listed.
        let marker = page.marker.as_deref().unwrap_or_default();
        let (name, shown) = match marker.split_once(':') {
            Some((name, version)) => (name, version.parse::<u64>().ok()),
            None => (marker, None),
        };
        let from = if shown.is_some() {
            Bound::Included(name)
        } else {
            Bound::Excluded(name)
        };
        let functions = self.places.entry(place.clone()).or_default();
        let mut listed = Vec::new();
        'functions: for (name, function) in
            functions.range_mut::<str, _>((from, Bound::<&str>::Unbounded))
        {
            function.settle();
            let after = shown.filter(|_| marker.starts_with(&format!("{name}:")));
            let numbers = std::iter::once(0).chain(function.versions.keys().copied());
            for number in numbers.filter(|number| after.is_none_or(|after| *number > after)) {
                if number > 0 && !is_all {
                    break;
                }
                let what = Shown::listed(number, is_all);
                let marker = if is_all {
                    format!("{name}:{number}")
                } else {
                    name.clone()
                };
                listed.push((marker, function.shown(place, what, layers)));
                if listed.len() > page.most {
                    break 'functions;
                }
            }
        }
        let (functions, next) = page.cut(listed);
        json!({ "Functions": functions, "NextMarker": next })
    }

    pub(crate) fn get(
        &mut self,
        place: &Place,
        name: &str,
        qualifier: Option<&str>,
        (host, layers): (&str, &Layers),
    ) -> Result<Value, Refusal> {
        let configuration = self.configuration(place, name, qualifier, layers)?;
        let function = self.function(place, name)?.0;
        let code = match function.spec.package_type {
            PackageType::Zip => {
                let name = &function.spec.name;
                let version = configuration["Version"].as_str().unwrap_or_default();
                let place = format!("{}/{}", place.account, place.region);
                json!({
                    "RepositoryType": "S3",
                    "Location": format!(
                        "http://{host}/content/functions/{place}/{name}/{version}?X-Amz-Expires=600&X-Amz-Signature=0"
                    ),
                })
            }
            PackageType::Image => json!({
                "RepositoryType": "ECR",
                "ImageUri": format!("{}.dkr.ecr.{}.amazonaws.com/{}:1", place.account, place.region, function.spec.name),
            }),
        };
        let mut answer = json!({
            "Configuration": configuration, "Code": code, "Tags": function.spec.tags,
        });
        if let Some(reserved) = function.spec.reserved_concurrency {
            answer["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
        }
        Ok(answer)
    }

    pub(crate) fn configuration(
        &mut self,
        place: &Place,
        name: &str,
        qualifier: Option<&str>,
        layers: &Layers,
    ) -> Result<Value, Refusal> {
        let (function, in_name) = self.function(place, name)?;
        let number = function.number(qualifier.or(in_name.as_deref()))?;
        Ok(function.shown(place, Shown::asked(number), layers))
    }

    /// Changes layers and environment, and nothing where anything is wrong.
    pub(crate) fn update(
        &mut self,
        place: &Place,
        name: &str,
        body: &[u8],
        layers: &Layers,
    ) -> Result<Value, Refusal> {
        if body.len() > MOST_REQUEST {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
                format!(
                    "Request must be smaller than {MOST_REQUEST} bytes for the UpdateFunctionConfiguration operation"
                ),
            ));
        }
        let update_time = self.update_time;
        let publishers = self.publishers.get(place).cloned().unwrap_or_default();
        let body: Value = serde_json::from_slice(body)
            .map_err(|_| Refusal::invalid("Could not parse request body into json"))?;
        let (function, qualifier) = self.function(place, name)?;
        if qualifier.is_some_and(|qualifier| qualifier != "$LATEST") {
            return Err(Refusal::invalid(
                "This operation is permitted only on the $LATEST version.",
            ));
        }
        function.must_be_idle()?;
        function.must_be_at(&body)?;
        let mut spec = function.spec.clone();
        if let Some(listed) = body["Layers"].as_array() {
            spec.layers = listed
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            check_layers(place, &spec, layers, &publishers)?;
        }
        if let Some(environment) = body["Environment"].as_object() {
            let variables = environment.get("Variables").and_then(Value::as_object);
            spec.environment = (variables.into_iter().flatten())
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            let text = json!(spec.environment).to_string();
            if text.len() > MOST_ENVIRONMENT {
                return Err(Refusal::invalid(format!(
                    "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {text}"
                )));
            }
        }
        function.spec = spec;
        function.revision = Uuid::new_v4();
        function.writes += 1;
        function.busy = (!update_time.is_zero()).then(|| Instant::now() + update_time);
        Ok(function.shown(place, Shown::asked(0), layers))
    }

    pub(crate) fn tags(&mut self, place: &Place, arn: &str) -> Result<Value, Refusal> {
        Ok(json!({ "Tags": self.function(place, arn)?.0.spec.tags }))
    }

    /// By name, partial or whole ARN, and the qualifier where that has one.
    pub(crate) fn function(
        &mut self,
        place: &Place,
        name: &str,
    ) -> Result<(&mut Function, Option<String>), Refusal> {
        let parts: Vec<&str> = name.split(':').collect();
        let (short, qualifier) = match parts[..] {
            [_, _, _, _, _, "function", short, ref qualifier @ ..]
            | [_, "function", short, ref qualifier @ ..]
            | [short, ref qualifier @ ..] => (short, qualifier.first()),
            [] => ("", None),
        };
        let is_elsewhere = matches!(parts[..], [_, _, _, region, account, ..] if (region, account) != (&place.region, &place.account));
        let function = (self.places.get_mut(place))
            .and_then(|functions| functions.get_mut(short))
            .filter(|_| !is_elsewhere);
        let function = function.ok_or_else(|| {
            Refusal::not_found(format!(
                "Function not found: arn:aws:lambda:{}:{}:function:{short}",
                place.region, place.account
            ))
        })?;
        function.settle();
        Ok((function, qualifier.map(|text| (*text).to_owned())))
    }
}

/// What the API checks of a list of layers, in its order.
fn check_layers(
    place: &Place,
    spec: &FunctionSpec,
    layers: &Layers,
    publishers: &[String],
) -> Result<(), Refusal> {
    if spec.package_type == PackageType::Image && !spec.layers.is_empty() {
        return Err(Refusal::invalid(
            "Please don't provide Layers when updating a function with packageType Image.",
        ));
    }
    if spec.layers.len() > MOST_LAYERS {
        return Err(Refusal::invalid(format!(
            "Cannot reference more than {MOST_LAYERS} layers."
        )));
    }
    let mut unzipped = spec.unzipped_bytes;
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut is_trusted = true;
    for text in &spec.layers {
        let Some(arn) = LayerArn::parse(text) else {
            return Err(Refusal::invalid(format!(
                "{text} is not a valid layer version ARN."
            )));
        };
        let version = layers.usable(place, &arn)?;
        unzipped += version.unzipped;
        let profile = version
            .signature
            .as_ref()
            .map(|signature| &signature.profile);
        is_trusted &= profile.is_some_and(|profile| publishers.contains(profile));
        if seen.insert(arn.layer(), arn.version).is_some() {
            return Err(Refusal::invalid(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {text} is one of them."
            )));
        }
    }
    if unzipped > MOST_UNZIPPED {
        return Err(Refusal::invalid(format!(
            "Function code combined with layers exceeds the maximum allowed size of {MOST_UNZIPPED} bytes. The actual size is {unzipped} bytes."
        )));
    }
    if spec.signing == Signing::Enforce && !is_trusted {
        return Err(Refusal::bad(
            "CodeVerificationFailedException",
            "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not configured to accept.",
        ));
    }
    Ok(())
}

impl Functions {
    /// What there is of a function after everything that is under way: its configuration, tags, aliases.
    pub(crate) fn snapshot(
        &self,
        layers: &Layers,
    ) -> impl Iterator<Item = ((Place, String), Value)> {
        self.all().map(|(place, name, function)| {
            let configuration = function.settled(place, layers);
            let aliases = (function.aliases.iter())
                .map(|(name, alias)| {
                    (
                        name.clone(),
                        without(alias.shown(&function.arn, name), &["RevisionId"]),
                    )
                })
                .collect::<serde_json::Map<_, _>>();
            let value = json!({
                "Configuration": without(configuration, &["State", "StateReasonCode"]),
                "Tags": function.spec.tags,
                "Aliases": aliases,
            });
            ((place.clone(), name.clone()), value)
        })
    }
}
