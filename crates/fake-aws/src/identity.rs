//! Who calls, by the signature's credential scope.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};

use crate::Place;
use crate::refusal::{Protocol, Refusal};

/// What is called, by the name it is signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Account,
    CloudWatch,
    Iam,
    Lambda,
    Organizations,
    SecretsManager,
    Ssm,
    Sts,
    Tagging,
}

impl Service {
    fn signed_as(name: &str) -> Option<Self> {
        Some(match name {
            "account" => Self::Account,
            "monitoring" => Self::CloudWatch,
            "iam" => Self::Iam,
            "lambda" => Self::Lambda,
            "organizations" => Self::Organizations,
            "secretsmanager" => Self::SecretsManager,
            "ssm" => Self::Ssm,
            "sts" => Self::Sts,
            "tagging" => Self::Tagging,
            _ => return None,
        })
    }

    /// What its actions begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::CloudWatch => "cloudwatch",
            Self::Iam => "iam",
            Self::Lambda => "lambda",
            Self::Organizations => "organizations",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
            Self::Tagging => "tag",
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::Account | Self::Lambda => Protocol::Rest,
            Self::Organizations | Self::SecretsManager | Self::Ssm | Self::Tagging => {
                Protocol::Json
            }
            Self::Iam | Self::Sts => Protocol::Query,
            Self::CloudWatch => Protocol::Cbor,
        }
    }

    /// Whether it is one for all regions.
    pub(crate) fn is_global(self) -> bool {
        matches!(self, Self::Account | Self::Iam | Self::Organizations)
    }
}

/// The caller and the service that was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) place: Place,
    pub(crate) service: Service,
    /// The role and the session's name, where a role was assumed.
    pub(crate) session: Option<String>,
}

impl Caller {
    /// From `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
    pub(crate) fn of(request: &Request<Bytes>) -> Result<Self, Refusal> {
        let header = request.headers().get(AUTHORIZATION);
        let scope = header
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split_once("Credential="))
            .and_then(|(_, rest)| rest.split(',').next());
        let parts: Vec<&str> = scope.unwrap_or_default().split('/').collect();
        let [key, _, region, service, "aws4_request"] = parts[..] else {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ));
        };
        let account = key.get(key.len().saturating_sub(12)..).unwrap_or_default();
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::unrecognized());
        }
        let token = request.headers().get("x-amz-security-token");
        let token = token.and_then(|value| value.to_str().ok());
        Ok(Self {
            place: Place::new(account, region),
            service: Service::signed_as(service)
                .ok_or_else(|| Refusal::unknown(&format!("the service {service}")))?,
            session: token
                .and_then(|token| token.strip_prefix("session/"))
                .map(str::to_owned),
        })
    }
}
