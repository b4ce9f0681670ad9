//! Endpoints of AWS services that are set by hand: how they are written, and how S3's names a bucket.
//!
//! Invariant: a bucket's name is a label of the host or a part of the path of its own, never glued to
//! another one.
//!
//! Must not: judge whether text is an address; that is `url`'s part.

use crate::arn::partition_of;
use crate::reference::Store;

/// Domains under which AWS has its services, one or more for each partition.
const DOMAINS_OF_AWS: &[&str] = &[
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

/// An endpoint of S3 that is not the one of the region, and how a bucket is named in its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Endpoint {
    /// The address, as an SDK client takes it.
    pub url: String,
    /// Whether the bucket is named in the path, and not in the host.
    pub path_style: bool,
}

impl S3Endpoint {
    /// The endpoint at an address: AWS names buckets in the host (and S3's FIPS endpoints take
    /// nothing else), while other services rarely have a name for each bucket.
    pub fn new(address: &str) -> Self {
        let host = host(address);
        let is_interface =
            is_below(host, "vpce.amazonaws.com") || is_below(host, "vpce.amazonaws.com.cn");
        let path_style = !is_of_aws(host);
        // An interface endpoint has names for buckets, access points and control; without one of
        // them it is none that S3 answers at. (AWS: "AWS PrivateLink for Amazon S3")
        let address = if is_interface && host.starts_with("vpce-") {
            address.replacen("://", "://bucket.", 1)
        } else {
            address.to_owned()
        };
        Self {
            url: normalized(&address),
            path_style,
        }
    }

    /// Whether the address has the bucket's name in its host already, where it would come twice.
    pub(crate) fn names(&self, bucket: &str) -> bool {
        let rest = host(&self.url).strip_prefix(bucket);
        !self.path_style
            && rest.is_some_and(|rest| rest.starts_with(".s3") || rest.starts_with(".bucket."))
    }
}

/// The address as SDK clients need it: none or one slash at its end. To a path without one they would
/// glue what follows.
pub(crate) fn normalized(address: &str) -> String {
    let trimmed = address.trim_end_matches('/');
    let has_path = trimmed
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains('/'));
    if has_path {
        format!("{trimmed}/")
    } else {
        trimmed.to_owned()
    }
}

/// The host of an address, without its port.
fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    if authority.starts_with('[') {
        return authority;
    }
    authority.split(':').next().unwrap_or_default()
}

fn is_of_aws(host: &str) -> bool {
    DOMAINS_OF_AWS.iter().any(|domain| is_below(host, domain))
}

/// Whether a host is below a domain, in letters of either case.
fn is_below(host: &str, domain: &str) -> bool {
    let Some(at) = host.len().checked_sub(domain.len() + 1) else {
        return false;
    };
    host.is_char_boundary(at)
        && host.as_bytes()[at] == b'.'
        && host[at + 1..].eq_ignore_ascii_case(domain)
}

/// The address of AWS for a store of secrets, by the rules of the AWS SDKs (botocore's
/// `endpoint-rule-set-1.json` of each service, and `partitions.json`).
pub(crate) fn of_service(store: Store, region: &str, fips: bool, dual_stack: bool) -> String {
    let partition = partition_of(region);
    let suffix = match (partition, dual_stack) {
        ("aws-cn", false) => "amazonaws.com.cn",
        ("aws-cn", true) => "api.amazonwebservices.com.cn",
        ("aws-eusc", false) => "amazonaws.eu",
        ("aws-eusc", true) => "api.amazonwebservices.eu",
        ("aws-iso", false) => "c2s.ic.gov",
        ("aws-iso", true) => "api.aws.ic.gov",
        ("aws-iso-b", false) => "sc2s.sgov.gov",
        ("aws-iso-b", true) => "api.aws.scloud",
        ("aws-iso-e", false) => "cloud.adc-e.uk",
        ("aws-iso-e", true) => "api.cloud-aws.adc-e.uk",
        ("aws-iso-f", false) => "csp.hci.ic.gov",
        ("aws-iso-f", true) => "api.aws.hci.ic.gov",
        (_, false) => "amazonaws.com",
        (_, true) => "api.aws",
    };
    // Where all endpoints are validated, this one has no name of its own for it.
    let has_no_own = store == Store::ParameterStore && partition == "aws-us-gov" && !dual_stack;
    let fips = if fips && !has_no_own { "-fips" } else { "" };
    format!("https://{}{fips}.{region}.{suffix}/", store.service())
}

#[cfg(test)]
mod tests {
    use super::of_service;
    use crate::reference::Store;

    #[test]
    fn a_store_is_asked_where_the_sdks_ask_it() {
        use Store::{Kms, ParameterStore, SecretsManager};
        for (store, region, fips, dual_stack, host) in [
            (
                SecretsManager,
                "eu-west-1",
                false,
                false,
                "secretsmanager.eu-west-1.amazonaws.com",
            ),
            (
                SecretsManager,
                "us-east-1",
                true,
                false,
                "secretsmanager-fips.us-east-1.amazonaws.com",
            ),
            (
                SecretsManager,
                "us-gov-west-1",
                true,
                false,
                "secretsmanager-fips.us-gov-west-1.amazonaws.com",
            ),
            (
                SecretsManager,
                "eusc-de-east-1",
                false,
                false,
                "secretsmanager.eusc-de-east-1.amazonaws.eu",
            ),
            (
                ParameterStore,
                "us-east-1",
                true,
                true,
                "ssm-fips.us-east-1.api.aws",
            ),
            (
                ParameterStore,
                "us-gov-west-1",
                true,
                false,
                "ssm.us-gov-west-1.amazonaws.com",
            ),
            (
                ParameterStore,
                "cn-north-1",
                false,
                true,
                "ssm.cn-north-1.api.amazonwebservices.com.cn",
            ),
            (
                Kms,
                "us-iso-east-1",
                false,
                false,
                "kms.us-iso-east-1.c2s.ic.gov",
            ),
            (
                Kms,
                "us-east-2",
                true,
                false,
                "kms-fips.us-east-2.amazonaws.com",
            ),
        ] {
            let found = of_service(store, region, fips, dual_stack);
            assert_eq!(found, format!("https://{host}/"));
        }
    }

    use super::S3Endpoint;

    #[test]
    fn aws_is_asked_for_a_bucket_by_host_and_others_by_path() {
        let cases = [
            ("https://s3.eu-west-1.amazonaws.com", false),
            ("https://s3-fips.us-gov-west-1.amazonaws.com", false),
            ("https://s3.dualstack.us-east-1.amazonaws.com", false),
            ("https://s3-fips.dualstack.us-east-1.amazonaws.com", false),
            ("https://S3.CN-NORTH-1.AMAZONAWS.COM.CN", false),
            ("https://s3.eusc-de-east-1.amazonaws.eu:443", false),
            (
                "https://bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com",
                false,
            ),
            ("http://127.0.0.1:9000", true),
            ("http://[::1]:9000", true),
            ("https://minio.internal", true),
            ("https://amazonaws.com", true),
            ("https://notamazonaws.com", true),
            ("https://amazonaws.com.example.net", true),
            ("https://gateway.example.net/s3.amazonaws.com", true),
            ("https://account.r2.cloudflarestorage.com", true),
        ];
        for (address, path_style) in cases {
            let endpoint = S3Endpoint::new(address);
            assert_eq!(endpoint.path_style, path_style, "{address}");
            assert_eq!(endpoint.url.trim_end_matches('/'), address);
        }
    }

    #[test]
    fn nothing_is_glued_to_a_path() {
        for (address, url) in [
            ("http://host:9000/", "http://host:9000"),
            ("http://host:9000//", "http://host:9000"),
            ("http://host/storage/v1/s3", "http://host/storage/v1/s3/"),
            ("http://host/storage/v1/s3/", "http://host/storage/v1/s3/"),
            ("http://host/s3//", "http://host/s3/"),
        ] {
            assert_eq!(S3Endpoint::new(address).url, url, "{address}");
        }
    }

    #[test]
    fn an_interface_endpoint_is_asked_under_its_name_for_buckets() {
        for (address, url) in [
            (
                "https://vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com",
                "https://bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com",
            ),
            (
                "https://vpce-1a2b-5e6f.s3.cn-north-1.vpce.amazonaws.com.cn/",
                "https://bucket.vpce-1a2b-5e6f.s3.cn-north-1.vpce.amazonaws.com.cn",
            ),
        ] {
            let endpoint = S3Endpoint::new(address);
            assert_eq!((endpoint.url.as_str(), endpoint.path_style), (url, false));
        }
    }

    #[test]
    fn an_endpoint_that_names_the_bucket_is_seen() {
        let names = |address| S3Endpoint::new(address).names("logs");
        assert!(names("https://logs.s3.eu-west-1.amazonaws.com"));
        assert!(names("https://logs.s3-fips.us-east-1.amazonaws.com/"));
        assert!(names(
            "https://logs.bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com"
        ));
        assert!(!names("https://s3.eu-west-1.amazonaws.com"));
        assert!(!names("https://logs.example.com"));
    }
}
