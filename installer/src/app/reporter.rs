//! Shows how planning and applying proceed: bars, and lines above them.

use std::collections::BTreeSet;

use crate::fleet::{Fleet, Place};
use crate::output::{Output, PlaceBars, plural};
use crate::plan::Observer;

/// Bars, and lines above them.
pub(super) struct Reporter {
    bars: PlaceBars,
    output: Output,
}

impl Reporter {
    pub(super) fn new(output: Output) -> Self {
        Self {
            bars: PlaceBars::new(output.draws()),
            output,
        }
    }

    pub(super) fn clear(&self) {
        self.bars.clear();
    }
}

impl Observer for Reporter {
    fn reading(&self, fleet: &Fleet) {
        let places = fleet.sites.keys();
        let accounts: BTreeSet<&String> = places.clone().map(|place| &place.account).collect();
        let regions: BTreeSet<&String> = places.map(|place| &place.region).collect();
        self.message(&format!(
            "Reading functions in {}, {}",
            plural(accounts.len() as u64, "account"),
            plural(regions.len() as u64, "region")
        ));
    }

    fn found(&self, place: &Place, functions: u64) {
        self.bars.lengthen(&place.to_string(), functions);
    }

    fn one_done(&self, place: &Place) {
        self.bars.advance(&place.to_string());
    }

    fn message(&self, line: &str) {
        self.bars.above(|| self.output.progress(line));
    }
}
