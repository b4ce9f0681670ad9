//! What holds for all functions of one account and region: the layers that can be used there, code
//! signing, sizes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use aws_sdk_lambda::operation::get_layer_version::GetLayerVersionOutput;
use backstop_config::S3Archive;

use super::decide::Intent;
use super::signing;
use super::trap::Trap;
use super::unzipped::Sizes;
use crate::aws::{Failure, Kind};
use crate::change::LayerArn;
use crate::fleet::{Place, Site};
use crate::grants::{self, Decision, Permission};
use crate::select::{self, Function};

/// Listing pays where it takes a fifth of the calls that asking each function does, or less.
const FUNCTIONS_A_PAGE: usize = 5;

const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];

/// The layer versions to choose from.
#[derive(Debug, Clone, Default)]
pub struct Choice(Vec<String>);

impl Choice {
    pub fn of(arns: &[String]) -> Self {
        Self(arns.to_vec())
    }

    /// Those of a region; the account's own come first.
    fn at(&self, place: &Place) -> Vec<&str> {
        let mut arns: Vec<(bool, &str)> = (self.0.iter())
            .filter_map(|arn| {
                let parts = LayerArn::parse(arn)?;
                let is_here = parts.region == place.region;
                is_here.then_some((parts.account != place.account, arn.as_str()))
            })
            .collect();
        arns.sort_unstable();
        arns.into_iter().map(|(_, arn)| arn).collect()
    }
}

/// A layer version that can be used.
#[derive(Debug, Clone)]
pub(super) struct Release {
    pub(super) arn: String,
    /// Empty where it fits any.
    pub(super) architectures: Vec<String>,
    pub(super) unzipped: Option<u64>,
    pub(super) signed_by: Option<String>,
}

/// What is known of a place.
#[derive(Debug)]
pub(super) struct PlaceFacts<'a> {
    releases: Vec<Release>,
    /// Why those that were given cannot be used.
    pub(super) problems: Vec<String>,
    /// Functions that enforce code signing, and the profiles that each allows.
    enforcing: BTreeMap<String, Vec<String>>,
    layers: tokio::sync::Mutex<HashMap<String, Layer>>,
    sizes: &'a Sizes,
    /// What each role may, by role and permission.
    decisions: tokio::sync::Mutex<Decisions>,
    /// What is wrong with a bucket, by name and the region in which it is looked for.
    buckets: tokio::sync::Mutex<BTreeMap<(String, String), Option<Trap>>>,
    /// Functions with published versions, where all were listed: no other has an alias that keeps one.
    published: Option<BTreeSet<String>>,
    /// Why aliases cannot be listed here.
    denial: Mutex<Option<String>>,
}

/// A layer version in functions' lists.
#[derive(Debug, Clone, Default)]
struct Layer {
    unzipped: Option<u64>,
    /// Why Lambda refuses a list with it.
    problem: Option<String>,
    /// Why that is not known.
    unread: Option<String>,
}

#[derive(Debug, Default)]
struct Decisions {
    known: BTreeMap<(String, Permission), Result<Decision, String>>,
    /// A caller that may not simulate one role may not simulate another.
    denial: Option<String>,
}

impl<'a> PlaceFacts<'a> {
    /// The number of functions.
    pub(super) async fn of(
        site: &Site,
        intent: &Intent,
        sizes: &'a Sizes,
        functions: usize,
    ) -> Result<Self, Failure> {
        let mut facts = Self {
            releases: Vec::new(),
            problems: Vec::new(),
            enforcing: BTreeMap::new(),
            layers: tokio::sync::Mutex::default(),
            sizes,
            decisions: tokio::sync::Mutex::default(),
            buckets: tokio::sync::Mutex::default(),
            published: None,
            denial: Mutex::default(),
        };
        // Each function would be asked for its aliases: where that takes fewer calls, versions are listed.
        let pages = functions / FUNCTIONS_A_PAGE;
        if pages > 0 && !matches!(intent, Intent::Undo { .. }) {
            facts.published = select::published(site, pages).await.unwrap_or_default();
        }
        let Intent::Attach { choice, .. } = intent else {
            return Ok(facts);
        };
        let mut added = BTreeSet::new();
        for arn in choice.at(&site.place) {
            // A copy of what can be used already: there may be one in every other account. Whether it is one the
            // name alone tells, if it has the architecture in it.
            let parts = LayerArn::parse(arn);
            let name = parts.map(|parts| parts.name);
            let is_of_others = parts.is_some_and(|parts| parts.account != site.place.account);
            let is_named = ARCHITECTURES.iter().any(|it| arn.contains(it));
            if is_of_others && is_named && added.contains(&name) {
                continue;
            }
            match layer_version(site, arn).await {
                Ok(layer) => {
                    facts.add(arn, &layer).await;
                    added.insert(name);
                }
                Err(failure) => match unusable(&site.place, arn, &failure) {
                    Some(problem) => facts.problems.push(problem),
                    None if failure.kind == Kind::Denied => facts.problems.push(failure.brief()),
                    None => return Err(failure),
                },
            }
        }
        facts.enforcing = signing::enforcing(site).await;
        Ok(facts)
    }

    async fn add(&mut self, arn: &str, layer: &GetLayerVersionOutput) {
        let content = layer.content();
        let url = content.and_then(|content| content.location());
        let unzipped = self.sizes.of(arn, url).await;
        let known = Layer {
            unzipped,
            ..Layer::default()
        };
        (self.layers.get_mut()).insert(arn.to_owned(), known);
        let mut architectures: Vec<String> = (layer.compatible_architectures().iter())
            .map(|it| it.as_str().to_owned())
            .collect();
        if architectures.is_empty() {
            // Not every region takes them; the name tells too.
            let named = ARCHITECTURES.into_iter();
            architectures.extend(named.filter(|it| arn.contains(it)).map(str::to_owned));
        }
        self.releases.push(Release {
            arn: arn.to_owned(),
            architectures,
            unzipped,
            signed_by: content
                .and_then(|content| content.signing_profile_version_arn())
                .map(str::to_owned),
        });
    }

    /// The layer version for an architecture.
    pub(super) fn release(&self, architecture: &str) -> Option<&Release> {
        self.releases.iter().find(|release| {
            release.architectures.is_empty()
                || release.architectures.iter().any(|it| it == architecture)
        })
    }

    /// Whether the function's code signing refuses the layer.
    pub(super) fn refuses_signature(&self, function: &Function, release: &Release) -> bool {
        self.enforcing.get(&function.arn).is_some_and(|allowed| {
            !release
                .signed_by
                .as_ref()
                .is_some_and(|profile| allowed.contains(profile))
        })
    }

    /// The size of the code and of all layers but ours; none where one of them cannot be found out.
    pub(super) async fn unzipped(&self, site: &Site, function: &Function) -> Option<u64> {
        let url = (function.live.as_ref())
            .and_then(|live| live.code_url.as_ref())
            .map(|url| url.0.as_str());
        let mut total = self.sizes.of(&function.code_sha256, url).await?;
        for arn in &function.layers {
            if !crate::change::is_ours(arn) {
                total += self.layer(site, arn).await.unzipped?;
            }
        }
        Some(total)
    }

    /// Why Lambda would refuse a list of layers: it looks at each of them again.
    pub(super) async fn unusable(&self, site: &Site, layers: &[String]) -> Option<String> {
        for arn in layers {
            let problem = self.layer(site, arn).await.problem;
            if problem.is_some() {
                return problem;
            }
        }
        None
    }

    /// Notes on the layers of a list that could not be read. Lambda refuses an update by a caller who may not
    /// read each of them.
    pub(super) async fn unread(&self, site: &Site, layers: &[String]) -> Vec<String> {
        let mut notes = Vec::new();
        for arn in layers {
            if let Some(reason) = self.layer(site, arn).await.unread {
                notes.push(format!("cannot check whether {arn} is usable: {reason}"));
            }
        }
        notes
    }

    /// Each is asked for once, also when many functions have it.
    async fn layer(&self, site: &Site, arn: &str) -> Layer {
        let mut known_layers = self.layers.lock().await;
        if let Some(known) = known_layers.get(arn) {
            return known.clone();
        }
        let layer = match layer_version(site, arn).await {
            Ok(found) => {
                let url = found.content().and_then(|content| content.location());
                Layer {
                    unzipped: self.sizes.of(arn, url).await,
                    ..Layer::default()
                }
            }
            Err(failure) => {
                let problem = unusable(&site.place, arn, &failure);
                let unread = problem.is_none().then(|| failure.reason());
                let layer = Layer {
                    unzipped: None,
                    problem,
                    unread,
                };
                // Another failure may be over by the time the next function has this layer.
                if !matches!(failure.kind, Kind::NotFound | Kind::Denied | Kind::Invalid) {
                    return layer;
                }
                layer
            }
        };
        known_layers.insert(arn.to_owned(), layer.clone());
        layer
    }

    /// Whether a function's role may do this; each role is asked about once.
    pub(super) async fn may(
        &self,
        site: &Site,
        function: &Function,
        need: &Permission,
    ) -> Result<Decision, String> {
        let mut decisions = self.decisions.lock().await;
        if let Some(reason) = &decisions.denial {
            return Err(reason.clone());
        }
        let key = (function.role.clone(), need.clone());
        if let Some(known) = decisions.known.get(&key) {
            return known.clone();
        }
        let decision = grants::decision(site, function, need).await;
        let decision = decision.map_err(|failure| {
            let reason = failure.reason();
            if matches!(failure.kind, Kind::Denied | Kind::Credentials) {
                decisions.denial = Some(reason.clone());
            }
            reason
        });
        decisions.known.insert(key, decision.clone());
        decision
    }

    /// What is wrong with the archive's bucket, as far as can be seen; each is asked for once.
    pub(super) async fn bucket(&self, site: &Site, archive: &S3Archive) -> Option<Trap> {
        let mut buckets = self.buckets.lock().await;
        let key = (archive.bucket.clone(), archive.region.clone());
        if let Some(known) = buckets.get(&key) {
            return known.clone();
        }
        let bucket = archive.bucket.clone();
        let trap = match super::bucket(site, Some(archive)).await? {
            Ok(found) => (found.region)
                .filter(|region| *region != archive.region)
                .map(|region| Trap::BucketElsewhere { bucket, region }),
            Err(failure) => {
                (failure.kind == Kind::NotFound).then_some(Trap::BucketMissing { bucket })
            }
        };
        buckets.insert(key, trap.clone());
        trap
    }

    /// Whether it may have aliases on published versions, as far as is known.
    pub(super) fn may_have_aliases(&self, function: &Function) -> bool {
        let published = self.published.as_ref();
        published.is_none_or(|names| names.contains(&function.name))
    }

    /// Why aliases cannot be listed, where that is known already.
    pub(super) fn first_denial(&self) -> Option<String> {
        let denial = self.denial.lock();
        denial.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nobody is asked again.
    pub(super) fn deny(&self, reason: &str) {
        let denial = self.denial.lock();
        *denial.unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }
}

/// Why a layer version cannot be in a function's list, where the answer says so. A caller who may not ask
/// learns nothing of the layer.
fn unusable(place: &Place, arn: &str, failure: &Failure) -> Option<String> {
    let Place { account, region } = place;
    match failure.kind {
        Kind::NotFound => Some(format!("{arn} was deleted or never existed")),
        _ if failure.is_not_shared() => Some(format!(
            "{arn} was deleted, or is not shared with account {account} in {region}"
        )),
        _ => None,
    }
}

/// The layer version, through the call that its account can be asked with.
pub async fn layer_version(site: &Site, arn: &str) -> Result<GetLayerVersionOutput, Failure> {
    let lambda = &site.lambda;
    let what = format!("reading the layer version {arn}");
    let parts = LayerArn::parse(arn).filter(|parts| parts.account == site.place.account);
    if let Some(parts) = parts {
        let version = parts.version.parse().ok();
        return lambda
            .read(&what, || {
                (lambda.client().get_layer_version())
                    .layer_name(parts.name)
                    .set_version_number(version)
                    .send()
            })
            .await;
    }
    let answer = lambda
        .read(&what, || {
            (lambda.client().get_layer_version_by_arn()).arn(arn).send()
        })
        .await?;
    Ok(GetLayerVersionOutput::builder()
        .set_content(answer.content().cloned())
        .set_compatible_architectures(Some(answer.compatible_architectures().to_vec()))
        .build())
}
