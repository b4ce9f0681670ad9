//! Shares a version and verifies it.

use super::LOOKS;
use crate::aws::{Failure, Kind};
use crate::layer::Principal;
use crate::layer::remote::Layers;

/// Who may use a version.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// All of them.
    pub(super) with: Vec<Principal>,
    /// Those that could not before.
    pub(super) newly: Vec<Principal>,
}

/// Who could use the version, and who still is to.
pub(super) async fn look(
    layers: Layers<'_>,
    name: &str,
    number: i64,
    wanted: &[Principal],
) -> Result<Shared, Failure> {
    let with = layers.shared_with(name, number).await?;
    let newly = missing(wanted, &with);
    Ok(Shared { with, newly })
}

/// Grants what is missing, and reads back that it is granted.
pub(super) async fn ensure(
    layers: Layers<'_>,
    name: &str,
    number: i64,
    wanted: &[Principal],
) -> Result<Shared, Failure> {
    let mut shared = look(layers, name, number, wanted).await?;
    let mut doubt = None;
    for principal in &shared.newly {
        match layers.grant(name, number, principal).await {
            // Whether it is granted the policy says: a lost answer, or someone who was faster.
            Err(failure) if failure.kind.may_be_done() || failure.kind == Kind::Conflict => {
                doubt = Some(failure);
            }
            answer => answer?,
        }
    }
    for look in 1..=LOOKS {
        if missing(wanted, &shared.with).is_empty() {
            return Ok(shared);
        }
        if look > 1 {
            layers.0.lambda.back_off(look - 1).await;
        }
        shared.with = layers.shared_with(name, number).await?;
    }
    let still = missing(wanted, &shared.with);
    if still.is_empty() {
        return Ok(shared);
    }
    let still: Vec<String> = still.iter().map(ToString::to_string).collect();
    let what = format!("sharing {name}:{number}");
    let mut reason = format!(
        "the version's policy does not grant access to {}: share it again",
        still.join(", ")
    );
    if let Some(failure) = doubt {
        reason = format!("{reason} ({})", failure.brief());
    }
    Err(Failure::new(&what, reason, Kind::Invalid))
}

fn missing(wanted: &[Principal], granted: &[Principal]) -> Vec<Principal> {
    (wanted.iter())
        .filter(|principal| !granted.contains(principal))
        .cloned()
        .collect()
}
