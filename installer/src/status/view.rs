//! The result of `status`, as text.

use std::fmt::Write as _;

use serde::Serialize;

use super::{LayerState, Seen, Status};
use crate::fleet::left_out;
use crate::layer::Release;
use crate::output::{Columns, Item, Report, Style, Tone, by_reason, grouped, names, plural};

/// A status, or only what drifted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View<'a> {
    /// What there is.
    #[serde(flatten)]
    pub status: Status,
    /// Whether only what drifted is shown.
    #[serde(skip)]
    pub is_drift_only: bool,
    /// Whether every name is shown.
    #[serde(skip)]
    pub is_full: bool,
    /// Where the runs are that drift is judged by.
    #[serde(skip)]
    pub state: &'a str,
}

impl Report for View<'_> {
    fn text(&self, style: Style) -> String {
        let status = &self.status;
        let coverage = status.coverage;
        let title = format!(
            "{} of {} with the layer, {} without, {} unsupported; {} drifted",
            grouped(coverage.with),
            plural(coverage.functions, "function"),
            grouped(coverage.without),
            grouped(coverage.cannot),
            grouped(coverage.drifted),
        );
        let is_good = status.is_whole() && status.is_as_wanted();
        let mut text = style.verdict(is_good, &title) + "\n";
        let mut paragraph = |paragraph: String| {
            if !paragraph.is_empty() {
                // Writing to a String cannot fail.
                write!(text, "\n{paragraph}").unwrap_or_default();
            }
        };
        if !self.is_drift_only {
            paragraph(places(status, style));
            paragraph(layers(status, style));
        }
        paragraph(self.drifted(style));
        if !self.is_drift_only {
            let groups = [
                ("Without the layer", LayerState::Without),
                ("Cannot have the layer", LayerState::Cannot),
            ];
            for (heading, state) in groups {
                paragraph(self.names(heading, |seen| seen.layer_state == state));
            }
            let others = format!("Attached by runs that are not in {}", self.state);
            paragraph(self.names(&others, |seen| {
                seen.layer_state == LayerState::With && !seen.is_from_here
            }));
            paragraph(self.names("Environment unreadable", |seen| {
                !seen.is_environment_readable
            }));
        }
        for name in &status.missing {
            paragraph(format!("Not found: {name}\n"));
        }
        for skipped in left_out(&status.skipped, self.is_full) {
            paragraph(format!("{skipped}\n"));
        }
        text
    }
}

fn places(status: &Status, style: Style) -> String {
    if status.places.is_empty() {
        return String::new();
    }
    let mut columns = Columns::new(&[
        "Account",
        "Region",
        ">All",
        ">With",
        ">Without",
        ">Cannot",
        ">Drifted",
        ">Other runs",
    ]);
    for at in &status.places {
        let it = at.coverage;
        let counts = [
            it.functions,
            it.with,
            it.without,
            it.cannot,
            it.drifted,
            it.not_from_here,
        ];
        let place = [at.place.account.clone(), at.place.region.clone()];
        columns.row(place.into_iter().chain(counts.map(grouped)));
    }
    columns.text(style)
}

fn layers(status: &Status, style: Style) -> String {
    if status.layers.is_empty() {
        return String::new();
    }
    let mut columns = Columns::new(&["Release", ">Functions", "Layer version"]);
    for it in &status.layers {
        let release =
            (it.release.as_ref()).map_or_else(|| "unknown".to_owned(), Release::to_string);
        columns.row([release, grouped(it.functions), it.layer.clone()]);
    }
    let skew = if status.is_skewed {
        "Several releases are in use: run `backstop attach` with the layers of one release to \
         unify them\n"
    } else {
        ""
    };
    columns.text(style) + skew
}

impl View<'_> {
    fn drifted(&self, style: Style) -> String {
        let drifts: Vec<(&Seen, String)> = (self.status.functions.iter())
            .flat_map(|seen| seen.drift.iter().map(move |it| (seen, it.to_string())))
            .collect();
        if drifts.is_empty() {
            return String::new();
        }
        let items = drifts.iter().map(|(seen, drift)| Item {
            account: &seen.place.account,
            region: &seen.place.region,
            name: &seen.name,
            reason: drift,
        });
        let heading = style.word(Tone::Warning, "Drifted");
        format!("{heading}\n{}", by_reason(items, self.is_full))
    }

    /// A heading, and the names by place.
    fn names(&self, heading: &str, is_one: impl Fn(&Seen) -> bool) -> String {
        let chosen = self.status.functions.iter().filter(|seen| is_one(seen));
        let named = chosen.map(|seen| {
            let reason = seen.reason.as_ref().map(|it| format!(" ({it})"));
            let name = format!("{}{}", seen.name, reason.unwrap_or_default());
            (seen.place.to_string(), name)
        });
        let lines = names(named, self.is_full);
        if lines.is_empty() {
            return String::new();
        }
        format!("{heading}\n  {}\n", lines.join("\n  "))
    }
}
