//! The options of `backstop layer`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{StateArgs, TargetArgs};
use crate::layer::{Binary, FunctionBinary, GlibcVersion, Release, ZipPath};

/// Build, publish, list and prune the layer
#[derive(Debug, Args)]
pub struct LayerArgs {
    /// The command.
    #[command(subcommand)]
    pub command: LayerCommand,
}

/// The commands on the layer.
#[derive(Debug, Subcommand)]
pub enum LayerCommand {
    /// Check the extension's binaries and pack them as layers and for container images
    ///
    /// Writes extension-TARGET.zip (the layer) and extension-TARGET.tar.gz (for `ADD … /opt/` in a
    /// Dockerfile), each with a .sha256 file. The same binary gives the same bytes on any machine.
    /// Refuses a binary that Lambda could not load: another architecture, too new a glibc, or
    /// missing hardening.
    Build(BuildArgs),
    /// Publish the layer in every account and region, and share it
    ///
    /// Publishes only where the newest version of the layer has different bytes. Shares each
    /// version, and reads its policy back. If an account or region fails, the others continue; run
    /// the same command again to finish.
    Publish(Box<PublishArgs>),
    /// List the versions of the layer in every account and region
    List(Box<ListArgs>),
    /// Delete layer versions that no function uses
    ///
    /// Keeps a version if a function in the given accounts uses it, in $LATEST or in a published
    /// version; if the manifest contains it; or if it is shared with accounts that were not
    /// checked. If an account or region cannot be read, keeps every version that could be used
    /// there. Lambda cannot restore a deleted version: publishing the same bytes gives a new
    /// number.
    Prune(Box<PruneArgs>),
}

/// Check the extension's binaries and pack them as layers and for container images
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BuildArgs {
    /// Binary and its target: `x86_64`, `arm64`, `x86_64-musl` or `arm64-musl`
    #[arg(long, value_name = "TARGET=PATH", required_unless_present = "function")]
    pub binary: Vec<Binary>,

    /// Binary of a function, the name of its zip and its target, such as
    /// `replay-function-arm64=PATH`
    #[arg(long, value_name = "NAME-TARGET=PATH")]
    pub function: Vec<FunctionBinary>,

    /// Directory for the packages
    #[arg(long, short, value_name = "DIR", default_value = "dist")]
    pub directory: PathBuf,

    /// Newest glibc that the binary may need: Amazon Linux 2 has 2.26, Amazon Linux 2023 has 2.34
    #[arg(long, value_name = "VERSION", default_value = "2.26")]
    pub glibc: GlibcVersion,
}

/// Publish the layer in every account and region, and share it
#[derive(Debug, Args)]
#[command(after_help = PUBLISH_EXAMPLES)]
pub struct PublishArgs {
    /// Directory with extension-x86_64.zip and extension-arm64.zip [default: the layers that came
    /// with this release, or `dist`]
    ///
    /// The layers of the release are beside this executable or in ../share/backstop. `dist` in the
    /// current directory is where `scripts/package` writes them in a checkout.
    #[arg(long, short, value_name = "DIR", conflicts_with = "zip")]
    pub directory: Option<PathBuf>,

    /// Zip and architecture (`x86_64` or `arm64`) of a layer, instead of a directory
    #[arg(long, value_name = "ARCH=PATH")]
    pub zip: Vec<ZipPath>,

    /// Manifest to write for `backstop attach`, or for Terraform if the name ends in .tfvars.json
    /// [default: the manifest of backstop.toml]
    #[arg(long, short, value_name = "FILE")]
    pub manifest: Option<PathBuf>,

    /// Share the layer with these accounts
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',', value_parser = account)]
    pub share: Vec<String>,

    /// Share the layer with every account of this organization
    #[arg(long, value_name = "ORGANIZATION", value_parser = organization)]
    pub share_organization: Option<String>,

    /// Share the layer with every AWS account
    #[arg(long, conflicts_with_all = ["share", "share_organization"])]
    pub public: bool,

    /// Release, which becomes part of the layer's name
    #[arg(long, value_name = "VERSION", default_value = Release::CURRENT)]
    pub release: Release,

    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Skip the confirmation of --public
    #[arg(long, short)]
    pub yes: bool,

    /// Accounts and regions.
    #[command(flatten)]
    pub targets: TargetArgs,
}

/// List the versions of the layer in every account and region
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArgs {
    /// Also read with whom each version is shared: one more call for each
    #[arg(long)]
    pub permissions: bool,

    /// Accounts and regions.
    #[command(flatten)]
    pub targets: TargetArgs,
}

/// Delete layer versions that no function uses
#[derive(Debug, Args)]
#[command(after_help = PRUNE_EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub struct PruneArgs {
    /// Keep this many of the newest versions, of each architecture in each account and region
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: u32,

    /// Keep versions younger than this: days, hours or weeks, such as 30d, 12h or 4w
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<Duration>,

    /// Also delete versions that are shared with an organization, everyone, or accounts not checked
    #[arg(long)]
    pub include_shared: bool,

    /// Also delete versions that `undo`, `detach` or `resume` needs
    #[arg(long)]
    pub include_undoable: bool,

    /// Keep the versions in this manifest [default: the manifest of backstop.toml]
    #[arg(long, short, value_name = "FILE")]
    pub manifest: Option<PathBuf>,

    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Skip the confirmation
    #[arg(long, short)]
    pub yes: bool,

    /// Accounts and regions.
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
        Err("an account ID has 12 digits".to_owned())
    }
}

fn organization(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("o-").unwrap_or_default();
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if (10..=32).contains(&id.len()) && id.bytes().all(is_word) {
        Ok(text.to_owned())
    } else {
        Err(
            "an organization ID is o- followed by 10 to 32 lower-case letters and digits"
                .to_owned(),
        )
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
  backstop layer publish --regions eu-west-1,us-east-1 \\
      --share-organization o-abcde12345 --manifest layers.json
  backstop layer publish --regions all --organization --role BackstopInstaller \\
      --manifest layers.tfvars.json
  backstop layer publish --dry-run

Exit codes: 0 done, 1 error, 2 usage, 3 an account or region failed: the
rest is published and in the manifest, 5 a zip is refused: nothing was
published, 130 interrupted";

const LIST_EXAMPLES: &str = "\
Examples:
  backstop layer list --regions all --permissions
  backstop layer list --output json | jq -r '.versions[].arn'

Exit codes: 0 done, 1 error, 2 usage, 3 an account or region could not be read";

const PRUNE_EXAMPLES: &str = "\
Examples:
  backstop layer prune --regions all --dry-run
  backstop layer prune --regions all --organization --role BackstopInstaller \\
      --older-than 30d --yes

Exit codes: 0 done, 1 error, 2 usage, 3 an account or region could not be
read or a version could not be deleted, 130 interrupted";

const EXAMPLES: &str = "\
Examples:
  scripts/package        compiles for both architectures and runs this command
  backstop layer build \\
      --binary arm64=target/aarch64-unknown-linux-gnu/layer/backstop-extension

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
