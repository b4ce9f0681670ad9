//! What the transforms would do to records of the archive, before a rollout.
//!
//! The same code as the extension's decides (`backstop-transform`). Records of several environments may be in
//! one file: each environment has its own invocations and repeats.
//!
//! Invariants: each record that was read is kept or dropped for one reason; a line goes on as it came but for
//! its record. Must not: change a file, or quote a line in an error.

mod line;
mod summary;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use backstop_archive::{LONGEST_RECORD, PIECE, Unpacker};
use backstop_config::file::{self, Layered};
use backstop_config::{ConfigError, Settings, Strings, TransformSettings};
use backstop_transform::{Cause, Handle, Outcome, Place, Repeats, Sampler, Transforms};

use crate::files;
use crate::usage::UsageError;
use line::Line;
pub use summary::{Counts, Summary};

/// The variables that this command reads.
const VARIABLES: [&str; 8] = [
    "BACKSTOP_CONFIG",
    "BACKSTOP_MIN_LEVEL",
    "BACKSTOP_FILTER",
    "BACKSTOP_REDACT",
    "BACKSTOP_REDACT_ARCHIVE",
    "BACKSTOP_DEDUPE",
    "BACKSTOP_SAMPLE",
    "BACKSTOP_SAMPLE_KEEP",
];

/// The settings of the environment and of a file, with all mistakes at once.
pub fn settings(
    environment: &impl Strings,
    config: Option<&Path>,
) -> anyhow::Result<(TransformSettings, Transforms)> {
    let (file, mut errors) = match config {
        Some(path) => file::parse(&files::text(path, files::SMALL)?),
        None => (BTreeMap::new(), Vec::new()),
    };
    let both = Layered {
        environment,
        file: &file,
    };
    let (settings, found) = Settings::resolve(&both);
    // The others are the extension's to judge, on the function.
    let is_read = |error: &ConfigError| {
        VARIABLES.contains(&error.variable()) || file.contains_key(error.variable())
    };
    errors.extend(found.into_iter().filter(is_read));
    let transforms = Transforms::new(&settings.transforms, &mut errors);
    if errors.is_empty() {
        return Ok((settings.transforms, transforms));
    }
    let wrong: Vec<String> = errors
        .iter()
        .map(|error| format!("{} {}", error.variable(), error.problem()))
        .collect();
    Err(UsageError(wrong.join("\n")).into())
}

/// Reads the files, or stdin, and counts. What is kept is written to `print`.
pub fn run<'a>(
    settings: &'a TransformSettings,
    transforms: Transforms,
    paths: &[PathBuf],
    print: Option<&'a mut (dyn Write + 'a)>,
) -> anyhow::Result<Summary> {
    let mut preview = Preview::new(settings, transforms, print);
    if paths.is_empty() {
        preview.read("stdin", io::stdin().lock())?;
    }
    for path in paths {
        let shown = path.display().to_string();
        let file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
        preview.read(&shown, file)?;
    }
    preview.finish()
}

/// Lines of one environment that wait for repeats: some more than the extension remembers.
const MOST_WAITING: usize = 4096;

/// One environment's state.
struct Environment {
    sampler: Option<Sampler>,
    repeats: Option<Repeats<usize>>,
    /// Kept lines that wait, by their order: for repeats and decisions.
    waiting: BTreeMap<usize, Waiting>,
}

struct Waiting {
    line: Line,
    handle: Option<Handle>,
    /// The bytes of the line, as it was read.
    bytes: u64,
}

struct Preview<'a> {
    settings: &'a TransformSettings,
    transforms: Transforms,
    environments: HashMap<String, Environment>,
    order: usize,
    print: Option<&'a mut (dyn Write + 'a)>,
    summary: Summary,
}

impl<'a> Preview<'a> {
    fn new(
        settings: &'a TransformSettings,
        transforms: Transforms,
        print: Option<&'a mut (dyn Write + 'a)>,
    ) -> Self {
        Self {
            settings,
            transforms,
            environments: HashMap::new(),
            order: 0,
            print,
            summary: Summary::default(),
        }
    }

    fn read(&mut self, shown: &str, mut input: impl Read) -> anyhow::Result<()> {
        let mut unpacker = Unpacker::new(LONGEST_RECORD);
        let mut piece = [0; PIECE];
        loop {
            let length = input
                .read(&mut piece)
                .with_context(|| format!("{shown} cannot be read"))?;
            if length == 0 {
                unpacker.finish();
            } else {
                unpacker.push(&piece[..length]);
            }
            while let Some((number, line)) = unpacker.next_line() {
                match line.and_then(|line| Line::parse(&line.record.without_original())) {
                    Ok(line) => self.take(line)?,
                    Err(problem) => self.summary.broken(shown, Some(number), &problem),
                }
            }
            if length == 0 {
                if let Some(problem) = unpacker.problem() {
                    self.summary.broken(shown, None, problem);
                }
                return Ok(());
            }
        }
    }

    fn take(&mut self, mut line: Line) -> anyhow::Result<()> {
        let bytes = line.length() as u64;
        self.summary.read.add(bytes);
        let settings = self.settings;
        let environment = (self.environments)
            .entry(line.environment().to_owned())
            .or_insert_with(|| Environment {
                sampler: settings.sample.map(Sampler::new),
                repeats: settings.dedupe.then(Repeats::default),
                waiting: BTreeMap::new(),
            });
        let (fragment, name) = (line.fragment(), line.environment().to_owned());
        let sampler = environment.sampler.as_mut();
        let place = sampler.map_or(Place::Keep, |sampler| sampler.place(&fragment));
        match self.transforms.apply(&fragment) {
            Outcome::Drop(cause) => {
                let name = match cause {
                    Cause::Level => "BACKSTOP_MIN_LEVEL",
                    Cause::Rule(index) => &settings.filter[index].text,
                };
                self.summary.filtered(name, bytes);
            }
            Outcome::Keep => self.admit(line, place, bytes),
            Outcome::Replace(fragment) => {
                self.summary.redacted_records += 1;
                line.set_fragment(&fragment);
                self.admit(line, place, bytes);
            }
        }
        self.decide(&name, MOST_WAITING)
    }

    fn admit(&mut self, line: Line, place: Place, bytes: u64) {
        self.order += 1;
        let Some(environment) = self.environments.get_mut(line.environment()) else {
            return;
        };
        let handle = match place {
            Place::Drop => return self.summary.sampled.add(bytes),
            Place::Keep => None,
            Place::Hold(handle) => Some(handle),
        };
        if let Some(repeats) = &mut environment.repeats {
            let of = handle.map_or_else(|| line.request_id().to_vec(), |it| it.to_bytes().to_vec());
            if repeats.is_repeat(&line.fragment(), &of, self.order) {
                return self.summary.deduped.add(bytes);
            }
        }
        let waiting = Waiting {
            line,
            handle,
            bytes,
        };
        environment.waiting.insert(self.order, waiting);
    }

    /// Does what was decided of an environment's invocations. Without repeats nothing else waits; with them no
    /// more than this.
    fn decide(&mut self, name: &str, most: usize) -> anyhow::Result<()> {
        let Some(environment) = self.environments.get_mut(name) else {
            return Ok(());
        };
        let sampler = environment.sampler.as_mut();
        for decision in sampler.map(Sampler::take_decisions).unwrap_or_default() {
            environment.waiting.retain(|_, waiting| {
                let is_meant = waiting.handle == Some(decision.handle);
                if is_meant && decision.keep {
                    waiting.handle = None;
                } else if is_meant {
                    self.summary.sampled.add(waiting.bytes);
                    return false;
                }
                true
            });
        }
        if environment.repeats.is_some() && environment.waiting.len() <= most {
            return Ok(());
        }
        let repeats = environment.repeats.iter_mut();
        let repeated: HashMap<usize, _> = repeats.flat_map(Repeats::take).collect();
        for (order, waiting) in &mut environment.waiting {
            let repeated = repeated.get(order);
            let written = repeated.and_then(|it| it.written(&waiting.line.fragment()));
            if let Some(fragment) = written {
                waiting.line.set_fragment(&fragment);
            }
        }
        let free = environment
            .waiting
            .extract_if(.., |_, it| it.handle.is_none());
        let free: Vec<Line> = free.map(|(_, waiting)| waiting.line).collect();
        free.iter().try_for_each(|line| self.keep(line))
    }

    fn keep(&mut self, line: &Line) -> anyhow::Result<()> {
        self.summary.kept.add(line.length() as u64);
        if let Some(print) = &mut self.print {
            match writeln!(print, "{}", line.text()) {
                // The reader has closed the pipe: the counts go on.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.print = None,
                written => written.context("stdout cannot be written")?,
            }
        }
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<Summary> {
        let mut names: Vec<String> = self.environments.keys().cloned().collect();
        names.sort_unstable();
        for name in names {
            let environment = self.environments.get_mut(&name);
            if let Some(sampler) = environment.and_then(|it| it.sampler.as_mut()) {
                sampler.finish();
            }
            self.decide(&name, 0)?;
        }
        self.summary.redacted = self.transforms.redacted().iter().cloned().collect();
        self.summary.unused(self.settings);
        Ok(self.summary)
    }
}
