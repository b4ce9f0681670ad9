//! What holds for all functions of one account and region: the layers that can be used there, code
//! signing, sizes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_lambda::operation::get_layer_version::GetLayerVersionOutput;
use aws_sdk_lambda::types::CodeSigningPolicy;
use backstop_delivery::SystemClock;
use backstop_sinks::SharedHttp;

use super::judge::Wish;
use super::unzipped;
use crate::aws::{Failure, Kind, Marker};
use crate::change::LayerArn;
use crate::files::{self, Readers};
use crate::fleet::{Place, Site};
use crate::select::Function;

/// The layer versions to choose from.
#[derive(Debug, Clone, Default)]
pub struct Choice(Vec<String>);

impl Choice {
    /// These.
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
pub(super) struct Survey<'a> {
    releases: Vec<Release>,
    /// Why those that were given cannot be used.
    pub(super) problems: Vec<String>,
    /// Functions that enforce code signing, and the profiles that each allows.
    enforcing: BTreeMap<String, Vec<String>>,
    layers: tokio::sync::Mutex<HashMap<String, Option<u64>>>,
    sizes: &'a Sizes,
}

impl<'a> Survey<'a> {
    pub(super) async fn of(site: &Site, wish: &Wish, sizes: &'a Sizes) -> Result<Self, Failure> {
        let mut survey = Self {
            releases: Vec::new(),
            problems: Vec::new(),
            enforcing: BTreeMap::new(),
            layers: tokio::sync::Mutex::default(),
            sizes,
        };
        let Wish::Attach { choice, .. } = wish else {
            return Ok(survey);
        };
        for arn in choice.at(&site.place) {
            match layer_version(site, arn).await {
                Ok(layer) => survey.add(arn, &layer).await,
                Err(failure) if matches!(failure.kind, Kind::Denied | Kind::NotFound) => {
                    survey.problems.push(format!(
                        "{arn} does not exist or is not shared with account {} in {}",
                        site.place.account, site.place.region
                    ));
                }
                Err(failure) => return Err(failure),
            }
        }
        survey.enforcing = enforcing(site).await;
        Ok(survey)
    }

    async fn add(&mut self, arn: &str, layer: &GetLayerVersionOutput) {
        let content = layer.content();
        let url = content.and_then(|content| content.location());
        let unzipped = self.sizes.of(arn, url).await;
        (self.layers.get_mut()).insert(arn.to_owned(), unzipped);
        let mut architectures: Vec<String> = (layer.compatible_architectures().iter())
            .map(|it| it.as_str().to_owned())
            .collect();
        if architectures.is_empty() {
            // Not every region takes them; the name tells too.
            let named = ["x86_64", "arm64"].into_iter();
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

    /// Whether the function's code signing stands against the layer.
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
                total += self.layer(site, arn).await?;
            }
        }
        Some(total)
    }

    /// Each is asked for once, also when many functions have it.
    async fn layer(&self, site: &Site, arn: &str) -> Option<u64> {
        let mut known_layers = self.layers.lock().await;
        if let Some(known) = known_layers.get(arn) {
            return *known;
        }
        let unzipped = match layer_version(site, arn).await {
            Ok(found) => {
                let url = found.content().and_then(|content| content.location());
                self.sizes.of(arn, url).await
            }
            // It can be used without being readable: then Lambda says whether it fits.
            Err(_) => None,
        };
        known_layers.insert(arn.to_owned(), unzipped);
        unzipped
    }
}

/// The layer version, through the call that its account can be asked with.
pub(crate) async fn layer_version(
    site: &Site,
    arn: &str,
) -> Result<GetLayerVersionOutput, Failure> {
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

/// The functions whose code signing configuration enforces signatures: asked for by configuration, of
/// which there are few, and not by function.
async fn enforcing(site: &Site) -> BTreeMap<String, Vec<String>> {
    let lambda = &site.lambda;
    let client = lambda.client();
    let mut enforcing = BTreeMap::new();
    let mut marker = Marker::default();
    loop {
        let page = lambda
            .read("listing code signing configurations", || {
                (client.list_code_signing_configs())
                    .set_marker(marker.current())
                    .send()
            })
            .await;
        // Without the permission to ask: Lambda itself refuses what is not signed, and changes nothing.
        let Ok(page) = page else {
            return enforcing;
        };
        for config in page.code_signing_configs() {
            let policies = config.code_signing_policies();
            let policy = policies.and_then(|it| it.untrusted_artifact_on_deployment());
            if policy != Some(&CodeSigningPolicy::Enforce) {
                continue;
            }
            let arn = config.code_signing_config_arn();
            let publishers = config.allowed_publishers();
            let allowed = publishers.map(|it| it.signing_profile_version_arns().to_vec());
            let allowed = allowed.unwrap_or_default();
            let functions = functions_of(site, arn).await.unwrap_or_default();
            enforcing.extend(functions.into_iter().map(|it| (it, allowed.clone())));
        }
        let more = marker.advance("listing code signing configurations", page.next_marker());
        if !matches!(more, Ok(true)) {
            return enforcing;
        }
    }
}

async fn functions_of(site: &Site, config: &str) -> Result<BTreeSet<String>, Failure> {
    let lambda = &site.lambda;
    let mut functions = BTreeSet::new();
    let mut marker = Marker::default();
    loop {
        let page = lambda
            .read("listing the functions that enforce code signing", || {
                (lambda.client().list_functions_by_code_signing_config())
                    .code_signing_config_arn(config)
                    .set_marker(marker.current())
                    .send()
            })
            .await?;
        functions.extend(page.function_arns().iter().cloned());
        if !marker.advance(
            "listing the functions that enforce code signing",
            page.next_marker(),
        )? {
            return Ok(functions);
        }
    }
}

/// Unpacked sizes by what never changes: a code's hash, a layer version's ARN. Kept from run to run.
pub struct Sizes {
    http: SharedHttp,
    known: Mutex<HashMap<String, u64>>,
    file: Option<PathBuf>,
}

impl std::fmt::Debug for Sizes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sizes")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Sizes {
    /// With what is known from earlier runs.
    pub fn open(file: Option<PathBuf>) -> Self {
        let known = (file.as_ref())
            .and_then(|file| files::bytes(file, files::LARGE).ok())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self {
            http: http(),
            known: Mutex::new(known.unwrap_or_default()),
            file,
        }
    }

    /// Keeps what is known; a cache that cannot be written costs nothing but time.
    pub fn save(&self) {
        let Some(file) = &self.file else {
            return;
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(text) = serde_json::to_vec(&*known) {
            // The runs are below the same directory: nobody else may change what is in it.
            files::private_directory(files::parent(file))
                .and_then(|()| files::put(file, &text, Readers::Owner))
                .ok();
        }
    }

    async fn of(&self, key: &str, url: Option<&str>) -> Option<u64> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(key).filter(|_| !key.is_empty()) {
            return Some(*known);
        }
        let size = unzipped::of(&self.http, url?).await.ok()?;
        lock().insert(key.to_owned(), size);
        Some(size)
    }
}

/// With the proxies and the authorities of this process. A mistake in them is no reason to do without: the
/// size of a layer is then not known.
fn http() -> SharedHttp {
    let (settings, _) = backstop_config::Settings::resolve(&backstop_config::ProcessEnvironment);
    SharedHttp::new(
        settings.ca_files,
        settings.proxies,
        Arc::new(SystemClock),
        |_| {},
    )
}
