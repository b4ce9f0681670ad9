//! What was said to what is usable, with all errors at once.
//!
//! The rules of a mistake: a tuning variable falls back to its default; what would send records to
//! the wrong place or in the wrong form (the address, format, headers or token of the primary)
//! switches the primary off, so that records go to the fallbacks and can be replayed; a fallback
//! that is not valid is left out. Each error says which of these happened.
//!
//! Invariants: every mistake is reported once; the settings hold whatever is valid.
//!
//! Must not: read the environment other than through [`Strings`], or print.

mod environment;
mod network;
mod sinks;

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{ConfigError, Invalid};
use crate::parse;
use crate::raw::{Raw, Strings};
use crate::register::{
    BUFFER_MAX_BYTES, FLUSH_INTERVAL_MS, FLUSH_STRATEGY, LOG_LEVEL, MAX_ADDED_MS, PRIMARY_URL,
    SPOOL_MAX_BYTES, TAGS, TELEMETRY_TYPES,
};
use crate::settings::{
    CaFile, FlushSettings, FlushStrategy, LogLevel, Settings, SpoolSettings, TelemetryType,
};
use crate::tags;
use crate::variable::{Initial, Variable};

const MIB: u64 = 1024 * 1024;

impl Settings {
    /// Resolves everything; the settings hold whatever is valid, the errors say what is not.
    pub fn resolve(strings: &impl Strings) -> (Self, Vec<ConfigError>) {
        let mut errors = Vec::new();
        let raw = Raw::read(strings, &mut errors);
        let mut resolver = Resolver { raw, errors };

        let primary = resolver.primary();
        let here = resolver.region();
        let aws = resolver.aws(here.as_deref());
        let fallbacks = resolver.fallbacks(&aws, here.as_deref());
        let function = resolver.function();
        let settings = Self {
            telemetry_types: resolver.telemetry_types(),
            flush: resolver.flush(),
            buffer_max_bytes: resolver.buffer_max_bytes(function.memory_mb),
            spool: resolver.spool(),
            tags: resolver.tags(),
            log_level: resolver.or_default(&LOG_LEVEL, LogLevel::Warn, |text| {
                parse::choice(&LOG_LEVEL, text, LogLevel::ALL, LogLevel::as_str)
            }),
            ca_files: resolver.ca_files(),
            proxies: resolver.proxies(),
            primary,
            fallbacks,
            aws,
            function,
        };
        resolver.errors.extend(settings.has_no_sink());
        (settings, resolver.errors)
    }

    /// The error of settings that deliver nothing.
    fn has_no_sink(&self) -> Option<ConfigError> {
        (self.primary.is_none() && self.fallbacks.is_empty()).then(|| {
            ConfigError::new(
                PRIMARY_URL.name,
                "gives no valid primary, and there is no valid fallback: nothing can be delivered; \
                 set it, or set BACKSTOP_FIREHOSE_STREAM or BACKSTOP_S3_BUCKET",
            )
        })
    }
}

/// A variable is set to something that is not valid; the error is already in the list.
struct Reported;

struct Resolver {
    raw: Raw,
    errors: Vec<ConfigError>,
}

impl Resolver {
    fn telemetry_types(&mut self) -> Vec<TelemetryType> {
        self.or_default(&TELEMETRY_TYPES, TelemetryType::ALL.to_vec(), |text| {
            parse::list(
                &TELEMETRY_TYPES,
                text,
                TelemetryType::ALL,
                TelemetryType::as_str,
            )
        })
    }

    fn flush(&mut self) -> FlushSettings {
        FlushSettings {
            strategy: self.or_default(&FLUSH_STRATEGY, FlushStrategy::Auto, |text| {
                parse::choice(
                    &FLUSH_STRATEGY,
                    text,
                    FlushStrategy::ALL,
                    FlushStrategy::as_str,
                )
            }),
            interval: self.milliseconds(&FLUSH_INTERVAL_MS, 1_000),
            max_added: self.milliseconds(&MAX_ADDED_MS, 500),
        }
    }

    fn buffer_max_bytes(&mut self, memory_mb: u32) -> usize {
        let default = (u64::from(memory_mb) * MIB / 10).clamp(4 * MIB, 32 * MIB);
        let bytes = self.or_default(&BUFFER_MAX_BYTES, default, |text| {
            parse::integer(&BUFFER_MAX_BYTES, text)
        });
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    fn spool(&mut self) -> SpoolSettings {
        let max_bytes = self.or_default(&SPOOL_MAX_BYTES, 64 * MIB, |text| {
            parse::integer(&SPOOL_MAX_BYTES, text)
        });
        let temporary = self.text("TMPDIR").unwrap_or_else(|| "/tmp".to_owned());
        SpoolSettings {
            directory: PathBuf::from(temporary).join("backstop"),
            max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX),
        }
    }

    fn ca_files(&self) -> Vec<CaFile> {
        let file = |variable| {
            let path = self.text(variable)?;
            Some(CaFile { variable, path })
        };
        ["SSL_CERT_FILE", "AWS_CA_BUNDLE"]
            .into_iter()
            .filter_map(file)
            .collect()
    }

    /// Every valid tag; one that is not valid costs its neighbours nothing.
    fn tags(&mut self) -> Vec<(String, String)> {
        let Some(text) = self.raw.get(TAGS.name) else {
            return Vec::new();
        };
        let (tags, problems) = tags::tags(text);
        let errors = problems.into_iter();
        let errors = errors.map(|Invalid(problem)| ConfigError::new(TAGS.name, problem));
        self.errors.extend(errors);
        tags
    }

    fn text(&self, name: &str) -> Option<String> {
        self.raw.get(name).map(str::to_owned)
    }

    fn milliseconds(&mut self, variable: &Variable, default: u64) -> Duration {
        Duration::from_millis(
            self.or_default(variable, default, |text| parse::integer(variable, text)),
        )
    }

    /// What the primary cannot do without: a mistake in it switches the primary off.
    fn needed<T>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Reported> {
        self.said(variable, "the primary is off", parse)
    }

    /// What has a default: a mistake in it leaves the default in force.
    fn or_default<T>(
        &mut self,
        variable: &Variable,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> T {
        let consequence = match variable.default {
            Initial::Value(text) => format!("the default {text} is used"),
            Initial::Computed(_) | Initial::Unset => "the default is used".to_owned(),
        };
        match self.said(variable, &consequence, parse) {
            Ok(Some(value)) => value,
            Ok(None) | Err(Reported) => default,
        }
    }

    fn said<T>(
        &mut self,
        variable: &Variable,
        consequence: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Reported> {
        let Some(text) = self.raw.get(variable.name) else {
            return Ok(None);
        };
        parse(text).map(Some).map_err(|Invalid(problem)| {
            self.errors.push(ConfigError::new(
                variable.name,
                format!("{problem}; {consequence}"),
            ));
            Reported
        })
    }
}
