//! The command `drill`: invoke, fail the primary, invoke, restore, look, replay, report.
//!
//! Invariant: once the function may have been changed, it is restored however the rest goes; where that
//! fails, the result says which run to undo.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use backstop_archive::{Filter, Moment};
use backstop_config::ProcessEnvironment;
use tokio::time::Instant;

use super::attachment::Session;
use super::inspect::{at, find};
use super::interrupt::{self, interrupted};
use super::{INTERRUPTED, PARTIAL, REFUSED, confirmed};
use crate::archive::{After, Archive, ArchiveOptions, Place};
use crate::aws::Access;
use crate::change::{Change, Config, Vault};
use crate::cli::{DrillArgs, UsageError};
use crate::doctor::settings_of;
use crate::drill::{self, Aim, Extent, Facts, Found, Invoked, Phase, QUIET_HOURS, Summary};
use crate::files::{self, Readers};
use crate::fleet::Site;
use crate::journal::{Progress, unrestored};
use crate::output::{Bar, Output, plural};
use crate::plan::{Plan, Rollout};
use crate::replay::{self, Like, Selection, Target, TargetOptions};
use crate::select::{Environment, Function};
use crate::{apply, settings::is_secret};

/// Between two looks at the archive.
const PAUSE: Duration = Duration::from_secs(1);
/// The last report comes when Lambda ends the environment, which may take it long: nobody waits for that if
/// nothing has come in so long.
const QUIET: Duration = Duration::from_secs(10);
/// How far this machine's clock may be from Lambda's.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);

pub(super) async fn run(args: DrillArgs, output: Output) -> anyhow::Result<ExitCode> {
    let payload = payload(&args)?;
    let targets = at(args.targets.clone(), &args.function.function);
    let session = Session::open(&targets, &args.state, output).await?;
    let subject = find(&session.fleet, &args.function.function).await?;
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

struct Drill<'a> {
    session: &'a Session,
    args: &'a DrillArgs,
    site: &'a Site,
    function: &'a Function,
    payload: Vec<u8>,
}

impl Drill<'_> {
    async fn run(
        &self,
        aim: &Aim,
        change: Change,
        archive: &Archive,
        settings: &backstop_config::Settings,
    ) -> anyhow::Result<Summary> {
        let output = self.session.output;
        let function = self.function;
        let mut summary = Summary {
            place: function.place.clone(),
            function: function.name.clone(),
            arn: function.arn.clone(),
            failure: aim.to_string(),
            address: aim.address().to_owned(),
            archive: archive.shown(),
            ..Summary::default()
        };
        let (before, problem) = self.series("as it is").await;
        summary.before = Phase::of(before);
        if let Some(error) = problem {
            // Nothing was changed.
            return Err(error);
        }

        let mut vault = Vault::default();
        for (name, stored) in &change.after.variables {
            if let Some(value) = stored.as_ref().and_then(|it| it.value())
                && is_secret(name, value)
            {
                vault.add(name, value);
            }
        }
        let targets = self.session.targets.clone();
        let plan = Plan::drill(&self.session.fleet, targets, function, change);
        // From here on Ctrl-C restores.
        let kept = interrupt::kept();
        let since = SystemTime::now();
        let journal = self.session.store.create(&plan).await?;
        summary.run.clone_from(&journal.run);
        let changed = (self.session)
            .execute_plan(&plan, &vault, journal, &Progress::default(), self.options())
            .await;
        match changed {
            Ok(Some(changed)) if changed.is_complete() => {
                output.progress(&format!("The primary fails now ({aim})"));
                tokio::select! {
                    (during, problem) = self.series("failing") => {
                        summary.during = Phase::of(during);
                        summary.problems.extend(problem.map(|error| format!("{error:#}")));
                    }
                    () = interrupted() => {
                        output.progress("Interrupted: restoring the function");
                        summary.interrupted = true;
                    }
                }
            }
            Ok(Some(changed)) => {
                let left = changed.left.iter().map(|it| it.reason.clone());
                summary.problems.extend(left);
            }
            Ok(None) => summary.interrupted = true,
            Err(error) => summary.problems.push(format!("{error:#}")),
        }
        self.restore(&mut summary).await;
        let until = SystemTime::now();
        drop(kept);

        let filter = self.filter(since, until);
        let found = self.wait_for_archive(archive, &filter, &summary).await;
        let is_numbered = matches!(aim, Aim::Nowhere(_)) && drill::counts_every_record(settings);
        let is_whole = drill::counts_invocations(settings);
        match found {
            Ok(found) => summary.add(found, is_whole, is_numbered),
            Err(error) => summary.problems.push(format!("{error:#}")),
        }
        // A primary that still fails must not get the records.
        if summary.restored && !self.args.no_replay {
            output.progress("Replaying the records of the drill");
            match self.replay(archive, filter).await {
                Ok(replayed) => summary.replay = Some(replayed),
                Err(error) => summary
                    .problems
                    .push(format!("the replay failed: {error:#}")),
            }
        }
        summary.close();
        Ok(summary)
    }

    fn options(&self) -> apply::Options {
        apply::Options {
            wait: self.args.wait,
            rollout: Rollout::default(),
        }
    }

    /// One invocation after the other, until one cannot be made.
    async fn series(&self, primary: &str) -> (Vec<Invoked>, Option<anyhow::Error>) {
        let output = self.session.output;
        let count = u64::from(self.args.invocations);
        output.progress(&format!(
            "Invoking {} {}, the primary {primary}",
            self.function.name,
            plural(count, "time")
        ));
        let bar = Bar::new(output.draws(), "{bar:20} {pos}/{len}  {left}");
        bar.lengthen(count);
        let mut invoked = Vec::new();
        for _ in 0..count {
            match drill::once(self.site, self.function, &self.payload).await {
                Ok(one) => invoked.push(one),
                Err(error) => {
                    bar.clear();
                    return (invoked, Some(error));
                }
            }
            bar.advance_by(1, "");
        }
        bar.clear();
        (invoked, None)
    }

    /// Undoes the run of the drill, and looks whether the function is what it was.
    async fn restore(&self, summary: &mut Summary) {
        let restored = self.undo(&summary.run).await;
        if let Err(error) = restored {
            summary.problems.push(format!("{error:#}"));
        }
        match Function::get(self.site, &self.function.name).await {
            Ok(now) => {
                let was = self.function;
                let same = now.layers == was.layers && now.environment == was.environment;
                summary.restored = same && now.is_settled();
                if !same {
                    let problem = "the function's layers or variables are not as they were";
                    summary.problems.push(problem.to_owned());
                }
            }
            Err(failure) => summary.problems.push(failure.to_string()),
        }
    }

    async fn undo(&self, id: &str) -> anyhow::Result<()> {
        let session = self.session;
        let (run, held) = session.store.resume(id).await?;
        let undone = async {
            let (plan, vault) = session.plan_undo(id, &run).await?;
            if plan.is_idle() {
                return session.forget_unmade(&run, &plan, &held).await;
            }
            let journal = session.store.create(&plan).await?;
            session
                .execute_plan(&plan, &vault, journal, &Progress::default(), self.options())
                .await?;
            Ok(())
        };
        let undone = undone.await;
        held.close().await;
        undone
    }

    /// The records of this function, from the change to its end.
    fn filter(&self, since: SystemTime, until: SystemTime) -> Filter {
        let place = &self.function.place;
        let literal = |text: &str| text.parse().into_iter().collect();
        Filter {
            functions: literal(&self.function.name),
            accounts: literal(&place.account),
            regions: literal(&place.region),
            since: Some(moment(since - CLOCKS_DIFFER)),
            until: Some(moment(until + CLOCKS_DIFFER)),
            ..Filter::default()
        }
    }

    /// What is there once it is whole and nothing more comes, or when the time is over.
    async fn wait_for_archive(
        &self,
        archive: &Archive,
        filter: &Filter,
        summary: &Summary,
    ) -> anyhow::Result<Found> {
        let requests = summary.during.requests();
        let deadline = Instant::now() + self.args.archive_wait;
        let mut is_said = false;
        let mut last: Option<(Found, Instant)> = None;
        loop {
            let found = drill::look(archive, filter, &requests).await?;
            let now = Instant::now();
            let since = match &last {
                Some((before, since)) if *before == found => Some(now - *since),
                _ => None,
            };
            let is_over = match found.extent(&requests) {
                Extent::Reported => since.is_some(),
                Extent::Ended => since.is_some_and(|it| it >= QUIET),
                Extent::Part => false,
            };
            if is_over || now >= deadline {
                return Ok(found);
            }
            if since.is_none() {
                last = Some((found, now));
            }
            if !is_said {
                let output = self.session.output;
                output.progress(&format!("Waiting for the records in {}", archive.shown()));
                is_said = true;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// To the primary that the function has again.
    async fn replay(&self, archive: &Archive, filter: Filter) -> anyhow::Result<replay::Summary> {
        let access = Access {
            region: Some(self.function.place.region.clone()),
            ..self.session.access.clone()
        };
        let like = Like::read(&access, &self.function.arn).await?;
        let url = like.url();
        let options = TargetOptions {
            url: &url,
            format: like.format().unwrap_or("ndjson"),
            headers: like.headers(),
            ..TargetOptions::default()
        };
        let target = Target::resolve(&options, &like.over(&ProcessEnvironment))?;
        let shared = access.shared(target.timeout()).await;
        let target = Box::pin(target.with_secrets(&shared, Some(&like.name))).await?;
        let after = if archive.is_directory() {
            After::Keep
        } else {
            After::Tag
        };
        let options = replay::Options {
            after,
            include_replayed: false,
            ..replay::Options::default()
        };
        let selection = Selection {
            archive: archive.clone(),
            filter,
        };
        Box::pin(replay::replay(selection, target, options, &())).await
    }
}

fn moment(at: SystemTime) -> Moment {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
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
        let mut access = self.access.clone();
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
