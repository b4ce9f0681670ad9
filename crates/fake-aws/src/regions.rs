//! Which regions an account has, as `account:ListRegions` says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::Place;
use crate::paging::Page;

/// Fewer than there are, so that nobody gets by with the first page: AWS may give fewer than asked, too.
const PAGE: usize = 3;
const BY_DEFAULT: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];
const OPT_IN: [&str; 2] = ["ap-east-1", "eu-south-2"];

/// Those that somebody opted in to, by account.
#[derive(Debug, Default)]
pub(crate) struct Regions(BTreeMap<String, BTreeSet<String>>);

impl Regions {
    pub(crate) fn enable(&mut self, account: &str, regions: &[&str]) {
        let regions = regions.iter().map(|region| (*region).to_owned());
        self.0.insert(account.to_owned(), regions.collect());
    }

    /// Whether calls in it are answered. What no list names is there, for places a test makes up.
    pub(crate) fn has(&self, place: &Place) -> bool {
        let region = place.region.as_str();
        !OPT_IN.contains(&region) || self.is_opted_in(&place.account, region)
    }

    pub(crate) fn list(&self, account: &str, body: &Value) -> Value {
        let wanted = body["RegionOptStatusContains"].as_array();
        let opted_in = self
            .0
            .get(account)
            .into_iter()
            .flatten()
            .map(String::as_str);
        let names: BTreeSet<&str> = (BY_DEFAULT.into_iter())
            .chain(OPT_IN)
            .chain(opted_in)
            .collect();
        let regions = (names.into_iter())
            .map(|name| (name, self.status(account, name)))
            .filter(|(_, status)| {
                wanted.is_none_or(|wanted| {
                    wanted.is_empty() || wanted.iter().any(|one| one == status)
                })
            })
            .map(|(name, status)| {
                let region = json!({ "RegionName": name, "RegionOptStatus": status });
                (name.to_owned(), region)
            });
        let (regions, next) = Page::in_body(body, PAGE).of(regions);
        json!({ "Regions": regions, "NextToken": next })
    }

    fn status(&self, account: &str, region: &str) -> &'static str {
        if BY_DEFAULT.contains(&region) {
            "ENABLED_BY_DEFAULT"
        } else if self.is_opted_in(account, region) {
            "ENABLED"
        } else {
            "DISABLED"
        }
    }

    fn is_opted_in(&self, account: &str, region: &str) -> bool {
        match self.0.get(account) {
            Some(regions) => regions.contains(region),
            None => region == "eu-south-2",
        }
    }
}
