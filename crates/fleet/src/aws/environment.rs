//! What the environment says of endpoints, proxies and certificate authorities, for the command's own
//! calls.
//!
//! Invariant: a variable that the SDKs would ignore or fail on later is refused at once, by the rules
//! and in the words of the extension. Must not: show a password, a query or what is in a file.

use std::collections::BTreeMap;
use std::path::Path;

use aws_config::SdkConfig;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_types::service_config::ServiceConfigKey;
use backstop_config::{S3Endpoint, Settings, Strings};
use backstop_sinks::authorities;
use base64::Engine as _;

use crate::files;
use crate::usage::UsageError;

const BUNDLE: &str = "AWS_CA_BUNDLE";
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// `ALL_PROXY` and `NO_PROXY` are taken as far as they can be: what the AWS tools do not read of them must
/// not stop this command.
const JUDGED: [&str; 9] = [
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "HTTP_PROXY",
    ENDPOINT,
    "AWS_ENDPOINT_URL_S3",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
];

/// Refuses what cannot be honoured. `typed` is the endpoint of the command line, `profile` the file of
/// authorities that the profile names.
pub(super) fn check(
    environment: &impl Strings,
    typed: Option<&str>,
    profile: Option<&str>,
) -> Result<(), UsageError> {
    let mut strings: BTreeMap<String, String> = JUDGED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), environment.get(name)?)))
        .collect();
    if let Some(typed) = typed {
        // It holds whatever the environment says.
        strings.retain(|name, _| !name.contains("ENDPOINT_URL"));
        strings.insert(ENDPOINT.to_owned(), typed.to_owned());
    }
    // Without a bucket nobody would ask S3.
    strings.insert("BACKSTOP_S3_BUCKET".to_owned(), "bucket".to_owned());
    let (_, errors) = Settings::resolve(&strings);
    let mut wrong: Vec<String> = errors
        .iter()
        .filter(|error| JUDGED.contains(&error.variable()))
        .map(|error| {
            let shown = format!("{} {}", error.variable(), error.problem());
            match typed {
                Some(_) => shown
                    .replace(ENDPOINT, "--endpoint-url")
                    .replace(", or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", ""),
                None => shown,
            }
        })
        .collect();
    wrong.extend(bundle(environment, profile).err());
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(UsageError(wrong.join("\n")))
    }
}

/// The authorities of `AWS_CA_BUNDLE`, or else of the profile's file, besides those of the system, which
/// `SSL_CERT_FILE` replaces.
pub(super) fn tls(environment: &impl Strings, profile: Option<&str>) -> TlsContext {
    let mut store = TrustStore::default();
    // What is wrong with it was reported before; without it nothing more is trusted than before.
    for certificate in bundle(environment, profile).unwrap_or_default() {
        store = store.with_pem_certificate(pem(&certificate));
    }
    // It fails for nothing but a store that is not there.
    TlsContext::builder()
        .with_trust_store(store)
        .build()
        .unwrap_or_else(|_| TlsContext::default())
}

fn bundle(environment: &impl Strings, profile: Option<&str>) -> Result<Vec<Vec<u8>>, String> {
    let set = environment.get(BUNDLE).filter(|it| !it.trim().is_empty());
    let (name, path) = match (&set, profile) {
        (Some(set), _) => (BUNDLE, set.as_str()),
        (None, Some(profile)) => ("ca_bundle", profile),
        (None, None) => return Ok(Vec::new()),
    };
    let path = path.trim();
    let bytes = files::bytes(Path::new(path), files::SMALL);
    let bytes = bytes.map_err(|error| format!("{name}={path}: {error:#}"))?;
    let found = authorities(&bytes);
    if found.is_empty() {
        return Err(format!("{name}={path}: the file has no certificate"));
    }
    Ok(found)
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

/// The endpoint of S3 that is typed, or that the environment or the profile sets, as the SDK picks it.
pub(super) fn s3_endpoint(shared: &SdkConfig) -> Option<S3Endpoint> {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env(ENDPOINT)
        .profile("endpoint_url")
        .build()
        .ok()?;
    // What is typed is for all services, whatever is set for one of them.
    let is_typed = shared.get_origin("endpoint_url").is_client_config();
    let own = (shared.service_config())
        .filter(|_| !is_typed)
        .and_then(|config| config.load_config(key));
    let address = own.or_else(|| shared.endpoint_url().map(str::to_owned));
    address.map(|address| S3Endpoint::new(&address))
}

#[cfg(test)]
mod tests {
    use aws_types::origin::Origin;

    use super::*;

    fn refused(variables: &[(&str, &str)], typed: Option<&str>) -> String {
        let environment: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        match check(&environment, typed, None) {
            Ok(()) => String::new(),
            Err(UsageError(message)) => message,
        }
    }

    #[test]
    fn what_the_sdks_would_ignore_or_fail_on_is_refused() {
        let endpoint = ("AWS_ENDPOINT_URL", "https://aws.internal");
        let fips = ("AWS_USE_FIPS_ENDPOINT", "true");
        let dual_stack = ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE");
        let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        for accepted in [
            &[][..],
            &[endpoint],
            &[fips, dual_stack],
            &[endpoint, fips, ignored],
        ] {
            assert_eq!(refused(accepted, None), "", "{accepted:?}");
        }
        assert_eq!(
            refused(&[("AWS_USE_FIPS_ENDPOINT", "yes")], None),
            "AWS_USE_FIPS_ENDPOINT is \"yes\": use true or false"
        );
        assert_eq!(
            refused(&[endpoint, fips], None),
            "AWS_USE_FIPS_ENDPOINT is true, which cannot be combined with AWS_ENDPOINT_URL: remove \
             one of the two, or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"
        );
        assert_eq!(
            refused(&[fips, ignored], Some("https://aws.internal")),
            "AWS_USE_FIPS_ENDPOINT is true, which cannot be combined with --endpoint-url: remove \
             one of the two"
        );
        assert_eq!(
            refused(&[], Some("https://me:hunter2@host")),
            "--endpoint-url is \"https://***\": remove the user name and the password"
        );
    }

    #[derive(Debug)]
    struct OfTheService;

    impl aws_types::service_config::LoadServiceConfig for OfTheService {
        fn load_config(&self, _: ServiceConfigKey<'_>) -> Option<String> {
            Some("http://of-the-service".to_owned())
        }
    }

    #[test]
    fn an_endpoint_that_is_typed_is_preferred_to_that_of_the_service() {
        let shared = |origin| {
            let mut builder = SdkConfig::builder();
            builder.insert_origin("endpoint_url", origin);
            builder
                .endpoint_url("http://of-all")
                .service_config(OfTheService)
                .build()
        };
        let found = |origin| s3_endpoint(&shared(origin)).map(|it| it.url);
        let (typed, set) = (
            Origin::shared_config(),
            Origin::shared_environment_variable(),
        );
        assert_eq!(found(typed).as_deref(), Some("http://of-all"));
        assert_eq!(found(set).as_deref(), Some("http://of-the-service"));
    }

    #[test]
    fn a_bundle_that_cannot_be_used_is_named() {
        let missing = refused(&[("AWS_CA_BUNDLE", "/nonexistent.pem")], None);
        assert!(
            missing
                .starts_with("AWS_CA_BUNDLE=/nonexistent.pem: /nonexistent.pem cannot be read: No"),
            "{missing}"
        );
        assert_eq!(
            refused(&[("AWS_CA_BUNDLE", "/dev/null")], None),
            "AWS_CA_BUNDLE=/dev/null: /dev/null is a device, not a file: give the path of a file"
        );
        assert_eq!(refused(&[("AWS_CA_BUNDLE", " ")], None), "");
        let empty = tempfile::NamedTempFile::new().expect("a file");
        let path = empty.path().display().to_string();
        let of_profile = check(&BTreeMap::<String, String>::new(), None, Some(&path));
        assert_eq!(
            of_profile.err().map(|it| it.0),
            Some(format!("ca_bundle={path}: the file has no certificate"))
        );
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_refused_and_not_gone_round() {
        assert_eq!(
            refused(&[("HTTPS_PROXY", "socks5://me:hunter2@proxy:1080")], None),
            "HTTPS_PROXY is \"***\": SOCKS is not supported; give an http:// or https:// proxy"
        );
        let good = [
            ("https_proxy", "http://me:hunter2@proxy:3128"),
            ("NO_PROXY", "10.0.0.0/8, <local>"),
            ("ALL_PROXY", "socks5://proxy:1080"),
        ];
        assert_eq!(refused(&good, None), "");
    }
}
