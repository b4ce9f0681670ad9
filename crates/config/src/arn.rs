//! Amazon Resource Names: their parts, and who can reach what they name.
//!
//! Invariant: regions and partitions that do not belong together are never taken for one another, of the
//! function and the ARN as well as within an ARN.
//!
//! Must not: know which variable holds the ARN.

/// The partitions other than `aws`, by the beginning of their regions' names.
pub const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

/// The region where nothing names one.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";

/// The parts of an ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'text> {
    /// Such as `aws` or `aws-cn`.
    pub partition: &'text str,
    /// Such as `lambda`.
    pub service: &'text str,
    /// Empty for what is in none, such as a bucket or a role.
    pub region: &'text str,
    /// Empty for what has none, such as a bucket.
    pub account: &'text str,
    /// The rest, with its slashes and colons.
    pub resource: &'text str,
}

impl<'text> Arn<'text> {
    /// Splits an ARN; `None` where a part is missing or the partition has not the form of one.
    pub fn parse(text: &'text str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        let is_arn = next()? == "arn";
        let arn = Self {
            partition: next()?,
            service: next()?,
            region: next()?,
            account: next()?,
            resource: next()?,
        };
        (is_arn && is_partition(arn.partition)).then_some(arn)
    }

    /// Whether it can be the ARN of something with a region and an account in this service.
    pub(crate) fn is_of(&self, service: &str) -> bool {
        self.service == service && is_region(self.region) && is_account(self.account)
    }

    /// Whether it can be the ARN of a bucket, which has no region and no account.
    pub(crate) fn is_of_bucket(&self) -> bool {
        self.service == "s3" && self.region.is_empty() && self.account.is_empty()
    }

    /// Why nothing in this region can reach it: credentials hold in one partition alone, and where the
    /// ARN contradicts itself it names nothing.
    pub(crate) fn is_out_of_reach_of(&self, region: &str) -> Option<String> {
        let (own, its) = (partition_of(region), self.partition);
        if own != its {
            return Some(format!(
                "of the partition {its}, and {region} is a region of the partition {own}: use one of \
                 {own}"
            ));
        }
        // A bucket is in no region.
        if self.region.is_empty() {
            return None;
        }
        let of_region = partition_of(self.region);
        if of_region != its {
            return Some(format!(
                "of the partition {its}, and its region {} is one of the partition {of_region}: correct \
                 the region or the partition",
                self.region
            ));
        }
        (!is_full_region(self.region)).then(|| {
            format!(
                "in {}, which is not the name of a region, such as us-east-1: correct the region",
                self.region
            )
        })
    }
}

/// The partition of a region.
pub fn partition_of(region: &str) -> &'static str {
    PARTITIONS
        .iter()
        .find(|(prefix, _)| region.starts_with(prefix))
        .map_or("aws", |(_, partition)| partition)
}

/// Whether the text has the form of an account's id.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the text has the form of a partition.
pub fn is_partition(text: &str) -> bool {
    text == "aws" || text.strip_prefix("aws-").is_some_and(is_region)
}

/// Whether the text has the form of a region; new regions need no new version.
pub fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.split('-').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

/// Whether the text has the form that all regions of AWS have: `AREA-PLACE-NUMBER`. A region by itself
/// may be another service's (`auto`); an ARN is AWS's.
fn is_full_region(text: &str) -> bool {
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    is_region(text)
        && text.split('-').count() > 2
        && text.rsplit('-').next().is_some_and(is_number)
        && !text.split('-').take(2).any(is_number)
}

#[cfg(test)]
mod tests {
    use super::{Arn, PARTITIONS, is_full_region, partition_of};

    #[test]
    fn an_arn_that_contradicts_itself_is_out_of_reach_of_every_region() {
        let why = |partition: &str, region: &str, here: &str| {
            let text = format!("arn:{partition}:kms:{region}:123456789012:alias/a");
            Arn::parse(&text).expect("an ARN").is_out_of_reach_of(here)
        };
        for (prefix, other) in PARTITIONS {
            let region = format!("{prefix}north-1");
            let problem = why("aws", &region, "eu-west-1").expect("a problem");
            let expected = format!("its region {region} is one of the partition {other}");
            assert!(problem.contains(&expected), "{problem}");
            assert!(why(other, "eu-west-1", &region).is_some(), "{other}");
            assert_eq!(why(other, &region, &region), None);
        }
        for region in ["nowhere", "eu-west", "1-2-3", "eu-west-1a", "eu-1-1"] {
            let problem = why("aws", region, "eu-west-1").expect("a problem");
            assert!(problem.contains("not the name of a region"), "{problem}");
        }
        let bucket = Arn::parse("arn:aws:s3:::bucket").expect("an ARN");
        assert_eq!(bucket.is_out_of_reach_of("eu-west-1"), None);
    }

    #[test]
    fn regions_of_every_partition_have_one_form() {
        for region in [
            "us-east-1",
            "ap-southeast-7",
            "mx-central-1",
            "cn-northwest-1",
            "us-gov-east-1",
            "us-isob-west-1",
            "eusc-de-east-1",
        ] {
            assert!(is_full_region(region), "{region}");
        }
    }

    #[test]
    fn an_arn_has_six_parts() {
        let arn = Arn::parse("arn:aws:kms:eu-west-1:123456789012:key/a:b").expect("an ARN");
        assert_eq!(
            (arn.service, arn.region, arn.account, arn.resource),
            ("kms", "eu-west-1", "123456789012", "key/a:b")
        );
        for text in [
            "arn:aws:kms:eu-west-1:1",
            "urn:aws:a:b:c:d",
            "arn:other:a:b:c:d",
            "",
        ] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_region_is_of_one_partition() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(partition_of(region), partition, "{region}");
        }
    }
}
