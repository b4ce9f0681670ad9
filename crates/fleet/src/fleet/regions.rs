//! The regions to work in.
//!
//! Invariant: a region that nobody named is not taken, and one that does not exist is reported with the nearest.

use anyhow::Context as _;
use aws_config::{Region, SdkConfig};
use aws_sdk_account::types::RegionOptStatus;
use serde::{Deserialize, Serialize};

use crate::aws::{Failure, NO_REGION, check_region, global_region, is_known_region, region_meant};
use crate::usage::UsageError;

/// Every enabled region, in a list.
const ALL: &str = "all";

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
    /// Those that there are none of, and why.
    pub(super) unknown: Vec<(String, String)>,
}

impl Regions {
    /// As a list has them: `all` is every enabled one, and an empty list the caller's own.
    pub fn of(listed: &[String]) -> Self {
        match listed {
            [] => Self::Own,
            [one] if one == ALL => Self::Enabled,
            listed => Self::Listed(listed.to_vec()),
        }
    }

    /// The configuration to ask for the account and its regions with; none is taken that nobody named.
    pub(super) fn first(&self, config: SdkConfig) -> Result<SdkConfig, UsageError> {
        let named: &[String] = match self {
            Self::Listed(named) => named,
            Self::Own | Self::Enabled => &[],
        };
        named.iter().try_for_each(|region| check_region(region))?;
        if let Some(set) = config.region() {
            check_region(set.as_ref())?;
            return Ok(config);
        }
        let region = match (self, named.first()) {
            (_, Some(named)) => Region::new(named.clone()),
            // That is where all of them are asked for; it is worked in only if it is one of them.
            (Self::Enabled, None) => global_region("aws"),
            (Self::Own | Self::Listed(_), None) => return Err(UsageError(NO_REGION.to_owned())),
        };
        Ok(config.into_builder().region(region).build())
    }

    pub(super) async fn resolve(
        &self,
        config: &SdkConfig,
        partition: &str,
    ) -> anyhow::Result<Resolved> {
        let wanted = match self {
            Self::Enabled => {
                let all = list(config, partition).await.context(
                    "cannot list the enabled regions: give them with --regions, or grant \
                     account:ListRegions",
                )?;
                return Ok(Resolved {
                    enabled: (all.into_iter().filter(|(_, on)| *on))
                        .map(|(name, _)| name)
                        .collect(),
                    ..Resolved::default()
                });
            }
            Self::Own => {
                let region = config.region().context(NO_REGION)?.to_string();
                if is_known_region(&region) {
                    // It answers for itself when it is called.
                    return Ok(Resolved {
                        enabled: vec![region],
                        ..Resolved::default()
                    });
                }
                vec![region]
            }
            Self::Listed(wanted) => wanted.clone(),
        };
        // Without the permission to ask, each region answers for itself, too.
        let all = list(config, partition).await.unwrap_or_default();
        let mut resolved = Resolved::default();
        for region in wanted {
            let known = all.iter().find(|(name, _)| *name == region);
            match known {
                Some((_, false)) => resolved.disabled.push(region),
                None if !all.is_empty() && !is_known_region(&region) => {
                    let meant = region_meant(&region, all.iter().map(|(name, _)| name.as_str()));
                    let reason = format!("there is no region {region}{meant}");
                    resolved.unknown.push((region, reason));
                }
                Some((_, true)) | None => resolved.enabled.push(region),
            }
        }
        Ok(resolved)
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
