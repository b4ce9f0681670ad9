//! The commands on the layer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use tokio::sync::watch;

use super::interrupt::interrupted_twice;
use super::runs::open_store;
use super::{INTERRUPTED, PARTIAL, REFUSED, confirmed, has_terminal};
use crate::carried;
use crate::cli::{
    BuildArgs, LayerCommand, ListArgs, PruneArgs, PublishArgs, TargetArgs, UsageError,
};
use crate::fleet::{Fleet, Place};
use crate::layer::prune::{self, PruneOptions};
use crate::layer::{self, Manifest, Package, PublishOptions, Refused, Share, ZipPath};
use crate::output::{Bar, Output, plural};
use crate::project::Project;

/// Runs one of them.
pub(super) async fn run(command: LayerCommand, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        LayerCommand::Build(args) => build(args, output),
        LayerCommand::Publish(args) => match Box::pin(publish(*args, output)).await {
            Err(error) if error.is::<Refused>() => {
                Output::error(&error);
                Ok(ExitCode::from(REFUSED))
            }
            code => code,
        },
        LayerCommand::List(args) => Box::pin(list(*args, output)).await,
        LayerCommand::Prune(args) => Box::pin(prune(*args, output)).await,
    }
}

fn build(args: BuildArgs, output: Output) -> anyhow::Result<ExitCode> {
    let mut targets = BTreeSet::new();
    if let Some(again) = (args.binary.iter()).find(|binary| !targets.insert(binary.target)) {
        let problem = format!(
            "--binary is given twice for {}: give it once for each target",
            again.target
        );
        return Err(UsageError(problem).into());
    }
    output.progress(&format!("Packing into {}", args.directory.display()));
    let summary = layer::build(&layer::Options {
        binaries: args.binary,
        functions: args.function,
        directory: args.directory,
        glibc: args.glibc,
    })?;
    output.result(&summary)?;
    output.hint(
        "To publish it",
        "backstop layer publish --manifest layers.json",
    );
    Ok(ExitCode::SUCCESS)
}

async fn publish(args: PublishArgs, output: Output) -> anyhow::Result<ExitCode> {
    let packages = packages(&args, output)?;
    let project = args.targets.connection.project()?;
    // What cannot be written in the end is found out before anything is published.
    let mut manifest = match args.manifest.as_ref().or(project.layer.manifest.as_ref()) {
        Some(path) => Some((path, open_manifest(path)?)),
        None => None,
    };
    let question = "Every AWS account will be able to use the layer. Publish it?";
    if args.public && !args.dry_run && !args.yes && !confirmed(question)? {
        output.progress("Nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    let (fleet, bar) = open(&args.targets, &project, output).await?;
    let architectures: Vec<String> = (packages.iter())
        .map(|package| package.architecture.to_string())
        .collect();
    output.progress(&format!(
        "{} {} for {} in {}",
        if args.dry_run {
            "Reading"
        } else {
            "Publishing"
        },
        args.release,
        architectures.join(" and "),
        places(&fleet)
    ));
    let options = PublishOptions {
        packages,
        release: args.release,
        share: Share {
            accounts: args.share,
            organization: args.share_organization,
            public: args.public,
        },
        dry_run: args.dry_run,
    };
    let (interrupt, stop) = watch::channel(false);
    let done = |place: &Place| bar.advance(&place.to_string());
    let mut summary = tokio::select! {
        summary = layer::publish(&fleet, &options, &done, &stop) => summary,
        () = interrupted_twice(&interrupt, output) => return Ok(ExitCode::from(INTERRUPTED)),
    };
    bar.clear();
    let mut written = Ok(());
    if let Some((path, manifest)) = &mut manifest
        && !options.dry_run
        && summary.add_to(manifest)
    {
        written = manifest.write(path);
        if written.is_ok() {
            summary.manifest = Some(PathBuf::clone(path));
        }
    }
    output.result(&summary)?;
    written?;
    if let Some(path) = summary.manifest.as_ref().filter(|_| summary.is_complete()) {
        let command = format!("backstop plan --all --layers {}", path.display());
        output.hint("To see what attaching it would change", &command);
    }
    Ok(code(summary.is_interrupted(), summary.is_complete()))
}

async fn list(args: ListArgs, output: Output) -> anyhow::Result<ExitCode> {
    let (fleet, bar) = open(&args.targets, &args.targets.connection.project()?, output).await?;
    output.progress(&format!("Reading {}", places(&fleet)));
    let done = |place: &Place| bar.advance(&place.to_string());
    let listed = layer::list(&fleet, args.permissions, &done).await;
    bar.clear();
    output.result(&listed)?;
    output.hint(
        "To see what can be deleted",
        "backstop layer prune --dry-run",
    );
    Ok(code(false, listed.is_complete()))
}

async fn prune(args: PruneArgs, output: Output) -> anyhow::Result<ExitCode> {
    let project = args.targets.connection.project()?;
    let manifest = match args.manifest.as_ref().or(project.layer.manifest.as_ref()) {
        Some(path) => Manifest::read(path)?,
        None => Manifest::default(),
    };
    let options = PruneOptions {
        keep: args.keep as usize,
        older_than: args.older_than,
        include_shared: args.include_shared,
        manifest,
        named: project.layer.arns.clone(),
        returns: if args.include_undoable {
            Vec::new()
        } else {
            let access = args.targets.connection.access(&project);
            let store = open_store(&args.state, &project, &access, output).await?;
            prune::returns(store.runs().await?)
        },
    };
    let (fleet, bar) = open(&args.targets, &project, output).await?;
    output.progress(&format!(
        "Reading layers and functions in {}",
        places(&fleet)
    ));
    let done = |place: &Place| bar.advance(&place.to_string());
    let summary = prune::assess(&fleet, &options, SystemTime::now().into(), &done).await;
    let chosen = summary.chosen() as u64;
    if args.dry_run || chosen == 0 {
        bar.clear();
        output.result(&summary)?;
        if chosen > 0 {
            output.hint(
                "To delete them",
                "backstop layer prune, with the same options",
            );
        }
        return Ok(code(false, summary.is_complete()));
    }
    if !args.yes {
        bar.clear();
        if has_terminal() {
            output.shown(&summary);
        } else {
            // What would be done is a result, too.
            output.result(&summary)?;
        }
        let question = format!(
            "Delete {}? This cannot be undone.",
            plural(chosen, "version")
        );
        if !confirmed(&question)? {
            output.progress("Nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
    }
    let (interrupt, stop) = watch::channel(false);
    bar.clear();
    let bar = bar_of(&fleet, output);
    let done = |place: &Place| bar.advance(&place.to_string());
    let summary = tokio::select! {
        summary = prune::delete(&fleet, summary, &done, &stop) => summary,
        () = interrupted_twice(&interrupt, output) => return Ok(ExitCode::from(INTERRUPTED)),
    };
    bar.clear();
    output.result(&summary)?;
    Ok(code(summary.is_interrupted(), summary.is_complete()))
}

/// What is to be published: all of it fit, or nothing is.
fn packages(args: &PublishArgs, output: Output) -> anyhow::Result<Vec<Package>> {
    let mut zips = zips(args)?;
    let mut architectures = BTreeSet::new();
    if let Some(again) = zips
        .iter()
        .find(|zip| !architectures.insert(zip.architecture))
    {
        let problem = format!(
            "--zip is given twice for {}: give it once for each architecture",
            again.architecture
        );
        return Err(UsageError(problem).into());
    }
    zips.sort_by_key(|zip| zip.architecture);
    let names: Vec<String> = (zips.iter())
        .map(|zip| zip.path.display().to_string())
        .collect();
    output.progress(&format!("Reading {}", names.join(" and ")));
    zips.iter()
        .map(|zip| {
            let package = Package::read(zip)?;
            match carried::release_of(zip) {
                Some(release) if release != args.release => {
                    Err(Refused::other_release(zip, &release, &args.release).into())
                }
                _ => Ok(package),
            }
        })
        .collect()
}

/// The zips that were named, or those of a directory, or those of this release.
fn zips(args: &PublishArgs) -> anyhow::Result<Vec<ZipPath>> {
    if !args.zip.is_empty() {
        return Ok(args.zip.clone());
    }
    let problem = match &args.directory {
        None => match carried::layers() {
            Ok(layers) => return Ok(layers.zips),
            Err(error) => error.to_string(),
        },
        Some(directory) => match ZipPath::in_directory(directory) {
            zips if !zips.is_empty() => return Ok(zips),
            _ => format!(
                "{} has no extension-x86_64.zip or extension-arm64.zip: build them with \
                 scripts/package, or give another --directory",
                directory.display()
            ),
        },
    };
    Err(UsageError(problem).into())
}

/// The manifest that is there, in a directory that is.
fn open_manifest(path: &Path) -> anyhow::Result<Manifest> {
    let directory = path
        .parent()
        .filter(|directory| *directory != Path::new(""));
    if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
        anyhow::bail!(
            "the manifest's directory {} does not exist: create it, or give another path with \
             --manifest",
            directory.display()
        );
    }
    Manifest::read_if_there(path)
}

async fn open(
    args: &TargetArgs,
    project: &Project,
    output: Output,
) -> anyhow::Result<(Fleet, Bar)> {
    let fleet = Fleet::open(&args.connection.access(project), &args.targets(project)?).await?;
    let bar = bar_of(&fleet, output);
    Ok((fleet, bar))
}

/// A bar over the places.
fn bar_of(fleet: &Fleet, output: Output) -> Bar {
    let bar = Bar::new(output.draws(), "{bar:40} {pos}/{len} places  {msg}");
    bar.lengthen(fleet.sites.len() as u64);
    bar
}

fn places(fleet: &Fleet) -> String {
    plural(fleet.sites.len() as u64, "account and region")
        .replace("account and regions", "accounts and regions")
}

fn code(is_interrupted: bool, is_complete: bool) -> ExitCode {
    if is_interrupted {
        ExitCode::from(INTERRUPTED)
    } else if is_complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PARTIAL)
    }
}
