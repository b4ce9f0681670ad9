//! Lists of layers: ours in, ours out, everybody else's in their order.
//!
//! The order is that in which the layers are unpacked over each other: it is the owner's.

/// What every layer of ours is named after; architecture and release follow.
const NAME_PREFIX: &str = "backstop-extension-";

/// The ARN of a layer version, in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerArn<'a> {
    /// Up to and without the version.
    pub layer: &'a str,
    /// Where it is.
    pub region: &'a str,
    /// Whose it is.
    pub account: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
}

impl<'a> LayerArn<'a> {
    /// `arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION`.
    pub fn parse(arn: &'a str) -> Option<Self> {
        let (layer, version) = arn.rsplit_once(':')?;
        let mut parts = layer.split(':');
        let is_layer = parts.next() == Some("arn")
            && parts
                .next()
                .is_some_and(|partition| partition.starts_with("aws"))
            && parts.next() == Some("lambda");
        let (region, account) = (parts.next()?, parts.next()?);
        let is_layer = is_layer && parts.next() == Some("layer");
        let name = parts.next()?;
        (is_layer && parts.next().is_none() && version.parse::<u64>().is_ok()).then_some(Self {
            layer,
            region,
            account,
            name,
            version,
        })
    }
}

/// Whether it is a layer of ours, of any release, architecture and account.
pub fn is_ours(arn: &str) -> bool {
    LayerArn::parse(arn).is_some_and(|it| it.name.starts_with(NAME_PREFIX))
}

/// The list with this layer version: in the place of another of ours, or at the end.
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

/// The list with the step from `before` to `after` undone, or the layer of ours that is in the way.
pub(super) fn restored(
    live: &[String],
    before: &[String],
    after: &[String],
) -> Result<Vec<String>, String> {
    if live == after {
        return Ok(before.to_vec());
    }
    let mut list = live.to_vec();
    let removed: Vec<&String> = before.iter().filter(|it| !after.contains(it)).collect();
    for added in after.iter().filter(|it| !before.contains(it)) {
        let Some(at) = list.iter().position(|it| it == added) else {
            // Somebody took it out, or put another of ours in its place.
            if let Some(other) = list.iter().find(|it| is_ours(it) && !before.contains(it)) {
                return Err(other.clone());
            }
            continue;
        };
        list.remove(at);
    }
    for back in removed {
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
    Ok(list)
}
