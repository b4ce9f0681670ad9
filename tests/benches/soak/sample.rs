//! What is measured over a run, and its rows in the table.

use std::time::Duration;

use backstop_tests::Result;
use backstop_tests::growth::{self, Sample};

/// The samples of a run, and what each invocation waited.
#[derive(Debug, Default)]
pub(super) struct Samples {
    all: Vec<Sample>,
    pub(super) added: Vec<Duration>,
    /// Those that waited longer than they may.
    pub(super) late: u64,
}

impl Samples {
    pub(super) fn take(&mut self, pid: u32) -> Result {
        self.all.push(Sample::of(pid)?);
        Ok(())
    }

    pub(super) fn latest(&self) -> String {
        let sample = self.all.last().copied().unwrap_or_default();
        format!(
            "resident {}, descriptors {}, threads {}",
            growth::mebibytes(sample.rss),
            sample.descriptors,
            sample.threads
        )
    }

    /// What has grown.
    pub(super) fn problems(&self) -> Vec<String> {
        growth::growth(&self.all)
    }

    pub(super) fn rows(&self, peak: u64) -> Vec<(String, String)> {
        let quarters = growth::quarters(&self.all);
        let each = |of: &dyn Fn(&[Sample]) -> String| -> String {
            let figures: Vec<String> = quarters.iter().map(|quarter| of(quarter)).collect();
            figures.join(" / ")
        };
        let range = |of: fn(&Sample) -> u64| {
            move |samples: &[Sample]| {
                let least = samples.iter().map(of).min().unwrap_or_default();
                let most = samples.iter().map(of).max().unwrap_or_default();
                format!("{least} to {most}")
            }
        };
        let mut added = self.added.clone();
        added.sort_unstable();
        let at = |percent: usize| {
            let index = (added.len() * percent / 100).min(added.len().saturating_sub(1));
            millis(added.get(index).copied().unwrap_or_default())
        };
        let rows = [
            (
                "resident memory by quarter, median",
                each(&|samples| growth::mebibytes(growth::median_rss(samples))),
            ),
            ("at the peak", growth::mebibytes(peak)),
            (
                "descriptors by quarter",
                each(&range(|sample| sample.descriptors)),
            ),
            ("threads by quarter", each(&range(|sample| sample.threads))),
            (
                "added to an invocation: median / 99 % / most",
                format!("{} / {} / {}", at(50), at(99), at(100)),
            ),
            ("of those above the bound", self.late.to_string()),
        ];
        rows.map(|(figure, value)| (figure.to_owned(), value))
            .into()
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
