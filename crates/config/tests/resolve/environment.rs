//! The standard variables: AWS, Lambda, certificate authorities.

use backstop_config::{
    AwsSettings, CaFile, ContainerCredentials, FunctionSettings, InitializationType, S3Endpoint,
    Secret,
};

use crate::{resolve, with_bucket};

#[test]
fn an_empty_environment_resolves_to_the_defaults_of_the_platform() {
    let (settings, _) = resolve(&[]);
    let aws = AwsSettings {
        region: "us-east-1".to_owned(),
        use_fips: false,
        use_dual_stack: false,
        endpoint_s3: None,
        endpoint_firehose: None,
        endpoint_secrets_manager: None,
        endpoint_ssm: None,
        endpoint_kms: None,
        access_key_id: None,
        secret_access_key: None,
        session_token: None,
        container_credentials: None,
    };
    let function = FunctionSettings {
        name: String::new(),
        version: "$LATEST".to_owned(),
        memory_mb: 128,
        initialization_type: InitializationType::OnDemand,
        runtime_api: None,
    };
    assert_eq!(
        (settings.aws, settings.function, settings.ca_files),
        (aws, function, Vec::new())
    );
}

#[test]
fn everything_of_the_platform_is_read() {
    let (settings, errors) = resolve(&[
        ("BACKSTOP_S3_BUCKET", "archive"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-2"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
        ("AWS_ENDPOINT_URL_S3", "https://s3.internal:9000/"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "session"),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://127.0.0.1:80/credentials",
        ),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "authorization"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/tmp/token"),
        ("AWS_LAMBDA_FUNCTION_NAME", "checkout"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start"),
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("SSL_CERT_FILE", "/opt/ca.pem"),
        ("AWS_CA_BUNDLE", "/opt/proxy.pem"),
    ]);
    assert_eq!(errors, [""; 0]);
    let aws = AwsSettings {
        region: "eu-west-1".to_owned(),
        use_fips: false,
        use_dual_stack: false,
        endpoint_s3: Some(S3Endpoint {
            url: "https://s3.internal:9000".to_owned(),
            path_style: true,
        }),
        endpoint_firehose: Some("http://127.0.0.1:4566".to_owned()),
        endpoint_secrets_manager: Some("http://127.0.0.1:4566".to_owned()),
        endpoint_ssm: Some("http://127.0.0.1:4566".to_owned()),
        endpoint_kms: Some("http://127.0.0.1:4566".to_owned()),
        access_key_id: Some("AKIA".to_owned()),
        secret_access_key: Some(Secret::new("secret")),
        session_token: Some(Secret::new("session")),
        container_credentials: Some(ContainerCredentials {
            full_uri: "http://127.0.0.1:80/credentials".to_owned(),
            token: Some(Secret::new("authorization")),
            token_file: Some("/tmp/token".to_owned()),
        }),
    };
    let function = FunctionSettings {
        name: "checkout".to_owned(),
        version: "7".to_owned(),
        memory_mb: 1024,
        initialization_type: InitializationType::SnapStart,
        runtime_api: Some("127.0.0.1:9001".to_owned()),
    };
    assert_eq!(settings.aws, aws);
    assert_eq!(settings.function, function);
    let file = |variable, path: &str| CaFile {
        variable,
        path: path.to_owned(),
    };
    assert_eq!(
        settings.ca_files,
        [
            file("SSL_CERT_FILE", "/opt/ca.pem"),
            file("AWS_CA_BUNDLE", "/opt/proxy.pem"),
        ]
    );
}

#[test]
fn the_region_comes_from_the_first_variable_that_is_valid() {
    let invalid = "is not the name of a region, such as us-east-1: correct it; it is left out";
    let cases = [
        (
            ("AWS_REGION", ""),
            ("AWS_DEFAULT_REGION", "eu-west-2"),
            "eu-west-2",
            None,
        ),
        (
            ("AWS_REGION", "a/b"),
            ("AWS_DEFAULT_REGION", "eu-west-2"),
            "eu-west-2",
            Some(invalid),
        ),
        (
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "a/b"),
            "eu-west-1",
            None,
        ),
    ];
    for (first, second, expected, error) in cases {
        let (settings, errors) = resolve(&[("BACKSTOP_S3_BUCKET", "archive"), first, second]);
        assert_eq!(settings.aws.region, expected);
        let expected: Vec<String> = error
            .iter()
            .map(|error| format!("AWS_REGION {error}"))
            .collect();
        assert_eq!(errors, expected);
    }
}

#[test]
fn an_endpoint_that_is_not_valid_is_left_out() {
    let cases = [
        (
            "localhost:4566",
            "is \"localhost:4566\": begin it with https://",
        ),
        (
            "https://a:b@host",
            "is \"https://***\": remove the user name and the password",
        ),
        (
            "https://host/?a=b",
            "is \"https://host/?***\": remove the query",
        ),
    ];
    for (text, problem) in cases {
        let (settings, errors) = with_bucket("AWS_ENDPOINT_URL", text);
        assert_eq!(settings.aws.endpoint_s3, None);
        assert_eq!(settings.aws.endpoint_firehose, None);
        assert_eq!(
            errors,
            [format!(
                "AWS_ENDPOINT_URL {problem}; the endpoint of AWS is used"
            )]
        );
    }
}

#[test]
fn every_initialization_type_is_known_and_a_new_one_is_kept() {
    let cases = [
        ("on-demand", InitializationType::OnDemand),
        (
            "provisioned-concurrency",
            InitializationType::ProvisionedConcurrency,
        ),
        ("snap-start", InitializationType::SnapStart),
        (
            "lambda-managed-instances",
            InitializationType::ManagedInstances,
        ),
        (
            "next-year",
            InitializationType::Other("next-year".to_owned()),
        ),
    ];
    for (text, expected) in cases {
        let (settings, errors) = with_bucket("AWS_LAMBDA_INITIALIZATION_TYPE", text);
        assert_eq!(settings.function.initialization_type, expected);
        assert_eq!(errors, [""; 0]);
    }
}
