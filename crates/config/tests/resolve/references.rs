//! A token and headers that are kept elsewhere: where, and from one source alone.

use backstop_config::{Reference, Settings, Store};

use crate::resolve;

const URL: (&str, &str) = ("BACKSTOP_PRIMARY_URL", "https://intake.example.com");
const REGION: (&str, &str) = ("AWS_REGION", "eu-west-1");
const SECRET: &str = "arn:aws:secretsmanager:us-east-2:111122223333:secret:team/token-AbCdEf";

fn with(variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
    resolve(&[&[URL, REGION], variables].concat())
}

fn reference(store: Store, region: &str, id: &str, key: Option<&str>) -> Reference {
    Reference {
        store,
        region: region.to_owned(),
        id: id.to_owned(),
        key: key.map(str::to_owned),
    }
}

#[test]
fn a_token_is_kept_in_one_of_three_stores() {
    use Store::{Kms, ParameterStore, SecretsManager};
    let parameter = "arn:aws:ssm:us-east-2:111122223333:parameter/team/token";
    let with_key = format!("{SECRET}#api key");
    for (name, value, expected) in [
        (
            "SECRET_ARN",
            SECRET,
            reference(SecretsManager, "us-east-2", SECRET, None),
        ),
        (
            "SECRET_ARN",
            &*with_key,
            reference(SecretsManager, "us-east-2", SECRET, Some("api key")),
        ),
        (
            "SSM_PARAMETER",
            "/team/token",
            reference(ParameterStore, "eu-west-1", "/team/token", None),
        ),
        (
            "SSM_PARAMETER",
            parameter,
            reference(ParameterStore, "us-east-2", parameter, None),
        ),
        (
            "KMS",
            "AQICAHh+/w==",
            reference(Kms, "eu-west-1", "AQICAHh+/w==", None),
        ),
    ] {
        let variable = format!("BACKSTOP_PRIMARY_TOKEN_{name}");
        let (settings, errors) = with(&[(&variable, value)]);
        assert_eq!(errors, [""; 0], "{variable}");
        let primary = settings.primary.expect("a primary");
        assert_eq!((primary.token, primary.headers.len()), (None, 0));
        assert_eq!(primary.references.each(), [&expected]);
    }
}

#[test]
fn what_names_no_secret_switches_the_primary_off_and_is_not_shown() {
    for (name, value, words) in [
        ("TOKEN_SECRET_ARN", "hunter2", "is not the ARN of a secret"),
        (
            "TOKEN_SECRET_ARN",
            "arn:aws:ssm:eu-west-1:111122223333:parameter/hunter2",
            "is not the ARN of a secret",
        ),
        (
            "TOKEN_SECRET_ARN",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:hunter2#",
            "a # that no key follows",
        ),
        (
            "TOKEN_SECRET_ARN",
            "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:t",
            "of the partition aws-cn",
        ),
        ("TOKEN_SSM_PARAMETER", "hun ter2", "is not a parameter"),
        (
            "TOKEN_SSM_PARAMETER",
            "arn:aws:ssm:eu-west-1:1:parameter/hunter2",
            "is not a parameter",
        ),
        ("TOKEN_KMS", "hunter2", "is not a ciphertext"),
        ("TOKEN_KMS", "====", "is not a ciphertext"),
        (
            "HEADERS",
            "x-a={{secret:hunter2}}",
            "is not the ARN of a secret",
        ),
        ("HEADERS", "x-a={{ssm:hunter2", "without its end"),
        (
            "HEADERS",
            "x-a={{ssm:a}}{{ssm:hunter2}}",
            "more than one reference",
        ),
        ("TOKEN", "{{kms:hunter2}}", "is not a ciphertext"),
    ] {
        let variable = format!("BACKSTOP_PRIMARY_{name}");
        let (settings, errors) = with(&[(&variable, value)]);
        assert!(settings.primary.is_none(), "{variable}");
        assert!(errors[0].contains(words), "{errors:?}");
        assert!(errors[0].contains("the primary is off"), "{errors:?}");
        assert!(!errors.concat().contains("hunter2"), "{errors:?}");
    }
}

#[test]
fn a_value_of_a_header_or_the_token_may_hold_one_reference() {
    let headers = format!("x-plain=a,x-key={{{{secret:{SECRET}#api}}}},x-other={{{{mine}}}}");
    let (settings, errors) = with(&[
        ("BACKSTOP_PRIMARY_HEADERS", &headers),
        ("BACKSTOP_PRIMARY_TOKEN", "user:{{ssm:/team/token}}"),
        ("BACKSTOP_PRIMARY_FORMAT", "otlp"),
    ]);
    assert_eq!(errors, [""; 0]);
    let primary = settings.primary.expect("a primary");
    let plain: Vec<(&str, &str)> = (primary.headers.iter())
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    assert_eq!(plain, [("x-plain", "a"), ("x-other", "{{mine}}")]);
    let token = primary.references.token.expect("a template");
    assert_eq!(token.fill("hunter2").expose(), "user:hunter2");
    let (name, template) = &primary.references.headers[0];
    assert_eq!((name.as_str(), template.fill("k").expose()), ("x-key", "k"));
}

#[test]
fn a_token_has_one_source() {
    let (settings, errors) = with(&[
        ("BACKSTOP_PRIMARY_TOKEN", "hunter2"),
        ("BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER", "/team/token"),
    ]);
    assert!(settings.primary.is_none());
    assert!(
        errors[0].contains(
            "BACKSTOP_PRIMARY_TOKEN and BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER are both set"
        ),
        "{errors:?}"
    );
    let (settings, errors) = with(&[
        ("BACKSTOP_PRIMARY_HEADERS", "authorization=x"),
        ("BACKSTOP_PRIMARY_TOKEN_SECRET_ARN", SECRET),
    ]);
    assert!(settings.primary.is_none());
    assert!(
        errors[0].contains("and so does BACKSTOP_PRIMARY_TOKEN_SECRET_ARN"),
        "{errors:?}"
    );
}

#[test]
fn a_key_belongs_to_a_reference_and_to_its_partition() {
    let key = |value| ("BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID", value);
    let token = ("BACKSTOP_PRIMARY_TOKEN_KMS", "AQIC");
    let (settings, errors) = with(&[token, key("alias/token")]);
    assert_eq!(errors, [""; 0]);
    let references = settings.primary.expect("a primary").references;
    assert_eq!(references.kms_key_id.as_deref(), Some("alias/token"));
    let (_, errors) = with(&[key("alias/token")]);
    assert!(
        errors[0].contains("no token or header is kept elsewhere"),
        "{errors:?}"
    );
    for (value, words) in [
        ("nonsense!", "not a KMS key"),
        (
            "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "of the partition aws-cn",
        ),
    ] {
        let (settings, errors) = with(&[token, key(value)]);
        assert!(
            settings.primary.is_none() && errors[0].contains(words),
            "{errors:?}"
        );
    }
}

#[test]
fn an_endpoint_that_a_switch_excludes_switches_the_primary_off() {
    let endpoint = ("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:4566");
    let fips = ("AWS_USE_FIPS_ENDPOINT", "true");
    let (settings, errors) = with(&[
        ("BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER", "token"),
        endpoint,
        fips,
    ]);
    assert!(settings.primary.is_none());
    assert!(
        errors[0].contains("cannot be combined with AWS_ENDPOINT_URL_SSM"),
        "{errors:?}"
    );
    // Of a service that is not asked nothing is said.
    let (settings, errors) = with(&[("BACKSTOP_PRIMARY_TOKEN", "t"), endpoint, fips]);
    assert!(
        settings.primary.is_some() && errors.is_empty(),
        "{errors:?}"
    );
}
