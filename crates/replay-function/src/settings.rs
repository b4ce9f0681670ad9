//! What the function is set to do: the extension's variables for the primary and the archive, and its own.
//!
//! Its own variables are one table, which docs/replay.md shows. Invariants: all mistakes are reported at
//! once, under the names of the variables; no error shows the value of a secret.

use std::fmt::Write as _;

use anyhow::bail;
use backstop_config::{AwsSettings, Fallback, S3Archive, Settings as Extension, Strings};
use backstop_replay::archive::After;
use backstop_replay::queue::Limits;
use backstop_replay::{Rate, Target};

/// The longest pause after failures, in seconds.
pub(crate) const LONGEST_RETRY: u32 = 3600;

/// A variable of the function's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    /// What holds where it is not set.
    pub(crate) default: &'static str,
    /// What it means.
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/replay.md shows it"))]
    pub(crate) meaning: &'static str,
}

const QUEUE: &str = "BACKSTOP_REPLAY_QUEUE_URL";
const DEAD_LETTERS: &str = "BACKSTOP_REPLAY_DEAD_LETTER_QUEUE_URL";
const STATE: &str = "BACKSTOP_REPLAY_STATE_PREFIX";
const AFTER: &str = "BACKSTOP_REPLAY_AFTER";
const CONCURRENCY: &str = "BACKSTOP_REPLAY_CONCURRENCY";
const RECORDS: &str = "BACKSTOP_REPLAY_BATCH_RECORDS";
const RATE: &str = "BACKSTOP_REPLAY_RATE";
const OBJECTS: &str = "BACKSTOP_REPLAY_MAX_OBJECTS";
const BYTES: &str = "BACKSTOP_REPLAY_MAX_BYTES";
const SETTLE: &str = "BACKSTOP_REPLAY_SETTLE_SECONDS";
const HALTED: &str = "BACKSTOP_REPLAY_HALTED_SECONDS";
const RETRY: &str = "BACKSTOP_REPLAY_RETRY_SECONDS";

/// All of them.
pub(crate) const VARIABLES: [Variable; 12] = [
    Variable {
        name: QUEUE,
        default: "",
        meaning: "Queue of the objects to replay. The probe needs it",
    },
    Variable {
        name: DEAD_LETTERS,
        default: "",
        meaning: "Queue for objects that no further attempt can replay, each with its reason. Without it, SQS \
                  moves such messages there without one",
    },
    Variable {
        name: STATE,
        default: "replay",
        meaning: "Folder in the archive's prefix, beside `v1/`, for the marker, the lease and the checkpoints",
    },
    Variable {
        name: AFTER,
        default: "tag",
        meaning: "What to do with an object once all of its records are at the primary: `tag`, `move`, \
                  `delete` or `keep`",
    },
    Variable {
        name: CONCURRENCY,
        default: "4",
        meaning: "Objects that one invocation replays side by side, 1 to 64",
    },
    Variable {
        name: RECORDS,
        default: "1000",
        meaning: "Most records in one request, 1 to 100000",
    },
    Variable {
        name: RATE,
        default: "",
        meaning: "Most that one execution environment sends in a second: records as `5000`, or bytes as `2MB`",
    },
    Variable {
        name: OBJECTS,
        default: "100000",
        meaning: "Most objects that one probe puts into the queue, 1 to 250000",
    },
    Variable {
        name: BYTES,
        default: "107374182400",
        meaning: "Most stored bytes that one probe puts into the queue",
    },
    Variable {
        name: SETTLE,
        default: "60",
        meaning: "How long an object must have been in the archive before the probe takes it, in seconds, \
                  0 to 43200",
    },
    Variable {
        name: HALTED,
        default: "900",
        meaning: "How long a message waits that was received while the replay is halted, in seconds, 0 to 39600",
    },
    Variable {
        name: RETRY,
        default: "30",
        meaning: "How long a message waits after its first failure, in seconds, 0 to 3600. Each further failure \
                  doubles it, up to an hour",
    },
];

/// What the function is set to do.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where the archive is.
    pub(crate) archive: S3Archive,
    /// How AWS is reached.
    pub(crate) aws: AwsSettings,
    /// The queue of objects.
    pub(crate) queue_url: Option<String>,
    /// The queue of what cannot be replayed.
    pub(crate) dead_letter_url: Option<String>,
    /// The folder of the state, with the archive's prefix and no slash at its end.
    pub(crate) state_prefix: String,
    /// What is done with an object that is at the primary.
    pub(crate) after: After,
    /// Objects side by side.
    pub(crate) concurrency: usize,
    /// The most records in one request.
    pub(crate) batch_records: usize,
    pub(crate) rates: Vec<Rate>,
    /// The cap of a run.
    pub(crate) limits: Limits,
    /// Seconds before an object is taken.
    pub(crate) settle: u32,
    /// Seconds that a message waits while the replay is halted.
    pub(crate) halted: u32,
    /// Seconds that a message waits after a failure.
    pub(crate) retry: u32,
    /// The function's name.
    pub(crate) function: String,
}

impl Settings {
    pub(crate) fn of(environment: &impl Strings) -> anyhow::Result<Self> {
        let (extension, _) = Extension::resolve(environment);
        let mut reader = Reader {
            environment,
            problems: String::new(),
        };
        if let Err(error) = Target::of_environment(environment) {
            reader.problem(&error.to_string());
        }
        let archive = extension.fallbacks.into_iter().find_map(|it| match it {
            Fallback::S3(archive) => Some(archive),
            Fallback::Firehose { .. } => None,
        });
        if archive.is_none() {
            reader.problem("BACKSTOP_S3_BUCKET is not a bucket: set it to the archive's");
        }
        let state = reader.text(STATE);
        let state = state.trim_matches('/');
        if state.is_empty() || state == "v1" || state.starts_with("v1/") {
            reader.problem(&format!(
                "{STATE} is empty or in the archive itself: name another folder"
            ));
        }
        let rate = reader.text(RATE);
        let rates = match (rate.as_str(), rate.parse()) {
            ("", _) => Vec::new(),
            (_, Ok(rate)) => vec![rate],
            (_, Err(problem)) => {
                reader.problem(&format!("{RATE} is not a rate: {problem}"));
                Vec::new()
            }
        };
        let after = reader.text(AFTER).parse().unwrap_or_else(|problem| {
            reader.problem(&format!("{AFTER} {problem}"));
            After::Keep
        });
        let [queue_url, dead_letter_url] = [QUEUE, DEAD_LETTERS].map(|name| reader.url(name));
        let concurrency = reader.number(CONCURRENCY, 1, 64);
        let batch_records = reader.number(RECORDS, 1, 100_000);
        let limits = Limits {
            // They are held until the primary has answered: half a KB each.
            objects: reader.number(OBJECTS, 1, 250_000),
            bytes: reader.number(BYTES, 1, u64::MAX),
        };
        // SQS lets no message wait for longer than twelve hours, counted from when it was received.
        let most = [
            (SETTLE, 43_200),
            (HALTED, 39_600),
            (RETRY, u64::from(LONGEST_RETRY)),
        ];
        let seconds = most.map(|(name, most)| reader.number(name, 0, most));
        let problems = reader.problems;
        let Some(archive) = archive.filter(|_| problems.is_empty()) else {
            bail!("the function cannot run:{problems}");
        };
        let prefix = archive.prefix.trim_matches('/');
        let state = format!("{prefix}/{state}");
        let [settle, halted, retry] =
            seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
        Ok(Self {
            state_prefix: state.trim_start_matches('/').to_owned(),
            archive,
            aws: extension.aws,
            queue_url,
            dead_letter_url,
            after,
            concurrency: usize::try_from(concurrency).unwrap_or(1),
            batch_records: usize::try_from(batch_records).unwrap_or(1),
            rates,
            limits,
            settle,
            halted,
            retry,
            function: extension.function.name,
        })
    }
}

struct Reader<'a, E> {
    environment: &'a E,
    problems: String,
}

impl<E: Strings> Reader<'_, E> {
    fn text(&self, name: &'static str) -> String {
        let set = self
            .environment
            .get(name)
            .map(|text| text.trim().to_owned());
        let default = || {
            let known = VARIABLES.iter().find(|it| it.name == name);
            known.map_or_else(String::new, |it| it.default.to_owned())
        };
        set.filter(|text| !text.is_empty()).unwrap_or_else(default)
    }

    /// The address of a queue, which goes to no log.
    fn url(&mut self, name: &'static str) -> Option<String> {
        let text = self.text(name);
        let is_url = ["https://", "http://"]
            .iter()
            .any(|it| text.starts_with(it));
        if !text.is_empty() && (!is_url || text.contains('@')) {
            self.problem(&format!(
                "{name} is not the URL of a queue: write it as \
                 https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
            ));
        }
        Some(text).filter(|text| !text.is_empty())
    }

    fn number(&mut self, name: &'static str, least: u64, most: u64) -> u64 {
        match self.text(name).parse() {
            Ok(number) if (least..=most).contains(&number) => number,
            _ => {
                self.problem(&format!("{name} is not a number from {least} to {most}"));
                least
            }
        }
    }

    fn problem(&mut self, text: &str) {
        // Writing to a String cannot fail.
        write!(self.problems, "\n  {text}").unwrap_or_default();
    }
}

/// The table of docs/replay.md.
#[cfg(test)]
pub(crate) fn table() -> String {
    let mut text = "| variable | default | meaning |\n|---|---|---|\n".to_owned();
    for Variable {
        name,
        default,
        meaning,
    } in VARIABLES
    {
        let default = if default.is_empty() {
            String::new()
        } else {
            format!("`{default}`")
        };
        writeln!(text, "| `{name}` | {default} | {meaning} |").unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn settings(variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let usual = [
            ("AWS_REGION", "eu-west-1"),
            ("BACKSTOP_S3_BUCKET", "archive"),
            ("BACKSTOP_PRIMARY_URL", "https://intake.example.com/"),
        ];
        let all: BTreeMap<String, String> = (usual.iter().chain(variables))
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Settings::of(&all)
    }

    #[test]
    fn what_is_not_set_has_the_default_of_the_table() {
        let settings = settings(&[]).expect("they are valid");
        assert_eq!(settings.state_prefix, "backstop/replay");
        assert_eq!(settings.after, After::Tag);
        assert_eq!((settings.concurrency, settings.batch_records), (4, 1000));
        assert_eq!(settings.limits.objects, 100_000);
        assert_eq!(
            (settings.settle, settings.halted, settings.retry),
            (60, 900, 30)
        );
        assert!(settings.queue_url.is_none() && settings.rates.is_empty());
    }

    #[test]
    fn all_mistakes_are_reported_at_once_by_their_variables_and_show_no_secret() {
        let error = settings(&[
            ("BACKSTOP_REPLAY_AFTER", "burn"),
            ("BACKSTOP_REPLAY_CONCURRENCY", "0"),
            ("BACKSTOP_REPLAY_RATE", "fast"),
            ("BACKSTOP_REPLAY_STATE_PREFIX", "v1/x"),
            ("BACKSTOP_REPLAY_MAX_OBJECTS", "250001"),
            ("BACKSTOP_REPLAY_RETRY_SECONDS", "3601"),
            ("BACKSTOP_REPLAY_HALTED_SECONDS", "39601"),
            ("BACKSTOP_REPLAY_QUEUE_URL", "https://u:hunter2@host/1/q"),
            ("BACKSTOP_REPLAY_DEAD_LETTER_QUEUE_URL", "hunter2"),
            ("BACKSTOP_S3_BUCKET", "no/bucket"),
            ("BACKSTOP_PRIMARY_URL", "http://host/hunter2"),
            ("BACKSTOP_PRIMARY_TOKEN", "hunter2 hunter2"),
        ]);
        let error = error.expect_err("they are wrong").to_string();
        for name in [
            "REPLAY_AFTER",
            "REPLAY_CONCURRENCY",
            "REPLAY_RATE",
            "REPLAY_STATE_PREFIX",
            "REPLAY_MAX_OBJECTS",
            "REPLAY_RETRY_SECONDS",
            "REPLAY_HALTED_SECONDS",
            "REPLAY_QUEUE_URL",
            "REPLAY_DEAD_LETTER_QUEUE_URL",
            "S3_BUCKET",
            "PRIMARY_URL",
            "PRIMARY_TOKEN",
        ] {
            assert!(
                error.contains(&format!("BACKSTOP_{name} ")),
                "{name}: {error}"
            );
        }
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_page_shows_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/replay.md");
        let page = std::fs::read_to_string(path).expect("the page is there");
        if page.contains(&table()) {
            return;
        }
        let (from, to) = (
            "<!-- from the code: the function's variables -->\n",
            "<!-- to here -->\n",
        );
        let (head, rest) = page.split_once(from).expect("the page has the mark");
        let (_, tail) = rest.split_once(to).expect("the page has the mark");
        let is_blessed = std::env::var_os("BACKSTOP_BLESS").is_some_and(|value| value == "1");
        assert!(is_blessed, "docs/replay.md does not show:\n{}", table());
        std::fs::write(path, format!("{head}{from}\n{}\n{to}{tail}", table()))
            .expect("it is written");
    }
}
