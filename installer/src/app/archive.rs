//! The commands `archive ls`, `cat` and `stats`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::PARTIAL;
use crate::archive::{self, Archive, ArchiveOptions, Listed, Place, Sums, Watch};
use crate::aws::Access;
use crate::cli::{ReadCommand, SourceArgs};
use crate::options::with_options;
use crate::output::{Bar, Output, SCHEMA_VERSION, escape, grouped, plural, size};

/// What is listed before it is printed.
const PIECE: usize = 64 * 1024;

/// How to reach AWS, as it was typed.
pub(super) fn access(args: &SourceArgs) -> Access {
    Access {
        endpoint_url: args.endpoint_url.clone(),
        profile: args.profile.clone(),
        region: args.region.clone(),
    }
}

/// The archive that was typed.
pub(super) async fn open(from: Place, args: SourceArgs) -> anyhow::Result<Archive> {
    let location = match from {
        Place::Bucket(location) => location,
        Place::Path(path) => return Archive::in_directory(&path),
    };
    let access = access(&args);
    access.check().await?;
    let options = ArchiveOptions {
        expected_owner: args.expected_bucket_owner,
        requester_pays: args.request_payer.is_some(),
    };
    Ok(Archive::in_bucket(access.s3().await?, location, options))
}

pub(super) async fn run(command: ReadCommand, output: Output) -> anyhow::Result<ExitCode> {
    let what = match &command {
        ReadCommand::Ls(_) => What::Ls,
        ReadCommand::Cat(_) => What::Cat,
        ReadCommand::Stats(_) => What::Stats,
    };
    let args = command.args();
    let concurrency = usize::from(args.source.concurrency);
    let filter = args.filter.filter()?;
    let archive = open(args.from, args.source).await?;
    let shown = archive.shown();
    let is_drawn = match what {
        What::Ls => false,
        What::Cat => output.draws() && !Output::is_watched(),
        What::Stats => output.draws(),
    };
    let watch = Arc::new(Reading(Bar::new(
        is_drawn,
        "{bar:20} {bytes}/{total_bytes}  {left}",
    )));
    let sums = match what {
        What::Ls => {
            let mut lines = Lines::begin(output)?;
            let listed = archive::ls(&archive, &filter, &*watch, |object| lines.add(object)).await;
            let sums = listed?;
            lines.end(&sums)?;
            sums
        }
        What::Cat => {
            let write = |text: &[u8]| {
                let shown =
                    Output::is_watched().then(|| escape::json(&String::from_utf8_lossy(text)));
                let text = shown.as_ref().map_or(text, |shown| shown.as_bytes());
                Ok(Output::part(text)?)
            };
            archive::cat(archive.clone(), filter, concurrency, watch.clone(), write).await?
        }
        What::Stats => {
            let counted = archive::stats(archive.clone(), filter, concurrency, watch.clone()).await;
            watch.0.clear();
            let stats = counted?;
            output.result(&archive::Counted(&stats))?;
            stats.sums
        }
    };
    watch.0.clear();
    if sums.is_empty() {
        output.progress(&match archive.nearest().await {
            Some(nearest) => format!("No object is below {shown}: did you mean {nearest}?"),
            None if archive.is_directory() => format!("No object is in {shown}: check the path"),
            None => format!("No object is below {shown}: check the bucket and the prefix"),
        });
    } else if sums.is_nothing_wanted() {
        output.progress(&nothing_wanted(
            sums.partitions_skipped,
            sums.objects_filtered,
            sums.filtered,
        ));
    }
    if sums.objects > 0 && !matches!(what, What::Cat) {
        let command = format!("backstop replay --from {shown} --like FUNCTION_ARN --dry-run");
        output.hint("To see what a replay would send", &command);
    }
    Ok(if sums.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PARTIAL)
    })
}

/// What is said where something is there and the options want none of it.
pub(crate) fn nothing_wanted(folders: u64, objects: u64, records: u64) -> String {
    let parts: Vec<String> = [
        (folders, "folder"),
        (objects, "object"),
        (records, "record"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, noun)| plural(count, noun))
    .collect();
    format!(
        "Nothing is selected: the options leave out {}. Widen them; `backstop archive stats` without \
         them shows what the archive holds.",
        parts.join(", ")
    )
}

#[derive(Clone, Copy)]
enum What {
    Ls,
    Cat,
    Stats,
}

struct Reading(Bar);

impl Watch for Reading {
    fn trouble(&self, key: &str, problem: &str) {
        let problem = with_options(problem);
        self.0
            .above(|| Output::message(&format!("{}: {problem}", escape::line(key))));
    }

    fn found(&self, bytes: u64) {
        self.0.lengthen(bytes);
    }

    fn read(&self, bytes: u64) {
        self.0.advance_by(bytes, "");
    }
}

/// The lines of `ls`, as they come.
struct Lines {
    output: Output,
    text: String,
    is_first: bool,
    is_open: bool,
}

impl Lines {
    fn begin(output: Output) -> anyhow::Result<Self> {
        let mut lines = Self {
            output,
            text: String::new(),
            is_first: true,
            is_open: true,
        };
        if output.is_json() {
            write!(
                lines.text,
                "{{\"schemaVersion\":{SCHEMA_VERSION},\"objects\":["
            )?;
        } else {
            writeln!(
                lines.text,
                "{:20}  {:>9}  {:12}  key",
                "written", "bytes", "class"
            )?;
        }
        Ok(lines)
    }

    fn add(&mut self, object: &Listed) -> anyhow::Result<bool> {
        let written = object.written.map(|at| {
            let mut text = at.to_string();
            // To the second.
            if let Some(dot) = text.find('.') {
                text.replace_range(dot..text.len() - 1, "");
            }
            text
        });
        if self.output.is_json() {
            let value = json!({
                "key": object.key,
                "bytes": object.bytes,
                "written": written,
                "class": object.class,
                "toRestore": object.is_frozen,
            });
            let comma = if self.is_first { "" } else { "," };
            write!(self.text, "{comma}{}", escape::json(&value.to_string()))?;
            self.is_first = false;
        } else {
            let class = object.class.as_deref().unwrap_or("");
            let restore = if object.is_frozen {
                " (restore first)"
            } else {
                ""
            };
            let key = escape::line(&object.key);
            let written = written.unwrap_or_default();
            let bytes = grouped(object.bytes);
            let class = format!("{}{restore}", escape::line(class));
            writeln!(self.text, "{written:20}  {bytes:>9}  {class:12}  {key}")?;
        }
        if self.text.len() >= PIECE {
            self.flush()?;
        }
        Ok(self.is_open)
    }

    fn end(mut self, sums: &Sums) -> anyhow::Result<()> {
        if self.output.is_json() {
            let sums = serde_json::to_string(sums)?;
            let members = sums
                .trim_start_matches('{')
                .replacen("\"objects\"", "\"count\"", 1);
            writeln!(self.text, "],{members}")?;
        } else {
            if sums.objects == 0 {
                // Headings of nothing.
                self.text.clear();
            }
            self.output.progress(&format!(
                "{}, {}",
                plural(sums.objects, "object"),
                size(sums.stored_bytes)
            ));
        }
        self.flush()
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.is_open = self.is_open && Output::part(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }
}
