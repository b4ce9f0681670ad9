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
mod references;
mod sinks;
mod transforms;

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{ConfigError, ErrorKind, Invalid};
use crate::parse;
use crate::raw::{Raw, Strings};
use crate::redaction;
use crate::register::{
    BUFFER_MAX_BYTES, FLUSH_INTERVAL_MS, FLUSH_STRATEGY, LOG_LEVEL, MAX_ADDED_MS, METRICS,
    OTLP_RECEIVER, PRIMARY_URL, SPOOL_MAX_BYTES, TAGS, TELEMETRY_TYPES,
};
use crate::settings::{
    CaFile, FlushSettings, FlushStrategy, LogLevel, MetricsTarget, Primary, Settings,
    SpoolSettings, TelemetryType,
};
use crate::tags;
use crate::variable::Variable;

const MIB: u64 = 1024 * 1024;

impl Settings {
    /// Resolves everything; the settings hold whatever is valid, the errors say what is not.
    pub fn resolve(strings: &impl Strings) -> (Self, Vec<ConfigError>) {
        let mut errors = Vec::new();
        let raw = Raw::read(strings, &mut errors);
        let mut resolver = Resolver { raw, errors };

        let here = resolver.region();
        let aws = resolver.aws(here.as_deref());
        let primary = resolver.primary(&aws, here.as_deref());
        let fallbacks = resolver.fallbacks(&aws, here.as_deref());
        let function = resolver.function();
        let routing = resolver.routing(!fallbacks.is_empty());
        let parameter = resolver.parameter(here.as_deref());
        let settings = Self {
            telemetry_types: resolver.telemetry_types(),
            otlp_receiver: resolver
                .or_default(&OTLP_RECEIVER, |text| parse::boolean(&OTLP_RECEIVER, text)),
            transforms: resolver.transforms(&function.initialization_type),
            flush: resolver.flush(),
            buffer_max_bytes: resolver.buffer_max_bytes(function.memory_mb),
            spool: resolver.spool(),
            tags: resolver.tags(),
            log_level: resolver.or_default(&LOG_LEVEL, |text| {
                parse::choice(&LOG_LEVEL, text, LogLevel::ALL, LogLevel::as_str)
            }),
            metrics: resolver.metrics(primary.as_ref()),
            ca_files: resolver.ca_files(),
            proxies: resolver.proxies(),
            primary,
            fallbacks,
            routing,
            parameter,
            aws,
            function,
        };
        resolver.errors.extend(settings.has_no_sink());
        // For the effects.
        redaction::is_unknown(strings, &mut resolver.errors);
        (settings, resolver.errors)
    }

    /// The error of settings that deliver nothing.
    fn has_no_sink(&self) -> Option<ConfigError> {
        (self.primary.is_none() && self.fallbacks.is_empty()).then(|| {
            ConfigError::new(
                PRIMARY_URL.name,
                ErrorKind::NoSink,
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
        self.or_default(&TELEMETRY_TYPES, |text| {
            parse::list(
                &TELEMETRY_TYPES,
                text,
                TelemetryType::ALL,
                TelemetryType::as_str,
            )
        })
    }

    /// Where our own counts go: to the primary only if it gets metrics.
    fn metrics(&mut self, primary: Option<&Primary>) -> MetricsTarget {
        let target = self.or_default(&METRICS, |text| {
            parse::choice(&METRICS, text, MetricsTarget::ALL, MetricsTarget::as_str)
        });
        if !target.has_otlp() || primary.is_some_and(|it| it.signals.metrics) {
            return target;
        }
        let problem = "sends counts to the primary, which gets no metrics: add metrics to \
                       BACKSTOP_SIGNALS, set BACKSTOP_OTLP_URL, or set it to emf or off";
        let error = ConfigError::new(METRICS.name, ErrorKind::Conflict, problem);
        self.errors
            .push(error.with_effect("the counts are not sent to the primary"));
        if target.has_emf() {
            MetricsTarget::Emf
        } else {
            MetricsTarget::Off
        }
    }

    fn flush(&mut self) -> FlushSettings {
        FlushSettings {
            strategy: self.or_default(&FLUSH_STRATEGY, |text| {
                parse::choice(
                    &FLUSH_STRATEGY,
                    text,
                    FlushStrategy::ALL,
                    FlushStrategy::as_str,
                )
            }),
            interval: self.milliseconds(&FLUSH_INTERVAL_MS),
            max_added: self.milliseconds(&MAX_ADDED_MS),
        }
    }

    fn buffer_max_bytes(&mut self, memory_mb: u32) -> usize {
        let bytes = self.said(&BUFFER_MAX_BYTES, "the default is used", |text| {
            parse::integer(&BUFFER_MAX_BYTES, text)
        });
        let default = (u64::from(memory_mb) * MIB / 10).clamp(4 * MIB, 32 * MIB);
        let bytes = bytes.ok().flatten().unwrap_or(default);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    fn spool(&mut self) -> SpoolSettings {
        let max_bytes = self.or_default(&SPOOL_MAX_BYTES, |text| {
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
        let errors = problems
            .into_iter()
            .map(|(problem, effect)| ConfigError::invalid(TAGS.name, problem).with_effect(effect));
        self.errors.extend(errors);
        tags
    }

    fn text(&self, name: &str) -> Option<String> {
        self.raw.get(name).map(str::to_owned)
    }

    fn milliseconds(&mut self, variable: &Variable) -> Duration {
        Duration::from_millis(self.or_default(variable, |text| parse::integer(variable, text)))
    }

    /// What the primary cannot do without: a mistake in it switches the primary off.
    fn needed<T>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Reported> {
        self.said(variable, "the primary is off", parse)
    }

    /// What the register has a default for: a mistake in it leaves the default in force.
    fn or_default<T>(
        &mut self,
        variable: &Variable,
        parse: impl Fn(&str) -> Result<T, Invalid>,
    ) -> T {
        let effect = format!("the default {} is used", variable.default_text());
        match self.said(variable, &effect, &parse) {
            Ok(Some(value)) => value,
            Ok(None) | Err(Reported) => default(variable, parse),
        }
    }

    fn said<T>(
        &mut self,
        variable: &Variable,
        effect: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Reported> {
        let Some(text) = self.raw.get(variable.name) else {
            return Ok(None);
        };
        parse(text).map(Some).map_err(|problem| {
            let error = ConfigError::invalid(variable.name, problem);
            self.errors.push(error.with_effect(effect));
            Reported
        })
    }
}

/// The register's default, read as if the user had set it.
fn default<T>(variable: &Variable, parse: impl Fn(&str) -> Result<T, Invalid>) -> T {
    match parse(variable.default_text()) {
        Ok(value) => value,
        // The text is a constant, and an empty environment reads every one: no test would pass.
        Err(_) => unreachable!("the register's default is valid"),
    }
}
