//! Lists accounts, and assumes the role in each.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_organizations::types::AccountStatus;
use aws_sdk_sts::config::ProvideCredentials as _;
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use backstop_config::{Arn, partition_of};
use serde::{Deserialize, Serialize};

use crate::aws::{Access, Failure, Kind, chain, global_region, is_known_region, region_meant};
use crate::usage::UsageError;

/// The session in which a role in another account is taken.
pub const SESSION_NAME: &str = "backstop";

/// Which accounts to work in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Accounts {
    /// The caller's own.
    Own,
    Listed(Vec<String>),
    /// Every active account of the caller's organisation.
    Organization {
        /// Only what is below these organisational units or roots; everything when empty.
        include: Vec<String>,
        /// Nothing of what is below these.
        exclude: Vec<String>,
    },
}

/// A role of the same name in each account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Its name, with its path where it has one.
    pub name: String,
    /// What the role's trust policy asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Tags of the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub session_tags: Vec<(String, String)>,
}

/// Whose credentials there are.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) account: String,
    pub(super) partition: String,
}

pub(super) async fn caller(access: &Access, base: &SdkConfig) -> anyhow::Result<Caller> {
    let identity = aws_sdk_sts::Client::new(base)
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| {
            let failure = Failure::of("reading the caller's identity", &error);
            let region = base.region().map(ToString::to_string).unwrap_or_default();
            if failure.kind == Kind::Unanswered && !is_known_region(&region) {
                let meant = region_meant(&region, []);
                let hint = format!("check whether the region {region} exists{meant}");
                return UsageError(failure.with(&hint).to_string()).into();
            }
            access.advised(failure)
        })?;
    let arn = identity.arn().unwrap_or_default();
    Ok(Caller {
        account: (identity.account())
            .context(
                "AWS named no account for the credentials: check them with `aws sts \
                 get-caller-identity`",
            )?
            .to_owned(),
        partition: Arn::parse(arn)
            .map_or_else(
                || partition_of(base.region().map_or("", AsRef::as_ref)),
                |arn| arn.partition,
            )
            .to_owned(),
    })
}

impl Accounts {
    /// Their numbers, each once.
    pub(super) async fn resolve(
        &self,
        base: &SdkConfig,
        caller: &Caller,
    ) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Own => Ok(vec![caller.account.clone()]),
            Self::Listed(accounts) => {
                let mut seen = BTreeSet::new();
                let accounts = accounts.iter().filter(|account| seen.insert(*account));
                Ok(accounts.cloned().collect())
            }
            Self::Organization { include, exclude } => {
                let organization = Organization::of(base, &caller.partition);
                let found = organization.accounts(include, exclude).await?;
                if found.is_empty() {
                    bail!(
                        "these organizational units contain no active account: check --include-ou \
                         and --exclude-ou"
                    );
                }
                Ok(found)
            }
        }
    }
}

impl Role {
    /// Credentials of the role in the account; they are renewed when they expire.
    pub(super) async fn assume(
        &self,
        base: &SdkConfig,
        partition: &str,
        account: &str,
    ) -> anyhow::Result<SdkConfig> {
        let arn = format!(
            "arn:{partition}:iam::{account}:role/{}",
            self.name.trim_start_matches('/')
        );
        let mut builder = AssumeRoleProvider::builder(&arn)
            .configure(base)
            .session_name(SESSION_NAME)
            .tags(self.session_tags.iter().cloned());
        if let Some(external_id) = &self.external_id {
            builder = builder.external_id(external_id);
        }
        let provider = builder.build().await;
        // Now, and not in the middle of the work.
        provider.provide_credentials().await.map_err(|error| {
            let cause = std::error::Error::source(&error);
            let refused = cause.and_then(|cause| cause.downcast_ref::<SdkError<AssumeRoleError>>());
            let what = format!("the role {arn} cannot be assumed");
            let message = match refused {
                Some(refused) => Failure::of(&what, refused).brief(),
                None => format!("{what}: {}", chain(&error)),
            };
            anyhow::anyhow!(
                "{message}\ncheck the role's name, its trust policy, and the external id"
            )
        })?;
        let shared = aws_sdk_sts::config::SharedCredentialsProvider::new(provider);
        Ok(base.to_builder().credentials_provider(shared).build())
    }
}

/// The caller's organisation, which only its management account and delegated ones can ask for.
struct Organization(aws_sdk_organizations::Client);

impl Organization {
    fn of(base: &SdkConfig, partition: &str) -> Self {
        let region = global_region(partition);
        let config = base.to_builder().region(region).build();
        Self(aws_sdk_organizations::Client::new(&config))
    }

    async fn accounts(
        &self,
        include: &[String],
        exclude: &[String],
    ) -> anyhow::Result<Vec<String>> {
        let mut left_out = BTreeSet::new();
        for parent in exclude {
            left_out.extend(self.below(parent).await?);
        }
        let found: BTreeSet<String> = if include.is_empty() {
            self.all().await?
        } else {
            let mut found = BTreeSet::new();
            for parent in include {
                found.extend(self.below(parent).await?);
            }
            found
        };
        Ok(found.difference(&left_out).cloned().collect())
    }

    async fn all(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut pages = self.0.list_accounts().into_paginator().send();
        let mut found = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| Failure::of("listing the organization's accounts", &error))?;
            found.extend(page.accounts().iter().filter_map(active));
        }
        Ok(found)
    }

    /// The active accounts below a unit or root, however deep.
    async fn below(&self, parent: &str) -> anyhow::Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        let mut parents = vec![parent.to_owned()];
        while let Some(parent) = parents.pop() {
            let what = format!("listing the children of {parent}");
            let mut pages = (self.0.list_accounts_for_parent().parent_id(&parent))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| Failure::of(&what, &error))?;
                found.extend(page.accounts().iter().filter_map(active));
            }
            let mut pages = (self.0.list_organizational_units_for_parent())
                .parent_id(&parent)
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| Failure::of(&what, &error))?;
                let units = page.organizational_units().iter();
                parents.extend(units.filter_map(|unit| unit.id().map(str::to_owned)));
            }
        }
        Ok(found)
    }
}

/// Its number, unless it is closed or suspended.
fn active(account: &aws_sdk_organizations::types::Account) -> Option<String> {
    (account.status() == Some(&AccountStatus::Active))
        .then(|| account.id().map(str::to_owned))
        .flatten()
}
