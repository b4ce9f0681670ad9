//! The commands that look at functions and change nothing.

use std::process::ExitCode;

use anyhow::bail;

use super::PARTIAL;
use super::fleet::{CHANGES, Desk};
use crate::cli::{DoctorArgs, StatusArgs, TargetArgs, UsageError};
use crate::doctor::{self, Patient, State};
use crate::fleet::Fleet;
use crate::journal::History;
use crate::output::Output;
use crate::select::{Census, Literal, Selection};
use crate::status;

pub(super) async fn run_status(args: StatusArgs, output: Output) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(&args.targets, &args.state, output).await?;
    let selection = args.select.selection_or_all(&desk.project);
    let history = History::of_all(&desk.store.runs().await?);
    desk.tell_where();
    let status = status::look(&desk.fleet, &selection, &history.changes).await;
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
        state: desk.store.shown(),
    })?;
    Ok(code)
}

pub(super) async fn run_doctor(args: DoctorArgs, output: Output) -> anyhow::Result<ExitCode> {
    let Some(named) = args.function.literal() else {
        let problem = "name one function: `backstop status` looks at many".to_owned();
        return Err(UsageError(problem).into());
    };
    let targets = at(args.targets, &named);
    let desk = Desk::open(&targets, &args.state, output).await?;
    let patient = find(&desk.fleet, &named).await?;
    let history = History::of_all(&desk.store.runs().await?);
    output.progress(&format!("Checking {}", patient.arn()));
    let change = history.changes.get(patient.arn());
    let checkup = Box::pin(doctor::examine(
        &patient,
        change,
        desk.store.shown(),
        args.send,
    ))
    .await;
    output.result(&checkup)?;
    Ok(if checkup.state == State::Problem {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// An ARN says itself where the function is.
fn at(targets: TargetArgs, named: &Literal) -> TargetArgs {
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
async fn find(fleet: &Fleet, named: &Literal) -> anyhow::Result<Patient> {
    let skipped = fleet.skipped.iter().filter(|skipped| skipped.is_failure);
    let mut failures: Vec<String> = skipped.map(|it| it.reason.clone()).collect();
    let mut found = Vec::new();
    for site in fleet.sites.values() {
        match Patient::find(site, &named.name).await {
            Ok(patient) => found.extend(patient),
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    if found.len() > 1 {
        let arns: Vec<&str> = found.iter().map(Patient::arn).collect();
        let problem = format!(
            "there are several: give the ARN of one\n{}",
            arns.join("\n")
        );
        return Err(UsageError(problem).into());
    }
    match found.pop() {
        Some(patient) => Ok(patient),
        None if failures.is_empty() => {
            let places: Vec<String> = fleet.sites.keys().map(ToString::to_string).collect();
            let selection = Selection {
                functions: named.text.parse().into_iter().collect(),
                ..Selection::default()
            };
            let told = Census::new(&selection).missing(fleet).await;
            let meant = told.first().and_then(|it| it.split_once("; "));
            let meant = meant.map_or_else(String::new, |(_, meant)| format!("; {meant}"));
            let (name, places) = (&named.text, places.join(", "));
            bail!(
                "there is no function {name} in {places}{meant}\ncheck the name, --regions and --accounts"
            )
        }
        None => bail!("{}", failures.join("\n")),
    }
}
