//! What an execution role must be allowed, for the fallbacks to work and the primary's token and the settings
//! to be read.
//!
//! The sinks make two calls. `PutRecordBatch` needs `firehose:PutRecordBatch` on the stream. `PutObject`
//! needs `s3:PutObject` on the object, and `kms:GenerateDataKey` on the key where the request names one.
//! Objects are written with a single call each, so neither `s3:AbortMultipartUpload` nor `kms:Decrypt`,
//! which S3 needs for the parts of a multipart upload, is among them.
//!
//! A token or a header that is kept elsewhere needs the one call that reads it. The key of a secret or a
//! parameter, and the key that encrypted a ciphertext, need `kms:Decrypt` where the settings name one: the
//! keys that AWS manages for those services need nothing.
//!
//! Everything that grants, asks for or documents these permissions is tested against `permissions.json`,
//! which a test of this module writes from [`needs`].
//!
//! Must not: ask AWS.

use backstop_config::{Fallback, Reference, References, S3Archive, Settings, Store};
use serde_json::{Value, json};

use crate::key::root;

/// The services through which a key is used.
const VIA_S3: &str = "s3.*";

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What needs it.
    pub kind: NeedKind,
    /// The resource's ARN, as a policy names it: with a `*` at its end for the objects of an archive.
    pub resource: String,
}

/// What a permission is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeedKind {
    /// Writing to a delivery stream.
    Stream,
    /// Writing objects of the archive.
    Objects,
    /// Encrypting those objects.
    Key,
    /// Reading a secret.
    Secret,
    /// Decrypting that secret.
    SecretKey,
    /// Reading a parameter.
    Parameter,
    /// Decrypting that parameter.
    ParameterKey,
    /// Decrypting what a variable holds.
    Ciphertext,
}

impl NeedKind {
    pub const ALL: [Self; 8] = [
        Self::Stream,
        Self::Objects,
        Self::Key,
        Self::Secret,
        Self::SecretKey,
        Self::Parameter,
        Self::ParameterKey,
        Self::Ciphertext,
    ];

    pub fn action(self) -> &'static str {
        match self {
            Self::Stream => "firehose:PutRecordBatch",
            Self::Objects => "s3:PutObject",
            Self::Key => "kms:GenerateDataKey",
            Self::Secret => "secretsmanager:GetSecretValue",
            Self::Parameter => "ssm:GetParameter",
            Self::SecretKey | Self::ParameterKey | Self::Ciphertext => "kms:Decrypt",
        }
    }

    /// The value of `kms:ViaService` to which a policy restricts the action.
    pub fn via(self) -> Option<&'static str> {
        match self {
            Self::Key => Some(VIA_S3),
            Self::SecretKey => Some("secretsmanager.*"),
            Self::ParameterKey => Some("ssm.*"),
            Self::Stream | Self::Objects | Self::Secret | Self::Parameter | Self::Ciphertext => {
                None
            }
        }
    }
}

impl Need {
    /// The statement of a policy that allows it.
    pub fn statement(&self) -> Value {
        let mut statement = json!({
            "Effect": "Allow",
            "Action": self.kind.action(),
            "Resource": self.resource,
        });
        if let Some(via) = self.kind.via() {
            statement["Condition"] = json!({ "StringLike": { "kms:ViaService": via } });
        }
        statement
    }
}

/// What a role of this account needs, for a function with these settings.
pub fn needs(settings: &Settings, partition: &str, account: &str) -> Vec<Need> {
    let mut needs = of_fallbacks(&settings.fallbacks, partition, account);
    let references = settings.primary.as_ref().map(|it| &it.references);
    needs.extend(references.map_or_else(Vec::new, |it| of_secrets(it, partition, account)));
    let parameter = settings.parameter.as_ref().map(|parameter| Need {
        kind: NeedKind::Parameter,
        resource: parameter_arn(parameter, partition, account),
    });
    needs.extend(parameter.filter(|need| !needs.contains(need)));
    needs
}

fn of_fallbacks(fallbacks: &[Fallback], partition: &str, account: &str) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut need = |kind, resource| needs.push(Need { kind, resource });
    for fallback in fallbacks {
        match fallback {
            Fallback::Firehose {
                stream,
                region,
                account: named,
            } => {
                let account = named.as_deref().unwrap_or(account);
                need(
                    NeedKind::Stream,
                    format!("arn:{partition}:firehose:{region}:{account}:deliverystream/{stream}"),
                );
            }
            Fallback::S3(archive) => {
                let root = root(&archive.prefix);
                need(
                    NeedKind::Objects,
                    format!("arn:{partition}:s3:::{}/{root}*", archive.bucket),
                );
                if let Some(key) = key_of(archive, partition, account) {
                    need(NeedKind::Key, key);
                }
            }
        }
    }
    needs
}

/// What reading these secrets needs; each once.
fn of_secrets(references: &References, partition: &str, account: &str) -> Vec<Need> {
    let mut needs = Vec::new();
    for reference in references.each() {
        let region = &reference.region;
        let key = references.kms_key_id.as_deref();
        let key = key.and_then(|key| key_arn(key, partition, region, account));
        let (read, decrypt) = match reference.store {
            Store::SecretsManager => (
                Some((NeedKind::Secret, secret_arn(&reference.id))),
                NeedKind::SecretKey,
            ),
            Store::ParameterStore => (
                Some((
                    NeedKind::Parameter,
                    parameter_arn(reference, partition, account),
                )),
                NeedKind::ParameterKey,
            ),
            Store::Kms => (None, NeedKind::Ciphertext),
        };
        let key = key.map(|key| (decrypt, key));
        for (kind, resource) in read.into_iter().chain(key) {
            let need = Need { kind, resource };
            // Two keys of one secret's object are one secret.
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
    }
    needs
}

/// A secret's ARN ends in six characters that Secrets Manager chose; a request may leave them out, and a
/// policy may not.
fn secret_arn(arn: &str) -> String {
    let is_whole = arn.rsplit_once('-').is_some_and(|(_, suffix)| {
        suffix.len() == 6 && suffix.bytes().all(|it| it.is_ascii_alphanumeric())
    });
    let rest = if is_whole { "" } else { "-??????" };
    format!("{arn}{rest}")
}

fn parameter_arn(reference: &Reference, partition: &str, account: &str) -> String {
    let (region, id) = (&reference.region, &reference.id);
    if id.starts_with("arn:") {
        return id.clone();
    }
    // The slash that a name begins with is the one before it.
    let name = id.strip_prefix('/').unwrap_or(id);
    format!("arn:{partition}:ssm:{region}:{account}:parameter/{name}")
}

/// The ARN of the archive's key. S3 looks for an id in the caller's account and the bucket's region.
fn key_of(archive: &S3Archive, partition: &str, account: &str) -> Option<String> {
    let key = archive.kms_key_id.as_deref()?;
    key_arn(key, partition, &archive.region, account)
}

/// None for an alias.
fn key_arn(key: &str, partition: &str, region: &str, account: &str) -> Option<String> {
    match key {
        alias if is_alias(alias) => None,
        arn if arn.starts_with("arn:") => Some(arn.to_owned()),
        id => Some(format!("arn:{partition}:kms:{region}:{account}:key/{id}")),
    }
}

/// Whether this names an alias, which a policy cannot: the key behind it is what has to be granted.
pub fn is_alias(key: &str) -> bool {
    key.starts_with("alias/") || key.contains(":alias/")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use backstop_config::Settings;

    use super::*;

    const ACCOUNT: &str = "111122223333";
    const REGION: &str = "eu-west-1";
    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-AbCdEf";
    const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    /// The cases of the file: settings that differ in what they need.
    fn cases() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
        let set = |name: &'static str, value: &str| (name, value.to_owned());
        let stream = || set("BACKSTOP_FIREHOSE_STREAM", "logs");
        let bucket = || set("BACKSTOP_S3_BUCKET", "archive");
        let key = |value: &str| set("BACKSTOP_S3_KMS_KEY_ID", value);
        let arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY}");
        vec![
            ("no fallback", vec![]),
            ("a stream", vec![stream()]),
            (
                "a stream by its ARN",
                vec![set(
                    "BACKSTOP_FIREHOSE_STREAM",
                    "arn:aws:firehose:us-east-2:111122223333:deliverystream/logs",
                )],
            ),
            ("a bucket", vec![bucket()]),
            (
                "a bucket by its ARN, and a prefix",
                vec![
                    set("BACKSTOP_S3_BUCKET", "arn:aws:s3:::archive"),
                    set("BACKSTOP_S3_PREFIX", "/team/logs/"),
                ],
            ),
            ("a key by its ARN", vec![bucket(), key(&arn)]),
            (
                "a key by its id, in the bucket's region",
                vec![bucket(), set("BACKSTOP_S3_REGION", "us-east-2"), key(KEY)],
            ),
            (
                "a key by an alias, which no policy can name",
                vec![bucket(), key("alias/logs")],
            ),
            ("a stream and a bucket", vec![stream(), bucket()]),
            (
                "a stream and a bucket, of which only one is used",
                vec![stream(), bucket(), set("BACKSTOP_FALLBACK", "s3")],
            ),
        ]
    }

    /// Settings whose token or headers are kept elsewhere.
    fn token_cases() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
        let set = |name: &'static str, value: &str| (name, value.to_owned());
        let bucket = || set("BACKSTOP_S3_BUCKET", "archive");
        let arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY}");
        let url = || set("BACKSTOP_PRIMARY_URL", "https://intake.example.com");
        let token = |name: &str, value: &str| match name {
            "SECRET_ARN" => set("BACKSTOP_PRIMARY_TOKEN_SECRET_ARN", value),
            "SSM_PARAMETER" => set("BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER", value),
            "KMS" => set("BACKSTOP_PRIMARY_TOKEN_KMS", value),
            _ => set("BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID", value),
        };
        vec![
            (
                "a token in a secret",
                vec![url(), token("SECRET_ARN", SECRET)],
            ),
            (
                "a token under a key of a secret, in another region and with a key",
                vec![
                    url(),
                    token(
                        "SECRET_ARN",
                        "arn:aws:secretsmanager:us-east-2:444455556666:secret:team/token-AbCdEf#api",
                    ),
                    token(
                        "KMS_KEY_ID",
                        "arn:aws:kms:us-east-2:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                    ),
                ],
            ),
            (
                "a token in a secret whose ARN is not whole",
                vec![
                    url(),
                    token(
                        "SECRET_ARN",
                        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:token",
                    ),
                ],
            ),
            (
                "a token in a parameter, and a key",
                vec![
                    url(),
                    token("SSM_PARAMETER", "/team/token"),
                    token("KMS_KEY_ID", KEY),
                ],
            ),
            (
                "a token in a parameter by its ARN",
                vec![
                    url(),
                    token(
                        "SSM_PARAMETER",
                        "arn:aws:ssm:us-east-2:111122223333:parameter/token",
                    ),
                ],
            ),
            (
                "a token that KMS decrypts",
                vec![url(), token("KMS", "AQIC"), token("KMS_KEY_ID", &arn)],
            ),
            (
                "settings in a parameter, which needs no primary",
                vec![bucket(), set("BACKSTOP_CONFIG", "ssm:/team/backstop")],
            ),
            (
                "settings in a parameter by its ARN",
                vec![
                    url(),
                    set(
                        "BACKSTOP_CONFIG",
                        "ssm:arn:aws:ssm:us-east-2:111122223333:parameter/backstop",
                    ),
                ],
            ),
            (
                "settings and the token in one parameter, with a key",
                vec![
                    url(),
                    token("SSM_PARAMETER", "/team/token"),
                    token("KMS_KEY_ID", KEY),
                    set("BACKSTOP_CONFIG", "ssm:/team/token"),
                ],
            ),
            (
                "settings in a file, which needs nothing",
                vec![bucket(), set("BACKSTOP_CONFIG", "backstop.env")],
            ),
            (
                "headers in a secret and a parameter, and a bucket",
                vec![
                    bucket(),
                    url(),
                    set(
                        "BACKSTOP_PRIMARY_HEADERS",
                        "x-a={{secret:arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-AbCdEf#a}},x-b={{secret:arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-AbCdEf#b}},x-c={{ssm:token}}",
                    ),
                ],
            ),
        ]
    }

    #[test]
    fn the_permissions_are_those_of_the_file() {
        let cases: Vec<Value> = (cases().into_iter().chain(token_cases()))
            .map(|(case, set)| {
                let mut variables: BTreeMap<String, String> = (set.into_iter())
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect();
                let shown = variables.clone();
                variables.insert("AWS_REGION".to_owned(), REGION.to_owned());
                let (settings, _) = Settings::resolve(&variables);
                let needs = needs(&settings, "aws", ACCOUNT);
                let statements: Vec<Value> = needs.iter().map(Need::statement).collect();
                json!({ "case": case, "environment": shown, "statements": statements })
            })
            .collect();
        let file = json!({
            "about": "What an execution role needs, by the function's environment. Generated from crates/archive/src/needs.rs by `BACKSTOP_BLESS=1 cargo test -p backstop-archive`.",
            "account": ACCOUNT,
            "region": REGION,
            "cases": cases,
        });
        let text = format!("{file:#}\n");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/permissions.json");
        if std::env::var_os("BACKSTOP_BLESS").is_some_and(|value| value == "1") {
            std::fs::write(path, &text).expect("the file can be written");
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            found, text,
            "permissions.json differs: run BACKSTOP_BLESS=1 cargo test -p backstop-archive"
        );
    }

    #[test]
    fn other_partitions_and_archives_without_a_prefix_are_named() {
        let archive = S3Archive {
            bucket: "archive".to_owned(),
            prefix: String::new(),
            region: "cn-north-1".to_owned(),
            kms_key_id: Some("mrk-1".to_owned()),
            expected_bucket_owner: None,
        };
        let resources = |archive| -> Vec<String> {
            let needs = of_fallbacks(&[Fallback::S3(archive)], "aws-cn", ACCOUNT);
            needs.into_iter().map(|it| it.resource).collect()
        };
        assert_eq!(
            resources(archive.clone()),
            [
                "arn:aws-cn:s3:::archive/v1/*",
                "arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-1"
            ]
        );
        let alias = S3Archive {
            kms_key_id: Some("arn:aws-cn:kms:cn-north-1:111122223333:alias/logs".to_owned()),
            ..archive
        };
        assert_eq!(resources(alias), ["arn:aws-cn:s3:::archive/v1/*"]);
    }
}
