//! A function's aliases, the versions that they lead to, why one would not be moved, and what is kept ready.

use aws_sdk_lambda::types::{AliasRoutingConfiguration, ProvisionedConcurrencyStatusEnum};

use crate::aws::{Failure, Kind, Marker};
use crate::fleet::Site;

/// A name, and the versions that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    pub name: String,
    /// The version, and after it the one that gets a share of the invocations.
    pub versions: Vec<String>,
    /// Lambda's id of this state.
    pub revision: Option<String>,
}

impl Alias {
    fn new(
        name: Option<&str>,
        version: Option<&str>,
        routing: Option<&AliasRoutingConfiguration>,
        revision: Option<&str>,
    ) -> Self {
        let weights = routing.and_then(AliasRoutingConfiguration::additional_version_weights);
        let others = weights.into_iter().flatten();
        let mut others: Vec<String> = others.map(|(version, _)| version.clone()).collect();
        others.sort_unstable();
        let first = version.map(str::to_owned);
        Self {
            name: name.unwrap_or_default().to_owned(),
            versions: first.into_iter().chain(others).collect(),
            revision: revision.map(str::to_owned),
        }
    }

    /// The version that gets all invocations, or all but a share.
    pub fn version(&self) -> &str {
        self.versions.first().map_or("", String::as_str)
    }

    /// Why it is not moved now: invocations are divided between two versions.
    pub fn divided(&self) -> Option<String> {
        (self.versions.len() > 1).then(|| {
            format!(
                "alias {} divides invocations between two versions: a deployment is in progress, \
                 so it is not moved",
                self.name
            )
        })
    }

    /// Why it is not moved: `$LATEST` differs in these from the version that it leads to.
    pub fn unreleased(&self, differences: &[&str]) -> Option<String> {
        (!differences.is_empty()).then(|| {
            format!(
                "alias {} is not moved from version {}: $LATEST differs from it in more than the \
                 extension ({}), and a new version would release that too",
                self.name,
                self.version(),
                differences.join(", ")
            )
        })
    }
}

/// One alias; none where the function has none of this name.
pub async fn alias(site: &Site, function: &str, name: &str) -> Result<Option<Alias>, Failure> {
    let lambda = &site.lambda;
    let what = format!(
        "reading alias {name} of function {function} in {}",
        site.place
    );
    let answer = lambda
        .read(&what, || {
            let request = lambda.client().get_alias();
            request.function_name(function).name(name).send()
        })
        .await;
    match answer {
        Ok(answer) => Ok(Some(Alias::new(
            Some(name),
            answer.function_version(),
            answer.routing_config(),
            answer.revision_id(),
        ))),
        Err(failure) if failure.kind == Kind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// All aliases of a function.
pub async fn aliases(site: &Site, name: &str) -> Result<Vec<Alias>, Failure> {
    let lambda = &site.lambda;
    let what = format!("listing the aliases of function {name} in {}", site.place);
    let (mut found, mut marker) = (Vec::new(), Marker::default());
    loop {
        let page = lambda
            .read(&what, || {
                let request = lambda.client().list_aliases().function_name(name);
                request.set_marker(marker.current()).send()
            })
            .await?;
        found.extend(page.aliases().iter().map(|alias| {
            Alias::new(
                alias.name(),
                alias.function_version(),
                alias.routing_config(),
                alias.revision_id(),
            )
        }));
        if !marker.advance(&what, page.next_marker())? {
            return Ok(found);
        }
    }
}

/// A version or an alias for which environments are kept ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// The version or the alias.
    pub qualifier: String,
    /// Whether Lambda is making them ready at this moment.
    pub is_under_way: bool,
}

/// All of a function.
pub async fn provisioned(site: &Site, name: &str) -> Result<Vec<Provisioned>, Failure> {
    const WHAT: &str = "listing the function's provisioned concurrency";
    let (lambda, mut marker) = (&site.lambda, Marker::default());
    let mut found = Vec::new();
    loop {
        let page = lambda
            .read(WHAT, || {
                (lambda.client().list_provisioned_concurrency_configs())
                    .function_name(name)
                    .set_marker(marker.current())
                    .send()
            })
            .await?;
        found.extend(
            (page.provisioned_concurrency_configs().iter()).filter_map(|config| {
                let (_, qualifier) = config.function_arn()?.rsplit_once(':')?;
                Some(Provisioned {
                    qualifier: qualifier.to_owned(),
                    is_under_way: config.status()
                        == Some(&ProvisionedConcurrencyStatusEnum::InProgress),
                })
            }),
        );
        if !marker.advance(WHAT, page.next_marker())? {
            return Ok(found);
        }
    }
}
