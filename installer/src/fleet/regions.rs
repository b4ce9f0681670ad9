//! Which regions an account can be worked in.

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_account::types::RegionOptStatus;
use serde::{Deserialize, Serialize};

use crate::aws::{Failure, global_region};

/// Which regions to work in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Regions {
    /// That of the environment or the profile.
    Own,
    /// These, except where they are disabled.
    Listed(Vec<String>),
    /// All that are enabled in the account.
    Enabled,
}

/// The regions of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Resolved {
    pub(super) enabled: Vec<String>,
    pub(super) disabled: Vec<String>,
}

impl Regions {
    pub(super) async fn resolve(
        &self,
        config: &SdkConfig,
        partition: &str,
    ) -> anyhow::Result<Resolved> {
        match self {
            Self::Own => {
                let region = config
                    .region()
                    .context("no region is set: give --regions, or set AWS_REGION")?;
                Ok(Resolved {
                    enabled: vec![region.to_string()],
                    disabled: Vec::new(),
                })
            }
            Self::Enabled => {
                let all = list(config, partition).await.context(
                    "the enabled regions are not known: name them with --regions, or grant account:ListRegions",
                )?;
                Ok(Resolved {
                    enabled: (all.into_iter().filter(|(_, on)| *on))
                        .map(|(name, _)| name)
                        .collect(),
                    disabled: Vec::new(),
                })
            }
            Self::Listed(wanted) => {
                // Without the permission to ask, each region answers for itself when it is called.
                let all = list(config, partition).await.unwrap_or_default();
                let is_off = |name: &String| all.iter().any(|(known, on)| known == name && !on);
                let (disabled, enabled) = wanted.iter().cloned().partition(is_off);
                Ok(Resolved { enabled, disabled })
            }
        }
    }
}

/// Every region, and whether it is enabled.
async fn list(config: &SdkConfig, partition: &str) -> Result<Vec<(String, bool)>, Failure> {
    let region = global_region(partition);
    let config = config.to_builder().region(region).build();
    let client = aws_sdk_account::Client::new(&config);
    let mut pages = client.list_regions().into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(region) = pages.next().await {
        let region = region.map_err(|error| Failure::of("listing the regions", &error))?;
        let is_enabled = matches!(
            region.region_opt_status(),
            Some(RegionOptStatus::Enabled | RegionOptStatus::EnabledByDefault)
        );
        all.extend((region.region_name()).map(|name| (name.to_owned(), is_enabled)));
    }
    Ok(all)
}
