//! The commands `status` and `doctor`, which change nothing.

use std::process::ExitCode;

use anyhow::bail;
use futures_util::future::join_all;

use super::PARTIAL;
use super::attachment::{CHANGES, Session};
use super::reporter::Reporter;
use crate::cli::{DoctorArgs, StatusArgs, TargetArgs, UsageError};
use crate::doctor::{self, State, Subject};
use crate::fleet::Fleet;
use crate::output::Output;
use crate::plan::Observer as _;
use crate::select::{Literal, Selection, SelectionCheck};
use crate::status;

pub(super) async fn run_status(args: StatusArgs, output: Output) -> anyhow::Result<ExitCode> {
    let session = Session::open(&args.targets, &args.state, output).await?;
    let selection = args.select.selection_or_all(&session.project);
    let history = session.work.store.history().await?;
    Reporter::new(output).reading(&session.work.fleet);
    let status = status::look(&session.work.fleet, &selection, &history.changes).await;
    let code = if !status.is_whole() {
        ExitCode::from(PARTIAL)
    } else if args.detailed_exitcode && !status.is_as_wanted() {
        ExitCode::from(CHANGES)
    } else {
        ExitCode::SUCCESS
    };
    output.result(&status::View {
        status: if args.drift_only {
            status.drifted()
        } else {
            status
        },
        is_drift_only: args.drift_only,
        is_full: args.full,
        state: session.work.store.shown(),
    })?;
    let next = "backstop doctor FUNCTION";
    output.hint("To check whether one function's records arrive", next);
    Ok(code)
}

pub(super) async fn run_doctor(args: DoctorArgs, output: Output) -> anyhow::Result<ExitCode> {
    let Some(named) = args.function.literal() else {
        let problem =
            "doctor checks one function: give its name or ARN; `backstop status` covers many"
                .to_owned();
        return Err(UsageError(problem).into());
    };
    let targets = at(args.targets, &named);
    let session = Session::open(&targets, &args.state, output).await?;
    let subject = find(&session.work.fleet, &named).await?;
    let history = session.work.store.history().await?;
    output.progress(&format!("Checking {}", subject.arn()));
    let change = history.changes.get(subject.arn());
    let diagnosis = Box::pin(doctor::examine(
        &subject,
        change,
        session.work.store.shown(),
        args.send,
    ))
    .await;
    output.result(&diagnosis)?;
    if diagnosis.state != State::Problem {
        let command = format!("backstop drill {}", diagnosis.name);
        output.hint("To see its fallback at work", &command);
    }
    Ok(if diagnosis.state == State::Problem {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// An ARN says itself where the function is.
pub(super) fn at(targets: TargetArgs, named: &Literal) -> TargetArgs {
    let Some((account, region)) = &named.place else {
        return targets;
    };
    TargetArgs {
        accounts: vec![account.clone()],
        regions: vec![region.clone()],
        accounts_file: None,
        organization: false,
        include_ou: Vec::new(),
        exclude_ou: Vec::new(),
        ..targets
    }
}

/// The one function of that name.
pub(super) async fn find(fleet: &Fleet, named: &Literal) -> anyhow::Result<Subject> {
    let skipped = fleet.skipped.iter().filter(|skipped| skipped.is_failure);
    let mut failures: Vec<String> = skipped.map(|it| it.reason.clone()).collect();
    let mut found = Vec::new();
    // All at the same time: each has a quota of its own.
    let asked = fleet
        .sites
        .values()
        .map(|site| Subject::find(site, &named.name));
    for answer in join_all(asked).await {
        match answer {
            Ok(subject) => found.extend(subject),
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    if found.len() > 1 {
        let arns: Vec<&str> = found.iter().map(Subject::arn).collect();
        let problem = format!(
            "several functions have this name; give the ARN of one:\n{}",
            arns.join("\n")
        );
        return Err(UsageError(problem).into());
    }
    match found.pop() {
        Some(subject) => Ok(subject),
        None if failures.is_empty() => {
            let places: Vec<String> = fleet.sites.keys().map(ToString::to_string).collect();
            let selection = Selection {
                functions: named.text.parse().into_iter().collect(),
                ..Selection::default()
            };
            let message = SelectionCheck::new(&selection).missing(fleet).await;
            let meant = message.first().and_then(|it| it.split_once("; "));
            let meant = meant.map_or_else(String::new, |(_, meant)| format!("; {meant}"));
            let (name, places) = (&named.text, places.join(", "));
            bail!(
                "there is no function {name} in {places}{meant}\ncheck the name, --regions and \
                 --accounts"
            )
        }
        None => bail!("{}", failures.join("\n")),
    }
}
