//! Which versions may go, and why the others stay. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::seconds;
use crate::fleet::Site;
use crate::layer::Principal;
use crate::layer::remote::Version;

/// The ARN of a layer's version, and that of a function that names it.
pub(super) type Use = (String, String);

/// Why a version stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is among the newest.
    Newest,
    /// It is younger than was asked for, or its age is not known.
    Young,
    /// This function names it, others perhaps too.
    Used(String),
    /// The manifest or `backstop.toml` names it.
    Named,
    /// These may use it, and their functions were not looked at.
    Shared(Vec<Principal>),
}

/// What becomes of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It may go.
    WouldDelete,
    /// It is gone.
    Deleted,
    /// It stays.
    Kept(Why),
    /// It stays, because functions that may name it could not be looked at.
    Refused(String),
    /// It could not be deleted.
    Failed(String),
}

/// What stays in any case.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) keep: usize,
    /// What was published before this second of the Unix epoch may go.
    pub(super) older_than: Option<i64>,
    /// What a manifest or the project's file names.
    pub(super) named: BTreeSet<String>,
}

/// What the functions name, and where they could not be looked at.
#[derive(Debug, Default)]
pub(super) struct Seen {
    named: BTreeMap<String, String>,
    /// By region; all of them where there is none.
    blind: BTreeMap<Option<String>, BTreeSet<String>>,
}

impl Seen {
    pub(super) fn named(&mut self, uses: &[Use]) {
        for (layer, function) in uses {
            let example = self.named.entry(layer.clone());
            example.or_insert_with(|| function.clone());
        }
    }

    pub(super) fn blind(&mut self, region: Option<&str>, account: &str) {
        let accounts = self.blind.entry(region.map(str::to_owned)).or_default();
        accounts.insert(account.to_owned());
    }

    /// The accounts whose functions in the region were not looked at.
    fn unseen(&self, region: &str) -> Vec<&str> {
        let everywhere = self.blind.get(&None);
        let here = self.blind.get(&Some(region.to_owned()));
        let all: BTreeSet<&String> = everywhere.into_iter().chain(here).flatten().collect();
        all.into_iter().map(String::as_str).collect()
    }
}

/// Each version with whether it may go; in the order of place, architecture and age.
pub(super) fn judge<'a>(
    mut versions: Vec<(&'a Arc<Site>, &'a Version)>,
    rules: &Rules,
    seen: &Seen,
) -> Vec<(&'a Arc<Site>, &'a Version, Fate)> {
    let group = |site: &Site, version: &Version| (site.place.clone(), version.architecture);
    versions.sort_by(|(site, one), (other_site, other)| {
        (group(site, one).cmp(&group(other_site, other)))
            .then_with(|| other.release.cmp(&one.release))
            .then_with(|| other.number.cmp(&one.number))
    });
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    let judged = versions.into_iter().map(|(site, version)| {
        let count = counts.entry(group(site, version)).or_default();
        *count += 1;
        let fate = fate(version, *count, &site.place.region, rules, seen);
        (site, version, fate)
    });
    judged.collect()
}

/// What becomes of the `nth` newest version of its architecture.
fn fate(version: &Version, nth: usize, region: &str, rules: &Rules, seen: &Seen) -> Fate {
    // Whatever was asked for, the newest stays.
    if nth <= rules.keep.max(1) {
        return Fate::Kept(Why::Newest);
    }
    if let Some(function) = seen.named.get(&version.arn) {
        return Fate::Kept(Why::Used(function.clone()));
    }
    if rules.named.contains(&version.arn) {
        return Fate::Kept(Why::Named);
    }
    let is_old = |before| seconds(&version.created).is_some_and(|created| created < before);
    if !rules.older_than.is_none_or(is_old) {
        return Fate::Kept(Why::Young);
    }
    match &seen.unseen(region)[..] {
        [] => Fate::WouldDelete,
        accounts => Fate::Refused(format!(
            "functions in {region} of {} could not be looked at",
            accounts.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Architecture, Release};

    fn version(release: &str, number: i64) -> Version {
        let release: Release = release.parse().expect("it is a release");
        let name = release.layer_name(Architecture::Arm64);
        Version {
            arn: format!("arn:aws:lambda:eu-west-1:111122223333:layer:{name}:{number}"),
            architecture: Architecture::Arm64,
            created: "2026-01-31T08:00:00.000+0000".to_owned(),
            name,
            number,
            release,
        }
    }

    #[test]
    fn each_reason_to_keep_a_version_is_enough() {
        let version = version("0.1.0", 4);
        let published = 1_769_846_400;
        let region = "eu-west-1";
        let judged = |nth, change: &dyn Fn(&mut Rules, &mut Seen)| {
            let (mut rules, mut seen) = (Rules::default(), Seen::default());
            change(&mut rules, &mut seen);
            fate(&version, nth, region, &rules, &seen)
        };
        assert_eq!(judged(2, &|_, _| {}), Fate::WouldDelete);
        // With nothing to keep, the newest is kept all the same.
        assert_eq!(judged(1, &|_, _| {}), Fate::Kept(Why::Newest));
        assert_eq!(
            judged(3, &|rules, _| rules.keep = 3),
            Fate::Kept(Why::Newest)
        );
        assert_eq!(judged(4, &|rules, _| rules.keep = 3), Fate::WouldDelete);
        let used = judged(2, &|_, seen| {
            for function in ["one", "two"] {
                seen.named(&[(version.arn.clone(), function.to_owned())]);
            }
        });
        assert_eq!(used, Fate::Kept(Why::Used("one".to_owned())));
        let named = judged(2, &|rules, _| {
            rules.named.insert(version.arn.clone());
        });
        assert_eq!(named, Fate::Kept(Why::Named));
        assert_eq!(
            judged(2, &|rules, _| rules.older_than = Some(published)),
            Fate::Kept(Why::Young)
        );
        assert_eq!(
            judged(2, &|rules, _| rules.older_than = Some(published + 1)),
            Fate::WouldDelete
        );
        for (blind, is_kept) in [
            (Some(region), true),
            (None, true),
            (Some("us-east-1"), false),
        ] {
            let judged = judged(2, &|_, seen| seen.blind(blind, "222233334444"));
            assert_eq!(matches!(judged, Fate::Refused(_)), is_kept, "{blind:?}");
        }
    }

    #[test]
    fn moments_are_read_as_lambda_writes_them() {
        for text in [
            "2026-01-31T08:00:00.000+0000",
            "2026-01-31T09:00:00+01:00",
            "2026-01-31T08:00:00Z",
            "2026-01-31T10:00:00.0+0200",
        ] {
            assert_eq!(seconds(text), Some(1_769_846_400), "{text}");
        }
        for text in ["", "Z", "yesterday", "2026-01-31", "é"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
