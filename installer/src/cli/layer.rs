//! The options of `backstop layer`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{StateArgs, TargetArgs};
use crate::layer::{Binary, GlibcVersion, Release, ZipPath};

/// Build the layer, publish it, and see what is published
#[derive(Debug, Args)]
pub struct LayerArgs {
    /// The command.
    #[command(subcommand)]
    pub command: LayerCommand,
}

/// The commands on the layer.
#[derive(Debug, Subcommand)]
pub enum LayerCommand {
    /// Check an extension's binaries and pack them, as layers and for container images
    ///
    /// Writes extension-TARGET.zip, the layer, and extension-TARGET.tar.gz, for `ADD … /opt/` in a
    /// Dockerfile, with a .sha256 beside each. The same binary gives the same bytes, on any machine.
    /// Refuses a binary that Lambda could not load: another architecture, too new a glibc, or one
    /// without the usual hardening.
    Build(BuildArgs),
    /// Publish the layer in every account and region, and share it
    ///
    /// Looks at the newest version of the layer in each place, and publishes where that has not the same
    /// bytes. Each version is shared, and its policy read back. A place that fails costs the others
    /// nothing: the same command again does what is left.
    Publish(Box<PublishArgs>),
    /// List the versions of the layer in every account and region
    List(Box<ListArgs>),
    /// Delete the versions that no function names
    ///
    /// A version stays when any function of the accounts given names it, in its $LATEST or in a published
    /// version; when the manifest names it; and when it is shared with accounts that were not looked
    /// into. Where an account or region could not be looked at, nothing goes that could be used there.
    /// What is deleted cannot be brought back: publishing the same bytes gives another number.
    Prune(Box<PruneArgs>),
}

/// Check an extension's binaries and pack them, as layers and for container images
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BuildArgs {
    /// A binary, and what it runs on: `x86_64`, `arm64`, `x86_64-musl` or `arm64-musl`
    #[arg(long, value_name = "TARGET=PATH", required = true)]
    pub binary: Vec<Binary>,

    /// Where to put what is packed
    #[arg(long, short, value_name = "DIR", default_value = "dist")]
    pub directory: PathBuf,

    /// The newest glibc that there will be: Amazon Linux 2 has 2.26, Amazon Linux 2023 has 2.34
    #[arg(long, value_name = "VERSION", default_value = "2.26")]
    pub glibc: GlibcVersion,
}

/// Publish the layer in every account and region, and share it
#[derive(Debug, Args)]
#[command(after_help = PUBLISH_EXAMPLES)]
pub struct PublishArgs {
    /// Where `scripts/package` has put extension-x86_64.zip and extension-arm64.zip
    #[arg(
        long,
        short,
        value_name = "DIR",
        default_value = "dist",
        conflicts_with = "zip"
    )]
    pub directory: PathBuf,

    /// A layer's zip and what it runs on, `x86_64` or `arm64`, instead of the directory's
    #[arg(long, value_name = "ARCH=PATH")]
    pub zip: Vec<ZipPath>,

    /// Write down what is where: for `backstop attach`, and for Terraform where the name ends in
    /// .tfvars.json [default: the manifest of backstop.toml, where it names one]
    #[arg(long, short, value_name = "FILE")]
    pub manifest: Option<PathBuf>,

    /// Share it with these accounts
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',', value_parser = account)]
    pub share: Vec<String>,

    /// Share it with every account of this organisation
    #[arg(long, value_name = "ORGANIZATION", value_parser = organization)]
    pub share_organization: Option<String>,

    /// Share it with everyone
    #[arg(long, conflicts_with_all = ["share", "share_organization"])]
    pub public: bool,

    /// Which release it is: a part of the layer's name
    #[arg(long, value_name = "VERSION", default_value = Release::CURRENT)]
    pub release: Release,

    /// Change nothing, and say what would be
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask whether everyone is meant
    #[arg(long, short)]
    pub yes: bool,

    /// Where.
    #[command(flatten)]
    pub targets: TargetArgs,
}

/// List the versions of the layer in every account and region
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArgs {
    /// Read with whom each version is shared, too: one call more for each
    #[arg(long)]
    pub permissions: bool,

    /// Where.
    #[command(flatten)]
    pub targets: TargetArgs,
}

/// Delete the versions that no function names
#[derive(Debug, Args)]
#[command(after_help = PRUNE_EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub struct PruneArgs {
    /// Keep so many of the newest versions, of each architecture in each place
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: u32,

    /// Keep what is younger: a number of days, hours or weeks, such as 30d, 12h or 4w
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<Duration>,

    /// Delete versions that are shared with an organisation, with everyone, or with accounts that are
    /// not looked into, too
    #[arg(long)]
    pub include_shared: bool,

    /// Delete versions that `undo`, `detach` or `resume` needs, too
    #[arg(long)]
    pub include_undoable: bool,

    /// Keep what this manifest names [default: the manifest of backstop.toml, where it names one]
    #[arg(long, short, value_name = "FILE")]
    pub manifest: Option<PathBuf>,

    /// Change nothing, and say what would be
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,

    /// Where.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

fn account(text: &str) -> Result<String, String> {
    if backstop_config::is_account(text) {
        Ok(text.to_owned())
    } else {
        Err("an account's number has 12 digits".to_owned())
    }
}

fn organization(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("o-").unwrap_or_default();
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if (10..=32).contains(&id.len()) && id.bytes().all(is_word) {
        Ok(text.to_owned())
    } else {
        Err("an organisation's id is o- and 10 to 32 lower-case letters and digits".to_owned())
    }
}

fn age(text: &str) -> Result<Duration, String> {
    let problem = || "write it as 30d, 12h or 4w".to_owned();
    let (number, hours) = [('h', 1), ('d', 24), ('w', 7 * 24)]
        .into_iter()
        .find_map(|(unit, hours)| Some((text.strip_suffix(unit)?, hours)))
        .ok_or_else(problem)?;
    let number: u32 = number.parse().map_err(|_| problem())?;
    Ok(Duration::from_secs(u64::from(number) * hours * 3600))
}

const PUBLISH_EXAMPLES: &str = "\
Examples:
  backstop layer publish --regions eu-west-1,us-east-1 --share-organization o-abcde12345 \\
      --manifest layers.json
  backstop layer publish --regions all --organization --role BackstopInstaller \\
      --manifest layers.tfvars.json
  backstop layer publish --dry-run

Exit codes: 0 done, 1 error, 2 usage, 3 a place failed: the rest is published and in the manifest,
5 a zip is refused: nothing was published, 130 interrupted";

const LIST_EXAMPLES: &str = "\
Examples:
  backstop layer list --regions all --permissions
  backstop layer list --output json | jq -r '.versions[].arn'

Exit codes: 0 done, 1 error, 2 usage, 3 a place could not be read";

const PRUNE_EXAMPLES: &str = "\
Examples:
  backstop layer prune --regions all --dry-run
  backstop layer prune --regions all --organization --role BackstopInstaller --older-than 30d --yes

Exit codes: 0 done, 1 error, 2 usage, 3 a place could not be looked at or a version not be deleted,
130 interrupted";

const EXAMPLES: &str = "\
Examples:
  scripts/package        compiles for both architectures and calls this
  backstop layer build --binary arm64=target/aarch64-unknown-linux-gnu/layer/backstop-extension

Exit codes: 0 done, 1 error, 2 usage";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_checked() {
        assert_eq!(age("30d"), Ok(Duration::from_hours(30 * 24)));
        assert_eq!(age("12h"), Ok(Duration::from_hours(12)));
        assert_eq!(age("4w"), Ok(Duration::from_hours(4 * 7 * 24)));
        for bad in ["", "d", "30", "1.5d", "-1d", "30 d", "30m"] {
            assert!(age(bad).is_err(), "{bad}");
        }
        assert!(organization("o-abcde12345").is_ok() && account("111122223333").is_ok());
        for bad in [
            "o-",
            "o-short",
            "abcde12345",
            "o-ABCDE12345",
            "o-abcde_12345",
        ] {
            assert!(organization(bad).is_err(), "{bad}");
        }
        assert!(account("1111-2222-3333").is_err());
    }
}
