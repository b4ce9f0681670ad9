//! A function as Lambda describes it.
//!
//! Invariant: no value of its environment is printed by `Debug`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    Concurrency, FunctionConfiguration, LastUpdateStatus, PackageType, State,
};

use crate::aws::{Failure, Kind};
use crate::fleet::{Place, Site};

/// A function's configuration, as far as it matters here.
#[derive(Debug, Clone)]
pub struct Function {
    /// The account and region.
    pub place: Place,
    pub name: String,
    /// Its unqualified ARN.
    pub arn: String,
    /// Such as `nodejs22.x`; none for an image.
    pub runtime: Option<String>,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Whether its code is a container image, to which no layer can be added.
    pub is_image: bool,
    /// Whether it is a copy that Lambda@Edge made of another function.
    pub is_replica: bool,
    /// The ARN of its execution role.
    pub role: String,
    /// The ARNs of its layers' versions, in order.
    pub layers: Vec<String>,
    pub environment: Environment,
    /// The hash of its code.
    pub code_sha256: String,
    /// What a write must be pinned to.
    pub revision: String,
    /// Whether it has interfaces in a VPC.
    pub vpc_id: Option<String>,
    /// Whether published versions start from a snapshot.
    pub is_snap_start: bool,
    /// Its memory, in MiB.
    pub memory_mb: u32,
    /// The longest that an invocation may take.
    pub timeout: Duration,
    /// What `GetFunction` knows and a list does not.
    pub live: Option<Live>,
}

/// What only `GetFunction` says.
#[derive(Debug, Clone)]
pub struct Live {
    /// Whether it can be invoked and changed.
    pub state: State,
    /// How the last change went.
    pub last_update: LastUpdateStatus,
    /// Why, where something is wrong with either.
    pub reason: Option<String>,
    pub tags: Tags,
    /// How many of it may run at once, where that is reserved: at 0 none may.
    pub reserved_concurrency: Option<u32>,
    /// Where its code can be read for some minutes. As good as a secret: it is signed.
    pub code_url: Option<CodeUrl>,
}

/// A function's tags: `GetFunction` leaves them out for a caller without `lambda:ListTags`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// All of them.
    Readable(BTreeMap<String, String>),
    /// Nobody knows whether there are any, and why.
    Unreadable(String),
}

impl Tags {
    fn of(answer: &GetFunctionOutput) -> Self {
        match answer.tags_error() {
            Some(error) => Self::Unreadable(format!(
                "its tags cannot be read: {}; grant lambda:ListTags",
                error.message().trim_end_matches('.')
            )),
            None => Self::Readable(
                (answer.tags().into_iter().flatten())
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            ),
        }
    }
}

/// A signed address.
#[derive(Clone)]
pub struct CodeUrl(pub String);

impl fmt::Debug for CodeUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CodeUrl(***)")
    }
}

/// A function's environment variables.
#[derive(Clone, PartialEq, Eq)]
pub enum Environment {
    /// All of them.
    Readable(BTreeMap<String, String>),
    /// They are there, and cannot be decrypted: Lambda's own words.
    Unreadable(String),
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Readable(variables) => formatter.debug_set().entries(variables.keys()).finish(),
            Self::Unreadable(reason) => formatter.debug_tuple("Unreadable").field(reason).finish(),
        }
    }
}

impl Function {
    /// Reads it, with everything that there is to know.
    pub async fn get(site: &Site, name: &str) -> Result<Self, Failure> {
        Self::read(site, name, None).await
    }

    /// Reads one of its versions.
    pub async fn get_version(site: &Site, name: &str, version: &str) -> Result<Self, Failure> {
        Self::read(site, name, Some(version)).await
    }

    async fn read(site: &Site, name: &str, version: Option<&str>) -> Result<Self, Failure> {
        let lambda = &site.lambda;
        let what = format!("reading function {name} in {}", site.place);
        let answer = lambda
            .get_function(&what, || {
                (lambda.client().get_function())
                    .function_name(name)
                    .set_qualifier(version.map(str::to_owned))
                    .send()
            })
            .await?;
        let malformed =
            || Failure::new(&what, "Lambda's answer has no function", Kind::Unavailable);
        let configuration = answer.configuration().ok_or_else(malformed)?;
        let mut function = Self::of(&site.place, configuration).ok_or_else(malformed)?;
        function.live = Some(Live::of(&answer, configuration));
        Ok(function)
    }

    /// From a list or an answer; none where it has no name.
    pub(super) fn of(place: &Place, configuration: &FunctionConfiguration) -> Option<Self> {
        let name = configuration.function_name()?.to_owned();
        let environment = match configuration.environment() {
            None => Environment::Readable(BTreeMap::new()),
            Some(environment) => match environment.error() {
                Some(error) => Environment::Unreadable(
                    error.message().unwrap_or("cannot decrypt it").to_owned(),
                ),
                None => Environment::Readable(
                    (environment.variables().into_iter().flatten())
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect(),
                ),
            },
        };
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let architectures = configuration.architectures();
        Some(Self {
            place: place.clone(),
            arn: text(configuration.function_arn()),
            runtime: configuration.runtime().map(|it| it.as_str().to_owned()),
            architecture: (architectures.first())
                .map_or("x86_64", |it| it.as_str())
                .to_owned(),
            is_image: configuration.package_type() == Some(&PackageType::Image),
            // A replica is named after the region of the function that it is a copy of.
            is_replica: configuration.master_arn().is_some() || name.contains('.'),
            role: text(configuration.role()),
            layers: (configuration.layers().iter())
                .filter_map(|layer| layer.arn())
                .map(str::to_owned)
                .collect(),
            environment,
            code_sha256: text(configuration.code_sha256()),
            revision: text(configuration.revision_id()),
            vpc_id: (configuration.vpc_config())
                .and_then(|vpc| vpc.vpc_id())
                .filter(|id| !id.is_empty())
                .map(str::to_owned),
            is_snap_start: (configuration.snap_start())
                .and_then(|it| it.apply_on())
                .is_some_and(|on| on.as_str() == "PublishedVersions"),
            memory_mb: number(configuration.memory_size()).unwrap_or(128),
            timeout: Duration::from_secs(number(configuration.timeout()).unwrap_or(3).into()),
            live: None,
            name,
        })
    }

    /// Whether it can be changed at this moment, as far as is known.
    pub fn is_settled(&self) -> bool {
        self.live.as_ref().is_none_or(|live| {
            live.state != State::Pending && live.last_update != LastUpdateStatus::InProgress
        })
    }
}

/// Lambda's numbers are never negative.
fn number(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| number.try_into().ok())
}

impl Live {
    fn of(answer: &GetFunctionOutput, configuration: &FunctionConfiguration) -> Self {
        let reasons = [
            configuration.last_update_status_reason(),
            configuration.state_reason(),
        ];
        let reason = reasons.into_iter().flatten().find(|it| !it.is_empty());
        Self {
            // An emulator may say nothing of either.
            state: configuration.state().cloned().unwrap_or(State::Active),
            last_update: (configuration.last_update_status().cloned())
                .unwrap_or(LastUpdateStatus::Successful),
            reason: reason.map(str::to_owned),
            tags: Tags::of(answer),
            reserved_concurrency: number(
                (answer.concurrency()).and_then(Concurrency::reserved_concurrent_executions),
            ),
            code_url: (answer.code())
                .and_then(|code| code.location())
                .map(|url| CodeUrl(url.to_owned())),
        }
    }
}
