//! Lambda's calls on layers, in one account and region.
//!
//! Must not: decide anything; what is made of an answer is for those who asked.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionVersion, LayerVersionContentInput};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::share::{ACTION, Principal, granted};
use super::{Architecture, Package, Release, hexadecimal, name};
use crate::aws::{Failure, Kind, Marker};
use crate::fleet::Site;

const LICENSE: &str = "Apache-2.0";

/// The layers of an account in a region.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layers<'a>(pub(super) &'a Site);

/// A version of a Backstop layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) architecture: Architecture,
    pub(super) release: Release,
    pub(super) number: i64,
    pub(super) arn: String,
    /// As Lambda writes it.
    pub(super) created: String,
}

/// What is in a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) arn: String,
    /// As Lambda writes it.
    pub(super) code_sha256: String,
    pub(super) bytes: u64,
}

impl Content {
    /// In hexadecimal digits.
    pub(super) fn sha256(&self) -> String {
        let digest = BASE64_STANDARD.decode(&self.code_sha256);
        digest.map_or_else(|_| self.code_sha256.clone(), |digest| hexadecimal(&digest))
    }
}

impl Layers<'_> {
    /// The names of our layers.
    pub(super) async fn names(self) -> Result<Vec<String>, Failure> {
        let (mut names, mut marker) = (Vec::new(), Marker::default());
        loop {
            let client = self.0.lambda.client();
            let page = (self.0.lambda)
                .read("listing the layers", || {
                    client.list_layers().set_marker(marker.current()).send()
                })
                .await?;
            let all = page.layers().iter().filter_map(|layer| layer.layer_name());
            names.extend(
                all.filter(|it| name::parse_name(it, None).is_some())
                    .map(str::to_owned),
            );
            if !marker.advance("listing the layers", page.next_marker())? {
                return Ok(names);
            }
        }
    }

    /// Every version of a layer, the newest first; none if the layer does not exist.
    pub(super) async fn versions(self, layer: &str) -> Result<Vec<Version>, Failure> {
        let what = format!("listing the versions of {layer}");
        let (mut versions, mut marker) = (Vec::new(), Marker::default());
        loop {
            let list = self
                .0
                .lambda
                .client()
                .list_layer_versions()
                .layer_name(layer);
            let page = (self.0.lambda)
                .read(&what, || list.clone().set_marker(marker.current()).send())
                .await;
            let page = match page {
                Err(failure) if failure.kind == Kind::NotFound => return Ok(Vec::new()),
                page => page?,
            };
            versions.extend(page.layer_versions().iter().filter_map(|it| {
                let (architecture, release) = name::parse_name(layer, it.description())?;
                Some(Version {
                    name: layer.to_owned(),
                    architecture,
                    release,
                    number: it.version(),
                    arn: it.layer_version_arn()?.to_owned(),
                    created: it.created_date().unwrap_or_default().to_owned(),
                })
            }));
            if !marker.advance(&what, page.next_marker())? {
                versions.sort_by_key(|version| std::cmp::Reverse(version.number));
                return Ok(versions);
            }
        }
    }

    /// What is in a version.
    pub(super) async fn content(self, layer: &str, number: i64) -> Result<Content, Failure> {
        let what = format!("reading {layer}:{number}");
        let get = self.0.lambda.client().get_layer_version().layer_name(layer);
        let version = (self.0.lambda)
            .read(&what, || get.clone().version_number(number).send())
            .await?;
        let content = version.content();
        Ok(Content {
            arn: version.layer_version_arn().unwrap_or_default().to_owned(),
            code_sha256: content
                .and_then(|it| it.code_sha256())
                .unwrap_or_default()
                .to_owned(),
            bytes: content.map_or(0, |it| u64::try_from(it.code_size()).unwrap_or_default()),
        })
    }

    /// Publishes a version: once, whatever becomes of the answer.
    pub(super) async fn publish(
        self,
        package: &Package,
        release: &Release,
    ) -> Result<(i64, Content), Failure> {
        let layer = release.layer_name(package.architecture);
        let what = format!("publishing {layer}");
        let content = LayerVersionContentInput::builder().zip_file(Blob::new(package.zip.clone()));
        let publish = (self.0.lambda.client().publish_layer_version())
            .layer_name(&layer)
            .description(name::description(release, &package.sha256))
            .content(content.build())
            .license_info(LICENSE);
        let architecture = package.architecture.to_string();
        let suited = publish
            .clone()
            .compatible_architectures(architecture.as_str().into());
        let answer = match self.0.lambda.write(&what, || suited.clone().send()).await {
            // Some regions do not know the parameter: https://github.com/elastic/apm-aws-lambda/pull/112
            Err(failure) if failure.kind == Kind::Invalid && speaks_of_architectures(&failure) => {
                self.0
                    .lambda
                    .write(&what, || publish.clone().send())
                    .await?
            }
            answer => answer?,
        };
        let content = answer.content();
        Ok((
            answer.version(),
            Content {
                arn: answer.layer_version_arn().unwrap_or_default().to_owned(),
                code_sha256: content
                    .and_then(|it| it.code_sha256())
                    .unwrap_or_default()
                    .to_owned(),
                bytes: content.map_or(0, |it| u64::try_from(it.code_size()).unwrap_or_default()),
            },
        ))
    }

    /// Whom a version's policy grants its use.
    pub(super) async fn shared_with(
        self,
        layer: &str,
        number: i64,
    ) -> Result<Vec<Principal>, Failure> {
        let what = format!("reading the policy of {layer}:{number}");
        let get = self
            .0
            .lambda
            .client()
            .get_layer_version_policy()
            .layer_name(layer);
        let policy = (self.0.lambda)
            .read(&what, || get.clone().version_number(number).send())
            .await;
        let policy = match policy {
            // A version that was never shared has none.
            Err(failure) if failure.kind == Kind::NotFound => return Ok(Vec::new()),
            policy => policy?,
        };
        granted(policy.policy().unwrap_or("{}"))
            .map_err(|error| Failure::new(&what, error.to_string(), Kind::Invalid))
    }

    /// Grants the use of a version.
    pub(super) async fn grant(
        self,
        layer: &str,
        number: i64,
        to: &Principal,
    ) -> Result<(), Failure> {
        let what = format!("sharing {layer}:{number} with {to}");
        let (principal, organization) = to.as_parameters();
        let add = (self.0.lambda.client().add_layer_version_permission())
            .layer_name(layer)
            .version_number(number)
            .statement_id(to.statement_id())
            .action(ACTION)
            .principal(principal)
            .set_organization_id(organization.map(str::to_owned));
        self.0.lambda.write(&what, || add.clone().send()).await?;
        Ok(())
    }

    /// Deletes a version; to do it again changes nothing.
    pub(super) async fn delete(self, layer: &str, number: i64) -> Result<(), Failure> {
        let what = format!("deleting {layer}:{number}");
        let delete = self
            .0
            .lambda
            .client()
            .delete_layer_version()
            .layer_name(layer);
        (self.0.lambda)
            .read(&what, || delete.clone().version_number(number).send())
            .await?;
        Ok(())
    }

    /// Every layer version that a function names, published versions of functions too: the ARNs of
    /// both, the layer's first.
    pub(super) async fn named_by_functions(self) -> Result<Vec<(String, String)>, Failure> {
        let (mut named, mut marker) = (Vec::new(), Marker::default());
        loop {
            let list =
                (self.0.lambda.client().list_functions()).function_version(FunctionVersion::All);
            let page = (self.0.lambda)
                .read("listing the functions", || {
                    list.clone().set_marker(marker.current()).send()
                })
                .await?;
            for function in page.functions() {
                let of = function.function_arn().unwrap_or_default();
                let layers = function.layers().iter().filter_map(|layer| layer.arn());
                named.extend(layers.map(|layer| (layer.to_owned(), of.to_owned())));
            }
            if !marker.advance("listing the functions", page.next_marker())? {
                return Ok(named);
            }
        }
    }
}

fn speaks_of_architectures(failure: &Failure) -> bool {
    failure.brief().to_lowercase().contains("architecture")
}
