//! The command `drill`: whether and on what, then invoke, fail the primary, invoke, restore, look, replay.
//!
//! `course` has the steps up to the restoration, `afterwards` those with the archive.

mod afterwards;
mod course;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context as _;

use self::course::Drill;
use super::attachment::Session;
use super::inspect::{at, find};
use super::{INTERRUPTED, PARTIAL, REFUSED, confirmed};
use crate::apply;
use crate::archive::{Archive, ArchiveOptions, Place};
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
    let archive = session.archive(&args, drill::archive(&resolved.0)).await?;
    let invocations = plural(args.invocations.into(), "time");
    let question = format!(
        "Invoke {} in {} {invocations}, point its primary at {}, invoke it {invocations} again, and \
         restore it?",
        function.name,
        function.place,
        aim.address()
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
    let summary = Box::pin(drill.run(&aim, change, &archive, &resolved.0)).await?;
    if let Some(path) = &args.report {
        files::put(path, drill::page(&summary)?.as_bytes(), Readers::All)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    output.result(&summary)?;
    if args.no_replay && summary.archived > 0 {
        let command = format!(
            "backstop replay --from {} --function {} --like {}",
            summary.archive, summary.function, summary.arn
        );
        output.hint("To replay the records", &command);
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

    /// The archive that was typed, or that the function writes to.
    async fn archive(
        &self,
        args: &DrillArgs,
        own: Option<(String, String)>,
    ) -> anyhow::Result<Archive> {
        let mut access = self.work.access.clone();
        let location = match (&args.archive, own) {
            (Some(Place::Path(path)), _) => return Archive::in_directory(path),
            (Some(Place::Bucket(location)), _) => location.clone(),
            (None, Some((text, region))) => {
                access.region = Some(region);
                text.parse().map_err(anyhow::Error::msg)?
            }
            (None, None) => {
                let problem = "the function's archive is a Firehose stream: give --archive \
                    s3://BUCKET/PREFIX, where the stream delivers";
                return Err(UsageError(problem.to_owned()).into());
            }
        };
        let client = access.s3().await?;
        Ok(Archive::in_bucket(
            client,
            location,
            ArchiveOptions::default(),
        ))
    }
}
