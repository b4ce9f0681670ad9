//! Adds and removes the Backstop layer in a list of layers, and keeps the order of the others.
//!
//! The order is that in which the layers are unpacked over each other: it is the owner's.

use backstop_config::Arn;

use super::Conflict;

/// Prefix of every Backstop layer's name; architecture and release follow.
pub const LAYER_PREFIX: &str = "backstop-extension-";

/// The ARN of a layer version, in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerArn<'a> {
    /// Up to and without the version.
    pub layer: &'a str,
    /// Where it is.
    pub region: &'a str,
    /// Whose it is.
    pub account: &'a str,
    pub name: &'a str,
    pub version: &'a str,
}

impl<'a> LayerArn<'a> {
    /// `arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION`.
    pub fn parse(arn: &'a str) -> Option<Self> {
        let Arn {
            service,
            region,
            account,
            resource,
            ..
        } = Arn::parse(arn)?;
        let (name, version) = resource.strip_prefix("layer:")?.split_once(':')?;
        let is_version = service == "lambda" && version.parse::<u64>().is_ok();
        is_version.then_some(Self {
            layer: arn.strip_suffix(version)?.strip_suffix(':')?,
            region,
            account,
            name,
            version,
        })
    }
}

/// Whether it is a Backstop layer, of any release, architecture and account.
pub fn is_ours(arn: &str) -> bool {
    LayerArn::parse(arn).is_some_and(|it| it.name.starts_with(LAYER_PREFIX))
}

/// The list with this layer version: in the position of another Backstop layer, or at the end.
pub(super) fn with(live: &[String], arn: &str) -> Vec<String> {
    let layer = |arn: &str| LayerArn::parse(arn).map(|it| it.layer.to_owned());
    let wanted = layer(arn);
    let is_same = |there: &String| is_ours(there) || (wanted.is_some() && layer(there) == wanted);
    let mut list = Vec::with_capacity(live.len() + 1);
    let mut is_in = false;
    for there in live {
        if !is_same(there) {
            list.push(there.clone());
        } else if !is_in {
            list.push(arn.to_owned());
            is_in = true;
        }
    }
    if !is_in {
        list.push(arn.to_owned());
    }
    list
}

/// Whether one of the layers is ours.
pub(super) fn has_ours(list: &[String]) -> bool {
    list.iter().any(|arn| is_ours(arn))
}

/// The list with the step from `before` to `after` undone.
///
/// Another layer of ours that came since, or the lack of any, is someone else's decision: it stays, and
/// the settings with it.
pub(super) fn restored(
    live: &[String],
    before: &[String],
    after: &[String],
) -> Result<Vec<String>, Conflict> {
    let is_known = |arn: &String| before.contains(arn) || after.contains(arn);
    if let Some(other) = live.iter().find(|arn| is_ours(arn) && !is_known(arn)) {
        return Err(Conflict::Layer(other.clone()));
    }
    let left = after.iter().find(|arn| is_ours(arn));
    if let Some(left) = left.filter(|_| has_ours(before) && !has_ours(live)) {
        return Err(Conflict::Gone(left.clone()));
    }
    Ok(stepped_back(live, before, after))
}

/// The list with the step from `before` to `after` made, and the layers of ours that came since and that it
/// replaces: there is never a second one.
pub(super) fn made(
    live: &[String],
    before: &[String],
    after: &[String],
) -> Result<(Vec<String>, Vec<String>), Conflict> {
    let layer = |arn: &str| LayerArn::parse(arn).map(|it| it.layer.to_owned());
    let added = after.iter().filter(|arn| !before.contains(arn));
    let added: Vec<_> = added.filter_map(|arn| layer(arn)).collect();
    let is_known = |arn: &String| before.contains(arn) || after.contains(arn);
    let is_replaced = |arn: &String| {
        let is_same = layer(arn).is_some_and(|layer| added.contains(&layer));
        !is_known(arn) && (is_ours(arn) && has_ours(after) || is_same)
    };
    let Some(at) = live.iter().position(is_replaced) else {
        return Ok((restored(live, after, before)?, Vec::new()));
    };
    let (replaced, mut list): (Vec<_>, Vec<_>) =
        live.iter().cloned().partition(|arn| is_replaced(arn));
    // Ours takes the place of the first; what is there already keeps its own.
    let own = after
        .iter()
        .find(|arn| is_ours(arn) || !before.contains(arn));
    if let Some(own) = own.filter(|own| !list.contains(own)) {
        list.insert(at, own.clone());
    }
    Ok((stepped_back(&list, after, before), replaced))
}

/// The list as it was before the step, with what others added and without what they took away.
fn stepped_back(live: &[String], before: &[String], after: &[String]) -> Vec<String> {
    if live == after {
        return before.to_vec();
    }
    let mut list = live.to_vec();
    list.retain(|arn| before.contains(arn) || !after.contains(arn));
    for back in before.iter().filter(|arn| !after.contains(arn)) {
        if list.contains(back) {
            continue;
        }
        // After the nearest layer before it that is still there.
        let ahead = before.iter().take_while(|it| *it != back);
        let at = ahead
            .filter_map(|it| list.iter().position(|there| there == it))
            .max()
            .map_or(0, |at| at + 1);
        list.insert(at, back.clone());
    }
    list
}
