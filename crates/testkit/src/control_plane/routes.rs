//! The paths and targets of the APIs, and what each call does.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::State;
use super::identity::Caller;
use super::layers::LayerArn;
use super::refusal::Refusal;
use super::sts;

/// What is asked for; names that several have are the call's subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    ListFunctions,
    GetFunction,
    GetFunctionConfiguration,
    UpdateFunctionConfiguration,
    PublishVersion,
    ListVersionsByFunction,
    ListAliases,
    UpdateAlias(String),
    GetFunctionCodeSigningConfig,
    GetCodeSigningConfig,
    ListTags,
    GetAccountSettings,
    PublishLayerVersion,
    ListLayerVersions,
    GetLayerVersion(u64),
    GetLayerVersionByArn,
    DeleteLayerVersion(u64),
    AddLayerVersionPermission(u64),
    GetLayerVersionPolicy(u64),
    RemoveLayerVersionPermission(u64, String),
    AssumeRole,
    GetCallerIdentity,
    ListRegions,
}

impl Operation {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ListFunctions => "ListFunctions",
            Self::GetFunction => "GetFunction",
            Self::GetFunctionConfiguration => "GetFunctionConfiguration",
            Self::UpdateFunctionConfiguration => "UpdateFunctionConfiguration",
            Self::PublishVersion => "PublishVersion",
            Self::ListVersionsByFunction => "ListVersionsByFunction",
            Self::ListAliases => "ListAliases",
            Self::UpdateAlias(_) => "UpdateAlias",
            Self::GetFunctionCodeSigningConfig => "GetFunctionCodeSigningConfig",
            Self::GetCodeSigningConfig => "GetCodeSigningConfig",
            Self::ListTags => "ListTags",
            Self::GetAccountSettings => "GetAccountSettings",
            Self::PublishLayerVersion => "PublishLayerVersion",
            Self::ListLayerVersions => "ListLayerVersions",
            Self::GetLayerVersion(_) => "GetLayerVersion",
            Self::GetLayerVersionByArn => "GetLayerVersionByArn",
            Self::DeleteLayerVersion(_) => "DeleteLayerVersion",
            Self::AddLayerVersionPermission(_) => "AddLayerVersionPermission",
            Self::GetLayerVersionPolicy(_) => "GetLayerVersionPolicy",
            Self::RemoveLayerVersionPermission(..) => "RemoveLayerVersionPermission",
            Self::AssumeRole => "AssumeRole",
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::ListRegions => "ListRegions",
        }
    }

    fn is_lambdas(&self) -> bool {
        !matches!(
            self,
            Self::AssumeRole | Self::GetCallerIdentity | Self::ListRegions
        )
    }
}

/// What a request asks for, and of what.
pub(super) fn operation(
    caller: &Caller,
    request: &Request<Bytes>,
) -> Result<(Operation, String), Refusal> {
    use Operation as Op;
    let unknown = || {
        let message = format!(
            "the control plane does not know {} {}",
            request.method(),
            request.uri()
        );
        Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            "UnknownOperationException",
            message,
        )
    };
    let path: Vec<String> = request
        .uri()
        .path()
        .split('/')
        .skip(1)
        .map(decoded)
        .collect();
    let path: Vec<&str> = path
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    let number = |text: &str| text.parse::<u64>().map_err(|_| unknown());
    let of = |operation: Op, subject: &str| Ok((operation, subject.to_owned()));
    if caller.service == "sts" {
        return sts::operation(request.body()).ok_or_else(unknown);
    }
    match (request.method(), &path[..]) {
        (&Method::POST, ["list-regions"]) => of(Op::ListRegions, ""),
        (&Method::GET, ["2015-03-31", "functions"]) => of(Op::ListFunctions, ""),
        (&Method::GET, ["2015-03-31", "functions", name]) => of(Op::GetFunction, name),
        (&Method::GET, ["2015-03-31", "functions", name, "configuration"]) => {
            of(Op::GetFunctionConfiguration, name)
        }
        (&Method::PUT, ["2015-03-31", "functions", name, "configuration"]) => {
            of(Op::UpdateFunctionConfiguration, name)
        }
        (&Method::POST, ["2015-03-31", "functions", name, "versions"]) => {
            of(Op::PublishVersion, name)
        }
        (&Method::GET, ["2015-03-31", "functions", name, "versions"]) => {
            of(Op::ListVersionsByFunction, name)
        }
        (&Method::GET, ["2015-03-31", "functions", name, "aliases"]) => of(Op::ListAliases, name),
        (&Method::PUT, ["2015-03-31", "functions", name, "aliases", alias]) => {
            of(Op::UpdateAlias((*alias).to_owned()), name)
        }
        (&Method::GET, ["2020-06-30", "functions", name, "code-signing-config"]) => {
            of(Op::GetFunctionCodeSigningConfig, name)
        }
        (&Method::GET, ["2020-04-22", "code-signing-configs", arn]) => {
            of(Op::GetCodeSigningConfig, arn)
        }
        (&Method::GET, ["2017-03-31", "tags", arn]) => of(Op::ListTags, arn),
        (&Method::GET, ["2016-08-19", "account-settings"]) => of(Op::GetAccountSettings, ""),
        (&Method::POST, ["2018-10-31", "layers", name, "versions"]) => {
            of(Op::PublishLayerVersion, name)
        }
        (&Method::GET, ["2018-10-31", "layers", name, "versions"]) => {
            of(Op::ListLayerVersions, name)
        }
        (&Method::GET, ["2018-10-31", "layers"]) => of(
            Op::GetLayerVersionByArn,
            &query(request, "Arn").ok_or_else(unknown)?,
        ),
        (&Method::GET, ["2018-10-31", "layers", name, "versions", version]) => {
            of(Op::GetLayerVersion(number(version)?), name)
        }
        (&Method::DELETE, ["2018-10-31", "layers", name, "versions", version]) => {
            of(Op::DeleteLayerVersion(number(version)?), name)
        }
        (&Method::POST, ["2018-10-31", "layers", name, "versions", version, "policy"]) => {
            of(Op::AddLayerVersionPermission(number(version)?), name)
        }
        (&Method::GET, ["2018-10-31", "layers", name, "versions", version, "policy"]) => {
            of(Op::GetLayerVersionPolicy(number(version)?), name)
        }
        (
            &Method::DELETE,
            [
                "2018-10-31",
                "layers",
                name,
                "versions",
                version,
                "policy",
                id,
            ],
        ) => of(
            Op::RemoveLayerVersionPermission(number(version)?, (*id).to_owned()),
            name,
        ),
        _ => Err(unknown()),
    }
}

impl State {
    /// Does what is asked, if nothing stands against it.
    pub(super) fn answer(
        &mut self,
        caller: &Caller,
        operation: &Operation,
        subject: &str,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        use Operation as Op;
        let place = &caller.place;
        if self.down.contains(&place.region) {
            return Err(Refusal::for_status(StatusCode::SERVICE_UNAVAILABLE));
        }
        if operation.is_lambdas()
            && let Some(quota) = &mut self.quota
            && !quota.allows(place, operation.name())
        {
            return Err(Refusal::too_many());
        }
        let bytes = request.body();
        let body = || serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        let marker = query(request, "Marker");
        let most = query(request, "MaxItems")
            .and_then(|text| text.parse().ok())
            .unwrap_or(50);
        let (functions, layers) = (&mut self.functions, &mut self.layers);
        let mut status = StatusCode::OK;
        let answer = match operation {
            Op::ListFunctions => functions.list(place, marker.as_deref(), most),
            Op::GetFunction => functions.get(place, subject)?,
            Op::GetFunctionConfiguration => functions.configuration(place, subject)?,
            Op::UpdateFunctionConfiguration => functions.update(place, subject, bytes, layers)?,
            Op::PublishVersion => {
                status = StatusCode::CREATED;
                functions.publish_version(place, subject, &body())?
            }
            Op::ListVersionsByFunction => functions.list_versions(place, subject)?,
            Op::ListAliases => functions.list_aliases(place, subject)?,
            Op::UpdateAlias(alias) => functions.update_alias(place, subject, alias, &body())?,
            Op::GetFunctionCodeSigningConfig => functions.code_signing(place, subject)?,
            Op::GetCodeSigningConfig => json!({ "CodeSigningConfig": {
                "CodeSigningConfigId": "csc-1", "CodeSigningConfigArn": subject, "LastModified": "2026-01-31T08:00:00Z",
                "AllowedPublishers": { "SigningProfileVersionArns": [] },
                "CodeSigningPolicies": {
                    "UntrustedArtifactOnDeployment": if subject.ends_with("enforce") { "Enforce" } else { "Warn" },
                },
            }}),
            Op::ListTags => functions.tags(place, subject)?,
            Op::GetAccountSettings => json!({
                "AccountLimit": {
                    "TotalCodeSize": 322_122_547_200_u64, "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": 52_428_800,
                    "ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000,
                },
                "AccountUsage": { "TotalCodeSize": 0, "FunctionCount": 0 },
            }),
            Op::PublishLayerVersion => {
                status = StatusCode::CREATED;
                layers.publish(place, subject, &body())?
            }
            Op::ListLayerVersions => layers.list(
                place,
                subject,
                marker.and_then(|text| text.parse().ok()),
                most,
            ),
            Op::GetLayerVersion(version) => layers.describe(place, subject, *version)?,
            Op::GetLayerVersionByArn => {
                let arn = LayerArn::parse(subject).ok_or_else(|| {
                    Refusal::invalid(format!("{subject} is not a valid layer version ARN."))
                })?;
                layers.usable(place, &arn)?;
                layers.describe(&arn.place, &arn.name, arn.version)?
            }
            Op::DeleteLayerVersion(version) => {
                layers.delete(place, subject, *version);
                return Ok(empty());
            }
            Op::AddLayerVersionPermission(version) => {
                status = StatusCode::CREATED;
                layers.grant(place, subject, *version, &body())?
            }
            Op::GetLayerVersionPolicy(version) => layers.policy(place, subject, *version)?,
            Op::RemoveLayerVersionPermission(version, id) => {
                layers.revoke(place, subject, *version, id)?;
                return Ok(empty());
            }
            Op::AssumeRole => return Ok(sts::assume(subject, &self.closed)),
            Op::GetCallerIdentity => return Ok(sts::identity(&place.account)),
            Op::ListRegions => json!({ "Regions": REGIONS.map(|(name, status)| {
                json!({ "RegionName": name, "RegionOptStatus": status })
            })}),
        };
        let mut response = Response::new(Bytes::from(answer.to_string()));
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        Ok(response)
    }
}

/// As `account:ListRegions` has them.
const REGIONS: [(&str, &str); 5] = [
    ("eu-central-1", "ENABLED_BY_DEFAULT"),
    ("eu-west-1", "ENABLED_BY_DEFAULT"),
    ("us-east-1", "ENABLED_BY_DEFAULT"),
    ("eu-south-2", "ENABLED"),
    ("ap-east-1", "DISABLED"),
];

fn empty() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn query(request: &Request<Bytes>, name: &str) -> Option<String> {
    let pairs = request.uri().query()?.split('&');
    let mut named = pairs
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| *key == name);
    named.next().map(|(_, value)| decoded(value))
}

/// Percent-encoded text as it was; what is not UTF-8 then is replaced.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = byte.filter(|_| *first == b'%') {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
