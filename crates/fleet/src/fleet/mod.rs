//! The accounts and regions to work in, with a client for each.
//!
//! `accounts` and `regions` find out what there is, [`Fleet::open`] makes a client for each
//! account and region, `api` applies its `rate_limit` and its `refusal_guard`, and `in_flight` bounds
//! the calls of all together. Invariant: a place that cannot be reached is reported and costs the others
//! nothing. Must not: change anything.

mod accounts;
mod api;
pub(crate) mod in_flight;
mod rate_limit;
mod refusal_guard;
mod regions;
mod skipped;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};

pub use accounts::{Accounts, Role, SESSION_NAME};
pub use api::{Api, Rates};
pub use refusal_guard::Refusals;
pub use regions::Regions;
pub use skipped::Skipped;

use crate::aws::{Access, Failure};

/// Accounts in which the role is taken at the same time.
const AT_ONCE: usize = 16;

/// An account and a region: what has functions, layers and a quota of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub account: String,
    /// Such as `eu-west-1`.
    pub region: String,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.account, self.region)
    }
}

/// Which accounts and regions, and the role to take there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Targets {
    pub accounts: Accounts,
    /// The role to assume in an account that is not the caller's own.
    pub role: Option<Role>,
    /// Which regions, in each account.
    pub regions: Regions,
    pub rates: Rates,
    /// How long a call may take before it counts as unanswered.
    pub timeout: Duration,
}

/// One account in one region, with the means to work there.
#[derive(Debug)]
pub struct Site {
    /// Where it is.
    pub place: Place,
    /// Such as `aws` or `aws-cn`.
    pub partition: String,
    /// Credentials and region: clients of other services are built from it.
    pub config: SdkConfig,
    pub lambda: Api,
}

impl Site {
    /// The same account in another region.
    pub fn in_region(
        &self,
        region: &str,
        rates: Rates,
    ) -> Result<Self, backstop_delivery::InvalidBackoff> {
        let name = Region::new(region.to_owned());
        let config = self.config.to_builder().region(name).build();
        Ok(Self {
            place: Place {
                account: self.place.account.clone(),
                region: region.to_owned(),
            },
            partition: self.partition.clone(),
            lambda: Api::new(&config, rates)?,
            config,
        })
    }
}

/// Every account and region that can be reached.
#[derive(Debug, Default)]
pub struct Fleet {
    pub sites: BTreeMap<Place, Arc<Site>>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// The account whose credentials the caller has.
    pub own_account: String,
}

impl Fleet {
    /// Finds the accounts and regions, and takes the role in each account.
    pub async fn open(access: &Access, targets: &Targets) -> anyhow::Result<Self> {
        access.check().await?;
        let base = access.shared(targets.timeout).await;
        let base = targets.regions.first(base)?;
        let caller = accounts::caller(access, &base).await?;
        let accounts = targets.accounts.resolve(&base, &caller).await?;
        let mut fleet = Self {
            own_account: caller.account.clone(),
            ..Self::default()
        };
        let (base, caller) = (&base, &caller);
        let mut reached = stream::iter(accounts)
            .map(|account| async move {
                let reached = reach(base, caller, targets, &account).await;
                (account, reached)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((account, reached)) = reached.next().await {
            match reached {
                Ok((sites, skipped)) => {
                    let sites = sites.into_iter().map(|site| (site.place.clone(), site));
                    fleet.sites.extend(sites);
                    fleet.skipped.extend(skipped);
                }
                Err(failure) => fleet.skipped.push(Skipped {
                    account,
                    region: None,
                    reason: failure.to_string(),
                    is_failure: true,
                }),
            }
        }
        drop(reached);
        // Accounts answer in any order.
        (fleet.skipped).sort_by(|one, other| {
            (&one.account, &one.region).cmp(&(&other.account, &other.region))
        });
        Ok(fleet)
    }

    /// The same targets by what they came to, so that later work is done in the same places.
    pub fn resolved(&self, targets: Targets) -> Targets {
        let accounts: BTreeSet<&String> = (self.sites.keys().map(|place| &place.account))
            .chain(self.skipped.iter().map(|skipped| &skipped.account))
            .collect();
        let regions: BTreeSet<&String> = (self.sites.keys().map(|place| &place.region))
            .chain(
                self.skipped
                    .iter()
                    .filter_map(|skipped| skipped.region.as_ref()),
            )
            .collect();
        Targets {
            accounts: Accounts::Listed(accounts.into_iter().cloned().collect()),
            regions: Regions::Listed(regions.into_iter().cloned().collect()),
            ..targets
        }
    }

    /// The site of a place, or why there is none.
    pub fn site(&self, place: &Place) -> Result<&Arc<Site>, Failure> {
        self.sites.get(place).ok_or_else(|| {
            let skipped = self.skipped.iter().find(|skipped| {
                skipped.account == place.account
                    && (skipped.region.as_ref()).is_none_or(|region| *region == place.region)
            });
            let reason = skipped.map_or("it was not among the targets", |it| it.reason.as_str());
            Failure::new(&place.to_string(), reason, crate::aws::Kind::Denied)
        })
    }
}

/// The regions of an account, with the role taken there.
async fn reach(
    base: &SdkConfig,
    caller: &accounts::Caller,
    targets: &Targets,
    account: &str,
) -> anyhow::Result<(Vec<Arc<Site>>, Vec<Skipped>)> {
    let config = if account == caller.account {
        base.clone()
    } else {
        let role = targets.role.as_ref().ok_or_else(|| {
            anyhow::anyhow!(
                "account {account} is not the caller's: give --role with the role to assume there"
            )
        })?;
        role.assume(base, &caller.partition, account).await?
    };
    let regions = targets.regions.resolve(&config, &caller.partition).await?;
    let site = |region: String| -> anyhow::Result<Arc<Site>> {
        let name = Region::new(region.clone());
        let config = config.to_builder().region(name).build();
        Ok(Arc::new(Site {
            lambda: Api::new(&config, targets.rates)?,
            place: Place {
                account: account.to_owned(),
                region,
            },
            partition: caller.partition.clone(),
            config,
        }))
    };
    let sites = regions
        .enabled
        .into_iter()
        .map(site)
        .collect::<Result<_, _>>()?;
    let skipped = |region, reason, is_failure| Skipped {
        account: account.to_owned(),
        region: Some(region),
        reason,
        is_failure,
    };
    let disabled = regions.disabled.into_iter().map(|region| {
        let reason = "the region is not enabled in the account".to_owned();
        skipped(region, reason, false)
    });
    let unknown =
        (regions.unknown.into_iter()).map(|(region, reason)| skipped(region, reason, true));
    Ok((sites, disabled.chain(unknown).collect()))
}
