//! The command `drill`: whether and on what, then invoke, fail the primary, invoke, restore, look, replay.
//!
//! `course` has the steps up to the restoration, `afterwards` those with the archive.

mod afterwards;
mod course;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context as _;
use backstop_config::Settings;

use self::course::Drill;
use super::attachment::Session;
use super::inspect::{at, find};
use super::{INTERRUPTED, PARTIAL, REFUSED, confirmed};
use crate::apply;
use crate::archive::{Archive, ArchiveOptions, Location, Place};
use crate::change::{Change, Config};
use crate::cli::{DrillArgs, UsageError};
use crate::doctor::settings_of;
use crate::drill::{self, Aim, Facts, QUIET_HOURS};
use crate::files::{self, Readers};
use crate::journal::unrestored;
use crate::output::{Output, plural};
use crate::select::{Environment, Function};

pub(super) async fn run(args: DrillArgs, output: Output) -> anyhow::Result<ExitCode> {
    let payload = payload(&args)?;
    let targets = at(args.targets.clone(), &args.function.function);
    let session = Session::open(&targets, &args.state, output).await?;
    let subject = find(&session.work.fleet, &args.function.function).await?;
    let (site, function) = (subject.site(), subject.function());
    let aim = match &args.primary_url {
        Some(url) => Aim::Own(url.clone()),
        None => Aim::Nowhere(args.failure),
    };
    let live = match &function.environment {
        Environment::Readable(variables) => variables,
        Environment::Unreadable(reason) => {
            anyhow::bail!("the function's environment cannot be read: {reason}")
        }
    };
    let resolved = settings_of(function, live);
    let wanted = Config {
        layers: function.layers.clone(),
        variables: aim.on(live),
    };
    let invocations = apply::invocations(site, &function.name, QUIET_HOURS).await;
    let unrestored = session.unrestored(&function.arn).await?;
    let reasons = drill::refusals(&Facts {
        function,
        qualifier: args.function.qualifier.as_deref(),
        settings: &resolved,
        aimed: &settings_of(function, &wanted.variables),
        invocations: invocations.map_err(|failure| failure.brief()),
        allows_live: args.live,
        unrestored: unrestored.as_deref(),
    });
    if !reasons.is_empty() {
        let name = &function.name;
        let reasons = reasons.join("\n");
        Output::error(&anyhow::anyhow!("no drill of {name}:\n{reasons}"));
        return Ok(ExitCode::from(REFUSED));
    }
    let archives = session.archives(&args, &resolved.0).await?;
    let invocations = plural(args.invocations.into(), "time");
    let question = format!(
        "Invoke {} in {} {invocations}, point its primary at {}, invoke it {invocations} again, and \
         restore it?",
        function.name,
        function.place,
        aim.shown()
    );
    if !args.yes && !confirmed(&question)? {
        output.progress("Nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    let drill = Drill {
        session: &session,
        args: &args,
        site,
        function,
        payload,
    };
    let change = Change::between(&config(function, live), &wanted, None, |_, _| false);
    let known = drill::known(&resolved.0, &aim);
    let summary = Box::pin(drill.run(&aim, change, &archives, known)).await?;
    if let Some(path) = &args.report {
        files::put(path, drill::page(&summary)?.as_bytes(), Readers::All)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    output.result(&summary)?;
    if args.no_replay && summary.archived > 0 {
        for from in std::iter::once(&summary.archive).chain(&summary.stream_archive) {
            let command = format!(
                "backstop replay --from {from} --function {} --like {}",
                summary.function, summary.arn
            );
            output.hint("To replay the records", &command);
        }
    }
    let is_missing = !summary
        .missing_invocations
        .as_ref()
        .is_none_or(Vec::is_empty);
    if is_missing && args.archive.is_none() && drill::has_stream(&resolved.0) {
        output.progress(
            "The function archives by a Firehose stream, too: if that delivers elsewhere, give \
             --archive s3://BUCKET/PREFIX, and the drill reads both",
        );
    }
    if args.report.is_none() {
        output.hint("To get it as a page", "add --report drill.html");
    }
    Ok(if summary.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if summary.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PARTIAL)
    })
}

/// The event that each invocation gets.
fn payload(args: &DrillArgs) -> anyhow::Result<Vec<u8>> {
    let Some(path) = &args.payload else {
        return Ok(b"{}".to_vec());
    };
    let payload =
        std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_err() {
        let problem = format!("{} is not JSON: an event is", path.display());
        return Err(UsageError(problem).into());
    }
    Ok(payload)
}

fn config(function: &Function, variables: &BTreeMap<String, String>) -> Config {
    Config {
        layers: function.layers.clone(),
        variables: variables.clone(),
    }
}

impl Session {
    /// The run of an earlier drill that left this function changed.
    async fn unrestored(&self, arn: &str) -> anyhow::Result<Option<String>> {
        let runs = self.runs().await?;
        let Some(run) = unrestored(&runs, arn) else {
            return Ok(None);
        };
        let id = &run.header.run;
        let (plan, _) = self.plan_undo(id, run).await?;
        Ok((!plan.is_idle()).then(|| id.clone()))
    }

    /// The archive that was typed, or that the function writes to; both where a stream delivers to the one
    /// and the function writes to the other.
    async fn archives(
        &self,
        args: &DrillArgs,
        settings: &Settings,
    ) -> anyhow::Result<Vec<Archive>> {
        let own = match drill::archive(settings) {
            Some((text, region)) => {
                let location: Location = text.parse().map_err(anyhow::Error::msg)?;
                Some((location, region))
            }
            None => None,
        };
        let typed = match &args.archive {
            Some(Place::Path(path)) => Some(Archive::in_directory(path)?),
            Some(Place::Bucket(location)) => Some(self.bucket(location.clone(), None).await?),
            None => None,
        };
        let is_same =
            |own: &Location| matches!(&args.archive, Some(Place::Bucket(it)) if it == own);
        match (typed, own) {
            (Some(typed), Some((own, region))) if drill::has_stream(settings) && !is_same(&own) => {
                Ok(vec![self.bucket(own, Some(region)).await?, typed])
            }
            (Some(typed), _) => Ok(vec![typed]),
            (None, Some((own, region))) => Ok(vec![self.bucket(own, Some(region)).await?]),
            (None, None) => {
                let problem = "the function's archive is a Firehose stream: give --archive \
                    s3://BUCKET/PREFIX, where the stream delivers";
                Err(UsageError(problem.to_owned()).into())
            }
        }
    }

    async fn bucket(&self, location: Location, region: Option<String>) -> anyhow::Result<Archive> {
        let mut access = self.work.access.clone();
        access.region = region.or(access.region);
        let client = access.s3().await?;
        Ok(Archive::in_bucket(
            client,
            location,
            ArchiveOptions::default(),
        ))
    }
}
