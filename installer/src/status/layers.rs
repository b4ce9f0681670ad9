//! Which layer versions are in use, and of which release.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Seen;
use crate::change::LayerArn;
use crate::layer::{self, Release};

/// A layer version that functions have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InUse {
    /// Its release; none where its name says none.
    pub release: Option<Release>,
    pub layer: String,
    /// How many functions.
    pub functions: u64,
}

impl InUse {
    /// By release and ARN.
    pub(super) fn of(functions: &[Seen]) -> Vec<Self> {
        let mut counts: BTreeMap<(Option<&Release>, &str), u64> = BTreeMap::new();
        for seen in functions {
            if let Some(layer) = &seen.layer {
                *counts.entry((seen.release.as_ref(), layer)).or_default() += 1;
            }
        }
        let in_use = counts
            .into_iter()
            .map(|((release, layer), functions)| Self {
                release: release.cloned(),
                layer: layer.to_owned(),
                functions,
            });
        in_use.collect()
    }
}

/// The release in a Backstop layer's name: `backstop-extension-arm64-0-1-0` has 0.1.0.
pub fn release(arn: &str) -> Option<Release> {
    let name = LayerArn::parse(arn)?.name;
    layer::parse_name(name, None).map(|(_, release)| release)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layers_name_carries_its_release() {
        for (name, expected) in [
            ("backstop-extension-arm64-0-1-0", Some("0.1.0")),
            ("backstop-extension-x86_64-1-20-3", Some("1.20.3")),
            ("backstop-extension-arm64-1-0-0-rc-1", Some("1.0.0-rc.1")),
            ("backstop-extension-arm64", None),
            ("backstop-extension-arm64-next", None),
            ("alpha-arm64-0-1-0", None),
        ] {
            let arn = format!("arn:aws:lambda:eu-west-1:111122223333:layer:{name}:3");
            let found = release(&arn).map(|it| it.to_string());
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }
}
