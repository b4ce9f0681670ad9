//! The whole configuration of a version, to be compared with another version's.
//!
//! Invariant: every member counts, those too that a later release of Lambda adds, but for the short list in
//! [`FullConfiguration::compared`] of what may differ. Must not: tell a value, only what differs.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_lambda::types::{
    EnvironmentResponse, FunctionConfiguration, Layer, RuntimeVersionConfig, SnapStartApplyOn,
    UpdateRuntimeOn,
};

use crate::aws::{Failure, Kind, Marker};
use crate::change::{PREFIX, is_ours};
use crate::fleet::Site;

/// The version that is not published.
pub const LATEST: &str = "$LATEST";

/// Everything that Lambda says of one version.
#[derive(Debug, Clone)]
pub struct FullConfiguration(FunctionConfiguration);

impl FullConfiguration {
    /// Of a version, or of what an alias leads to.
    pub async fn of(site: &Site, name: &str, version: &str) -> Result<Self, Failure> {
        let lambda = &site.lambda;
        let what = format!(
            "reading version {version} of function {name} in {}",
            site.place
        );
        let answer = lambda
            .get_function(&what, || {
                let request = lambda.client().get_function();
                request.function_name(name).qualifier(version).send()
            })
            .await?;
        let missing = || Failure::new(&what, "Lambda's answer has no function", Kind::Unavailable);
        answer.configuration.map(Self).ok_or_else(missing)
    }

    /// The newest published version; none where nothing was ever published.
    pub async fn newest(site: &Site, name: &str) -> Result<Option<Self>, Failure> {
        let (lambda, mut marker) = (&site.lambda, Marker::default());
        let what = format!("listing the versions of function {name} in {}", site.place);
        let mut newest: Option<(u64, Self)> = None;
        loop {
            let page = lambda
                .read(&what, || {
                    let request = lambda.client().list_versions_by_function();
                    (request.function_name(name))
                        .set_marker(marker.current())
                        .send()
                })
                .await?;
            for version in page.versions() {
                let number = version.version().and_then(|it| it.parse().ok());
                // The list includes `$LATEST`, which is not a number.
                let Some(number) = number else { continue };
                if newest.as_ref().is_none_or(|(known, _)| *known < number) {
                    newest = Some((number, Self(version.clone())));
                }
            }
            if !marker.advance(&what, page.next_marker())? {
                return Ok(newest.map(|(_, whole)| whole));
            }
        }
    }

    /// What another version would release beside the extension and its settings.
    pub async fn unreleased(
        &self,
        site: &Site,
        name: &str,
        other: &Self,
    ) -> Result<Vec<&'static str>, Failure> {
        let mut differences = named(&self.compared(), &other.compared());
        if self.runtime_version() != other.runtime_version() && other.is_pinned(site, name).await? {
            differences.push("runtime version");
        }
        Ok(differences)
    }

    fn runtime_version(&self) -> Option<&str> {
        let runtime = self.0.runtime_version_config();
        runtime.and_then(RuntimeVersionConfig::runtime_version_arn)
    }

    /// Whether somebody chose its runtime version; otherwise Lambda moves it, also with each change of a
    /// function.
    async fn is_pinned(&self, site: &Site, name: &str) -> Result<bool, Failure> {
        let lambda = &site.lambda;
        let version = self.0.version().unwrap_or(LATEST);
        let what = format!(
            "reading how the runtime of function {name} is updated in {}",
            site.place
        );
        let answer = lambda
            .read(&what, || {
                let request = lambda.client().get_runtime_management_config();
                request.function_name(name).qualifier(version).send()
            })
            .await?;
        Ok(answer.update_runtime_on() == Some(&UpdateRuntimeOn::Manual))
    }

    /// Whether both have the same layers of ours and the same settings. Variables that cannot be read may
    /// be others; without a layer they are of no effect.
    pub fn has_same_extension(&self, other: &Self) -> bool {
        if !self.has_layer() && !other.has_layer() {
            return true;
        }
        self.extension().is_some() && self.extension() == other.extension()
    }

    /// Whether it has a Backstop layer.
    pub fn has_layer(&self) -> bool {
        let mut layers = self.0.layers().iter().filter_map(Layer::arn);
        layers.any(is_ours)
    }

    fn extension(&self) -> Option<(Vec<&str>, BTreeMap<&str, &str>)> {
        let layers = self.0.layers().iter().filter_map(Layer::arn);
        let environment = self.0.environment();
        if environment.is_some_and(|environment| environment.error().is_some()) {
            return None;
        }
        let variables = environment.and_then(EnvironmentResponse::variables);
        let variables = variables.into_iter().flatten();
        let ours = variables.filter(|(name, _)| name.starts_with(PREFIX));
        Some((
            layers.filter(|arn| is_ours(arn)).collect(),
            ours.map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        ))
    }

    /// Without what may differ between two versions of which one can take the other's place.
    fn compared(&self) -> FunctionConfiguration {
        let mut it = self.0.clone();
        // Which version it is, and when it was made.
        it.function_arn = None;
        it.version = None;
        it.master_arn = None;
        it.revision_id = None;
        it.last_modified = None;
        it.config_sha256 = None;
        // How far Lambda is with it.
        it.state = None;
        it.state_reason = None;
        it.state_reason_code = None;
        it.last_update_status = None;
        it.last_update_status_reason = None;
        it.last_update_status_reason_code = None;
        // Said of a version when it was published; nothing runs by it.
        it.description = None;
        // Judged apart: Lambda moves it.
        it.runtime_version_config = None;
        if let Some(snap_start) = &mut it.snap_start {
            snap_start.optimization_status = None;
        }
        // Switched off is written in two ways.
        it.snap_start = (it.snap_start)
            .filter(|it| it.apply_on.is_some() && it.apply_on != Some(SnapStartApplyOn::None));
        it.vpc_config = (it.vpc_config).filter(|vpc| !vpc.subnet_ids().is_empty());
        it.dead_letter_config = (it.dead_letter_config)
            .filter(|config| config.target_arn().is_some_and(|arn| !arn.is_empty()));
        it.file_system_configs = it.file_system_configs.filter(|all| !all.is_empty());
        it.kms_key_arn = it.kms_key_arn.filter(|arn| !arn.is_empty());
        // Their order means nothing.
        if let Some(vpc) = &mut it.vpc_config {
            let lists = [&mut vpc.subnet_ids, &mut vpc.security_group_ids];
            for ids in lists.into_iter().flatten() {
                ids.sort_unstable();
            }
        }
        let layers = it.layers.take().unwrap_or_default();
        let layers = layers.into_iter().filter_map(|layer| layer.arn);
        let layers: Vec<Layer> = layers
            .filter(|arn| !is_ours(arn))
            .map(|arn| Layer::builder().arn(arn).build())
            .collect();
        it.layers = Some(layers).filter(|layers| !layers.is_empty());
        if let Some(environment) = &mut it.environment
            && let Some(variables) = &mut environment.variables
        {
            variables.retain(|name, _| !name.starts_with(PREFIX));
        }
        it.environment = it.environment.filter(|environment| {
            let is_empty = environment.variables().is_none_or(HashMap::is_empty);
            environment.error.is_some() || !is_empty
        });
        it
    }
}

/// What differs. Variables that cannot be read may.
fn named(one: &FunctionConfiguration, other: &FunctionConfiguration) -> Vec<&'static str> {
    let is_unread = |it: &FunctionConfiguration| {
        (it.environment.as_ref()).is_some_and(|environment| environment.error.is_some())
    };
    let mut names = Vec::new();
    let mut compare = |name: &'static str, is_same: bool| {
        if !is_same {
            names.push(name);
        }
    };
    compare(
        "code",
        one.code_sha256 == other.code_sha256 && one.code_size == other.code_size,
    );
    compare("runtime", one.runtime == other.runtime);
    compare("handler", one.handler == other.handler);
    compare("role", one.role == other.role);
    compare("memory", one.memory_size == other.memory_size);
    compare("timeout", one.timeout == other.timeout);
    compare("VPC", one.vpc_config == other.vpc_config);
    compare("architecture", one.architectures == other.architectures);
    compare("layers", one.layers == other.layers);
    compare(
        "variables",
        one.environment == other.environment && !is_unread(one) && !is_unread(other),
    );
    compare("key", one.kms_key_arn == other.kms_key_arn);
    compare("SnapStart", one.snap_start == other.snap_start);
    compare("tracing", one.tracing_config == other.tracing_config);
    compare("logging", one.logging_config == other.logging_config);
    compare(
        "dead-letter queue",
        one.dead_letter_config == other.dead_letter_config,
    );
    compare(
        "file systems",
        one.file_system_configs == other.file_system_configs,
    );
    compare(
        "ephemeral storage",
        one.ephemeral_storage == other.ephemeral_storage,
    );
    // What has no name here counts too.
    if names.is_empty() && one != other {
        names.push("other settings");
    }
    names
}
