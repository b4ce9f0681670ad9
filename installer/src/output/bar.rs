//! What is drawn and redrawn on stderr, on a terminal only.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::escape;

/// A progress bar; nothing at all where nothing may be drawn.
#[derive(Debug, Clone)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar in the given template.
    pub fn new(draws: bool, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), target(draws));
        bar.set_style(style(template));
        Self(bar)
    }

    /// There is so much more to do.
    pub fn lengthen(&self, by: u64) {
        self.0.inc_length(by);
    }

    /// One more is done.
    pub fn advance(&self, message: &str) {
        self.0.set_message(escape::line(message));
        self.0.inc(1);
    }

    /// Takes it away.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// A few lines, the first of them a bar.
#[derive(Debug)]
pub struct Lines {
    all: MultiProgress,
    lines: Vec<ProgressBar>,
}

impl Lines {
    /// A bar over `length` in the given template, and `count` lines below it.
    pub fn new(draws: bool, length: u64, template: &str, count: usize) -> Self {
        let all = MultiProgress::with_draw_target(target(draws));
        let bar = all.add(ProgressBar::new(length));
        bar.set_style(style(template));
        let mut lines = vec![bar];
        for _ in 0..count {
            let line = all.add(ProgressBar::new(0));
            line.set_style(style("{msg}"));
            lines.push(line);
        }
        Self { all, lines }
    }

    /// Draws the bar at `position`, and the lines.
    pub fn draw(&self, position: u64, messages: impl IntoIterator<Item = String>) {
        for (line, message) in self.lines.iter().zip(messages) {
            line.set_message(escape::line(&message));
        }
        if let Some(bar) = self.lines.first() {
            bar.set_position(position);
        }
    }

    /// Takes them away.
    pub fn clear(&self) {
        for line in &self.lines {
            line.finish_and_clear();
        }
        // What cannot be cleared is only left standing.
        self.all.clear().ok();
    }
}

/// A bar for each place where work is under way.
#[derive(Debug)]
pub struct PlaceBars {
    all: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl PlaceBars {
    /// None yet.
    pub fn new(draws: bool) -> Self {
        Self {
            all: MultiProgress::with_draw_target(target(draws)),
            bars: Mutex::default(),
        }
    }

    /// There is so much more to do there.
    pub fn lengthen(&self, place: &str, by: u64) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars.entry(place.to_owned()).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new(0));
            bar.set_style(style("{prefix} {bar:30} {pos}/{len}  {eta} left"));
            bar.with_prefix(escape::line(place))
        });
        bar.inc_length(by);
    }

    /// One more is done there.
    pub fn advance(&self, place: &str) {
        let bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = bars.get(place) {
            bar.inc(1);
        }
    }

    /// Has something be printed above them.
    pub fn above(&self, print: impl FnOnce()) {
        self.all.suspend(print);
    }

    /// Takes them away.
    pub fn clear(&self) {
        // What cannot be cleared is only left standing.
        self.all.clear().ok();
    }
}

fn target(draws: bool) -> ProgressDrawTarget {
    if draws {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("█▌ ")
}
