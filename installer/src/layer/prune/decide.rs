//! Decides which versions to delete, and why the others stay. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backstop_config::Arn;

use super::seconds;
use crate::change::is_ours;
use crate::fleet::{Place, Site};
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
    /// This command would put it on a function.
    Undo(String),
    /// These accounts may use it, and their functions were not read.
    Shared(Vec<Principal>),
}

/// What becomes of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It may go.
    WouldDelete,
    /// It is gone.
    Deleted,
    Kept(Why),
    /// Kept, because functions that may use it could not be read.
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
    /// What undoing a run puts back, and the command that does.
    pub(super) undone: BTreeMap<String, String>,
}

/// A layer version that undoing a run puts back on a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// The layer version's ARN.
    pub layer: String,
    /// The function's unqualified ARN.
    pub function: String,
    /// The versions of ours that the run left there: with others, or with none where it left one, undo puts
    /// nothing back. None where the command does whatever is there.
    pub left: Option<Vec<String>>,
    /// The command that does.
    pub command: String,
}

/// Which versions functions use, and which places could not be read.
#[derive(Debug, Default)]
pub(super) struct Seen {
    named: BTreeMap<String, String>,
    /// The Backstop layers of `$LATEST` of each function.
    live: BTreeMap<String, BTreeSet<String>>,
    /// Accounts and regions that were read.
    places: BTreeSet<(String, String)>,
    /// By region; all of them where there is none.
    blind: BTreeMap<Option<String>, BTreeSet<String>>,
}

impl Seen {
    pub(super) fn named(&mut self, uses: &[Use]) {
        for (layer, function) in uses {
            let example = self.named.entry(layer.clone());
            example.or_insert_with(|| function.clone());
            let unpublished = function.strip_suffix(":$LATEST");
            if let Some(function) = unpublished.filter(|_| is_ours(layer)) {
                let live = self.live.entry(function.to_owned()).or_default();
                live.insert(layer.clone());
            }
        }
    }

    /// What undoing runs would put back as the functions are now, by layer version. A function that was not
    /// looked at may be as its run left it.
    pub(super) fn undone(&self, returns: &[Return]) -> BTreeMap<String, String> {
        let would = |it: &&Return| {
            let Some(left) = &it.left else { return true };
            match self.live.get(&it.function) {
                Some(live) => left.iter().collect::<BTreeSet<_>>() == live.iter().collect(),
                None => left.is_empty() || !self.is_whole(&it.function),
            }
        };
        let returns = returns.iter().filter(would);
        returns
            .map(|it| (it.layer.clone(), it.command.clone()))
            .collect()
    }

    /// Whether the function's place was read.
    fn is_whole(&self, function: &str) -> bool {
        Arn::parse(function).is_some_and(|arn| {
            let place = (arn.account.to_owned(), arn.region.to_owned());
            self.places.contains(&place)
        })
    }

    /// A place whose functions were all read.
    pub(super) fn seen(&mut self, place: &Place) {
        self.places
            .insert((place.account.clone(), place.region.clone()));
    }

    pub(super) fn blind(&mut self, region: Option<&str>, account: &str) {
        let accounts = self.blind.entry(region.map(str::to_owned)).or_default();
        accounts.insert(account.to_owned());
    }

    /// The accounts whose functions in the region were not read.
    fn unseen(&self, region: &str) -> Vec<&str> {
        let everywhere = self.blind.get(&None);
        let here = self.blind.get(&Some(region.to_owned()));
        let all: BTreeSet<&String> = everywhere.into_iter().chain(here).flatten().collect();
        all.into_iter().map(String::as_str).collect()
    }
}

/// Each version with whether it may go; in the order of place, architecture and age.
pub(super) fn decide<'a>(
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
    if let Some(command) = rules.undone.get(&version.arn) {
        return Fate::Kept(Why::Undo(command.clone()));
    }
    let is_old = |before| seconds(&version.created).is_some_and(|created| created < before);
    if !rules.older_than.is_none_or(is_old) {
        return Fate::Kept(Why::Young);
    }
    match &seen.unseen(region)[..] {
        [] => Fate::WouldDelete,
        accounts => Fate::Refused(format!(
            "functions in {region} of {} could not be read",
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
        // Even with `keep` at zero the newest version stays.
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
        let undone = judged(2, &|rules, _| {
            let run = "20260131-080000-abcdef".to_owned();
            rules.undone.insert(version.arn.clone(), run);
        });
        let run = "20260131-080000-abcdef".to_owned();
        assert_eq!(undone, Fate::Kept(Why::Undo(run)));
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
    fn a_run_keeps_what_its_undoing_puts_back_and_nothing_else() {
        let [older, ours, newer] = [1, 2, 3].map(|number| version("0.1.0", number).arn);
        let function = "arn:aws:lambda:eu-west-1:111122223333:function:orders";
        let place = Place {
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
        };
        let kept = |live: Option<&String>, is_seen: bool, left: &[&String]| {
            let mut seen = Seen::default();
            if is_seen {
                seen.seen(&place);
            }
            let live = live.map(|arn| (arn.clone(), format!("{function}:$LATEST")));
            seen.named(&Vec::from_iter(live));
            let returned = Return {
                layer: older.clone(),
                function: function.to_owned(),
                left: Some(left.iter().map(|it| (*it).clone()).collect()),
                command: "undo RUN".to_owned(),
            };
            !seen.undone(&[returned]).is_empty()
        };
        // As the run left it: undo puts the older one back.
        assert!(kept(Some(&ours), true, &[&ours]));
        // Upgraded since, or taken off: undo puts nothing back.
        assert!(!kept(Some(&newer), true, &[&ours]));
        assert!(!kept(None, true, &[&ours]));
        // The run took it off, and it is off.
        assert!(kept(None, true, &[]));
        assert!(!kept(Some(&newer), true, &[]));
        // Nobody looked.
        assert!(kept(None, false, &[&ours]));
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
