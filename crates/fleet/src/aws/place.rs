//! The profile and the region that are named: whether they are there, and what was probably meant.
//!
//! Must not: take a region that nobody named, or show anything of a profile but its name.

use std::borrow::Cow;

use aws_config::profile;
use aws_types::os_shim_internal::{Env, Fs};
use backstop_config::Strings;
use backstop_delivery::RegionName;

use crate::parsing::nearest;
use crate::usage::UsageError;

/// The regions of this release's time, to find the nearest of; an account's own list decides.
const REGIONS: [&str; 38] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// What is said where no region is set.
pub const NO_REGION: &str =
    "no region is set: give --region, set AWS_REGION, or set `region` in the profile";

/// Whether this release knows the region.
pub fn is_known_region(region: &str) -> bool {
    REGIONS.contains(&region)
}

/// `; did you mean eu-west-1?`, where one of the regions, or of those that are known anyway, is near.
pub fn region_meant<'a>(region: &str, regions: impl IntoIterator<Item = &'a str>) -> String {
    let near = nearest(region, regions).or_else(|| nearest(region, REGIONS));
    near.map_or_else(String::new, |it| format!("; did you mean {it}?"))
}

/// Refuses what no region can be called.
pub fn check_region(region: &str) -> Result<(), UsageError> {
    if RegionName::parse(region).is_some() {
        return Ok(());
    }
    let meant = region_meant(region, []);
    Err(UsageError(format!("there is no region {region}{meant}")))
}

/// What the shared configuration says of a profile, as far as the SDKs do not read it themselves.
#[derive(Debug, Default)]
pub(super) struct ProfileSettings {
    /// The file of certificate authorities.
    pub(super) ca_bundle: Option<String>,
}

/// The profile that is typed, or that the environment names. One that is named and not there is an error.
pub(super) async fn profile(
    typed: Option<&str>,
    environment: &impl Strings,
) -> Result<ProfileSettings, UsageError> {
    const DEFAULT: &str = "default";
    let set = environment.get("AWS_PROFILE").filter(|it| !it.is_empty());
    let (option, name) = match (typed, &set) {
        (Some(typed), _) => ("--profile", typed),
        (None, Some(set)) => ("AWS_PROFILE", set.as_str()),
        (None, None) => ("", DEFAULT),
    };
    let files = aws_runtime_files();
    let chosen = Some(Cow::Owned(name.to_owned()));
    let Ok(profiles) = profile::load(&Fs::real(), &Env::real(), &files, chosen).await else {
        // The SDK says what is wrong with the files.
        return Ok(ProfileSettings::default());
    };
    match profiles.get_profile(name) {
        Some(profile) => Ok(ProfileSettings {
            ca_bundle: profile.get("ca_bundle").map(str::to_owned),
        }),
        None if name == DEFAULT => Ok(ProfileSettings::default()),
        None => {
            let meant = nearest(name, profiles.profiles());
            let meant = meant.map_or_else(String::new, |it| format!("; did you mean {it}?"));
            Err(UsageError(format!(
                "{option} is {name}, but the AWS configuration has no such profile{meant}"
            )))
        }
    }
}

#[expect(
    deprecated,
    reason = "the new name is in a crate that nothing else needs"
)]
fn aws_runtime_files() -> profile::profile_file::ProfileFiles {
    profile::profile_file::ProfileFiles::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_cannot_be_one_is_refused_with_the_nearest() {
        for (region, expected) in [
            ("eu-west-1", ""),
            ("eu-west-9", ""),
            ("us-gov-west-1", ""),
            (
                "eu-wset-1",
                "there is no region eu-wset-1; did you mean eu-west-1?",
            ),
            (
                "euwest1",
                "there is no region euwest1; did you mean eu-west-1?",
            ),
            (
                "EU-WEST-1",
                "there is no region EU-WEST-1; did you mean eu-west-1?",
            ),
            ("somewhere", "there is no region somewhere"),
        ] {
            let message = check_region(region)
                .err()
                .map_or_else(String::new, |it| it.0);
            assert_eq!(message, expected, "{region}");
        }
    }
}
