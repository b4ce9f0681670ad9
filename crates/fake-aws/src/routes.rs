//! The paths and targets of the APIs: what a request asks for.

use bytes::Bytes;
use http::{Method, Request};

use crate::form::decoded;
use crate::identity::{Caller, Service};
use crate::paging::query;
use crate::refusal::Refusal;
use crate::{iam, metrics, organizations, parameters, sts, tagging};

/// What is asked for; names that several have are the call's subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    ListFunctions,
    GetFunction,
    GetFunctionConfiguration,
    UpdateFunctionConfiguration,
    Invoke,
    DeleteFunction,
    PublishVersion,
    ListVersionsByFunction,
    ListAliases,
    ListProvisionedConcurrencyConfigs,
    GetRuntimeManagementConfig,
    GetAlias(String),
    UpdateAlias(String),
    GetPolicy,
    GetFunctionCodeSigningConfig,
    GetCodeSigningConfig,
    ListCodeSigningConfigs,
    ListFunctionsByCodeSigningConfig,
    ListTags,
    GetAccountSettings,
    ListLayers,
    PublishLayerVersion,
    ListLayerVersions,
    GetLayerVersion(u64),
    GetLayerVersionByArn,
    DeleteLayerVersion(u64),
    AddLayerVersionPermission(u64),
    GetLayerVersionPolicy(u64),
    RemoveLayerVersionPermission(u64, String),
    /// One of another service's.
    Other(&'static str),
}

impl Operation {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ListFunctions => "ListFunctions",
            Self::GetFunction => "GetFunction",
            Self::GetFunctionConfiguration => "GetFunctionConfiguration",
            Self::UpdateFunctionConfiguration => "UpdateFunctionConfiguration",
            Self::Invoke => "Invoke",
            Self::DeleteFunction => "DeleteFunction",
            Self::PublishVersion => "PublishVersion",
            Self::ListVersionsByFunction => "ListVersionsByFunction",
            Self::ListAliases => "ListAliases",
            Self::ListProvisionedConcurrencyConfigs => "ListProvisionedConcurrencyConfigs",
            Self::GetRuntimeManagementConfig => "GetRuntimeManagementConfig",
            Self::GetAlias(_) => "GetAlias",
            Self::UpdateAlias(_) => "UpdateAlias",
            Self::GetPolicy => "GetPolicy",
            Self::GetFunctionCodeSigningConfig => "GetFunctionCodeSigningConfig",
            Self::GetCodeSigningConfig => "GetCodeSigningConfig",
            Self::ListCodeSigningConfigs => "ListCodeSigningConfigs",
            Self::ListFunctionsByCodeSigningConfig => "ListFunctionsByCodeSigningConfig",
            Self::ListTags => "ListTags",
            Self::GetAccountSettings => "GetAccountSettings",
            Self::ListLayers => "ListLayers",
            Self::PublishLayerVersion => "PublishLayerVersion",
            Self::ListLayerVersions => "ListLayerVersions",
            Self::GetLayerVersion(_) => "GetLayerVersion",
            Self::GetLayerVersionByArn => "GetLayerVersionByArn",
            Self::DeleteLayerVersion(_) => "DeleteLayerVersion",
            Self::AddLayerVersionPermission(_) => "AddLayerVersionPermission",
            Self::GetLayerVersionPolicy(_) => "GetLayerVersionPolicy",
            Self::RemoveLayerVersionPermission(..) => "RemoveLayerVersionPermission",
            Self::Other(name) => name,
        }
    }

    /// Whether it changes anything.
    pub(crate) fn is_write(&self) -> bool {
        let verbs = ["Update", "Publish", "Delete", "Add", "Remove", "Put"];
        verbs.iter().any(|verb| self.name().starts_with(verb))
    }
}

/// What a request asks for, and of what.
pub(crate) fn operation(
    caller: &Caller,
    request: &Request<Bytes>,
) -> Result<(Operation, String), Refusal> {
    let unknown = || {
        let target = request.headers().get("x-amz-target");
        let target = target.and_then(|value| value.to_str().ok());
        Refusal::unknown(&match target {
            Some(target) => target.to_owned(),
            None => format!("{} {}", request.method(), request.uri()),
        })
    };
    let body = request.body();
    let targeted = |prefix: &str, known: &[&'static str]| {
        let target = request.headers().get("x-amz-target")?.to_str().ok()?;
        let name = target.strip_prefix(prefix)?.strip_prefix('.')?;
        known.iter().find(|known| **known == name).copied()
    };
    let plain = |name: &'static str| (name, String::new());
    let found = match caller.service {
        Service::Lambda => return lambda(request).ok_or_else(unknown),
        Service::Account => (request.uri().path() == "/listRegions").then(|| plain("ListRegions")),
        Service::CloudWatch => metrics::operation(request.uri().path()),
        Service::Iam => iam::operation(body),
        Service::Organizations => {
            targeted("AWSOrganizationsV20161128", &organizations::OPERATIONS).map(plain)
        }
        Service::SecretsManager => targeted("secretsmanager", &parameters::SECRETS)
            .map(|name| (name, parameters::subject(body))),
        Service::Ssm => targeted("AmazonSSM", &parameters::PARAMETERS)
            .map(|name| (name, parameters::subject(body))),
        Service::Sts => sts::operation(body),
        Service::Tagging => {
            targeted("ResourceGroupsTaggingAPI_20170126", &tagging::OPERATIONS).map(plain)
        }
    };
    let (name, subject) = found.ok_or_else(unknown)?;
    Ok((Operation::Other(name), subject))
}

/// Lambda's own, by paths.
fn lambda(request: &Request<Bytes>) -> Option<(Operation, String)> {
    use Operation as Op;
    let path: Vec<String> = (request.uri().path().split('/'))
        .filter(|part| !part.is_empty())
        .map(decoded)
        .collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().ok();
    let (operation, subject) = match (request.method().as_str(), &path[..]) {
        ("GET", ["2015-03-31", "functions"]) => (Op::ListFunctions, ""),
        ("GET", ["2015-03-31", "functions", name]) => (Op::GetFunction, *name),
        ("DELETE", ["2015-03-31", "functions", name]) => (Op::DeleteFunction, *name),
        (method, ["2015-03-31", "functions", name, what]) => match (method, *what) {
            ("GET", "configuration") => (Op::GetFunctionConfiguration, *name),
            ("PUT", "configuration") => (Op::UpdateFunctionConfiguration, *name),
            ("POST", "invocations") => (Op::Invoke, *name),
            ("POST", "versions") => (Op::PublishVersion, *name),
            ("GET", "versions") => (Op::ListVersionsByFunction, *name),
            ("GET", "aliases") => (Op::ListAliases, *name),
            ("GET", "policy") => (Op::GetPolicy, *name),
            _ => return None,
        },
        ("GET", ["2015-03-31", "functions", name, "aliases", alias]) => {
            (Op::GetAlias((*alias).to_owned()), *name)
        }
        ("PUT", ["2015-03-31", "functions", name, "aliases", alias]) => {
            (Op::UpdateAlias((*alias).to_owned()), *name)
        }
        ("GET", ["2019-09-30", "functions", name, "provisioned-concurrency"]) => {
            (Op::ListProvisionedConcurrencyConfigs, *name)
        }
        ("GET", ["2021-07-20", "functions", name, "runtime-management-config"]) => {
            (Op::GetRuntimeManagementConfig, *name)
        }
        ("GET", ["2020-06-30", "functions", name, "code-signing-config"]) => {
            (Op::GetFunctionCodeSigningConfig, *name)
        }
        ("GET", ["2020-04-22", "code-signing-configs"]) => (Op::ListCodeSigningConfigs, ""),
        ("GET", ["2020-04-22", "code-signing-configs", arn]) => (Op::GetCodeSigningConfig, *arn),
        ("GET", ["2020-04-22", "code-signing-configs", arn, "functions"]) => {
            (Op::ListFunctionsByCodeSigningConfig, *arn)
        }
        ("GET", ["2017-03-31", "tags", arn]) => (Op::ListTags, *arn),
        ("GET", ["2016-08-19", "account-settings"]) => (Op::GetAccountSettings, ""),
        (_, ["2018-10-31", "layers", rest @ ..]) => return layers(request, rest, number),
        _ => return None,
    };
    Some((operation, subject.to_owned()))
}

fn layers(
    request: &Request<Bytes>,
    path: &[&str],
    number: impl Fn(&str) -> Option<u64>,
) -> Option<(Operation, String)> {
    use Operation as Op;
    let (operation, subject) = match (request.method(), path) {
        (&Method::GET, []) if query(request, "find").is_some() => {
            return Some((Op::GetLayerVersionByArn, query(request, "Arn")?));
        }
        (&Method::GET, []) => (Op::ListLayers, ""),
        (&Method::POST, [name, "versions"]) => (Op::PublishLayerVersion, *name),
        (&Method::GET, [name, "versions"]) => (Op::ListLayerVersions, *name),
        (&Method::GET, [name, "versions", version]) => {
            (Op::GetLayerVersion(number(version)?), *name)
        }
        (&Method::DELETE, [name, "versions", version]) => {
            (Op::DeleteLayerVersion(number(version)?), *name)
        }
        (&Method::POST, [name, "versions", version, "policy"]) => {
            (Op::AddLayerVersionPermission(number(version)?), *name)
        }
        (&Method::GET, [name, "versions", version, "policy"]) => {
            (Op::GetLayerVersionPolicy(number(version)?), *name)
        }
        (&Method::DELETE, [name, "versions", version, "policy", id]) => {
            let id = (*id).to_owned();
            (
                Op::RemoveLayerVersionPermission(number(version)?, id),
                *name,
            )
        }
        _ => return None,
    };
    Some((operation, subject.to_owned()))
}
