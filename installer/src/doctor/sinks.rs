//! Checks whether the execution role has the permissions that the fallbacks and the token need. Pure.

use backstop_archive::{Need, NeedKind, is_alias};
use backstop_config::{Fallback, S3Archive, Settings};

use super::Check;
use super::settings::is_elsewhere;
use crate::aws::{Failure, Kind};
use crate::grants::{Decision, Permission};
use crate::plan::Bucket;
use crate::select::Function;

/// What was found out about a need.
pub(super) type Decided = (Need, Result<Decision, Failure>);

/// The check that a need belongs to.
fn check_of(kind: NeedKind) -> &'static str {
    match kind {
        NeedKind::Stream => "firehose",
        NeedKind::Objects => "archive",
        NeedKind::Key => "key",
        NeedKind::Secret
        | NeedKind::SecretKey
        | NeedKind::Parameter
        | NeedKind::ParameterKey
        | NeedKind::Ciphertext => "token",
    }
}

/// The archive in S3, where there is one.
pub(super) fn archive(settings: &Settings) -> Option<&S3Archive> {
    settings
        .fallbacks
        .iter()
        .find_map(|fallback| match fallback {
            Fallback::S3(archive) => Some(archive),
            Fallback::Firehose { .. } => None,
        })
}

pub(super) fn checks(
    function: &Function,
    settings: Option<&Settings>,
    decided: &[Decided],
) -> Vec<Check> {
    let Some(settings) = settings else {
        return Vec::new();
    };
    let mut checks: Vec<Check> = decided.iter().map(|it| allowed(function, it)).collect();
    if settings.fallbacks.is_empty() && !is_elsewhere(function, settings) {
        let found = "none: records that the primary does not accept are lost with the environment";
        let next = "set BACKSTOP_FIREHOSE_STREAM or BACKSTOP_S3_BUCKET";
        checks.push(Check::warning("fallbacks", found, next));
    }
    let alias = (archive(settings).and_then(|archive| archive.kms_key_id.as_ref()))
        .filter(|key| is_alias(key));
    if let Some(alias) = alias {
        let found = format!("{alias} is an alias, but policies name keys");
        let next = "grant kms:GenerateDataKey on the alias's key, or set the key's ARN";
        checks.push(Check::unknown("key", found, next));
    }
    checks
}

fn allowed(function: &Function, (need, decision): &Decided) -> Check {
    let (check, action) = (check_of(need.kind), need.kind.action());
    let what = Permission::from(need.clone()).to_string();
    let role = &function.role;
    match decision {
        Ok(Decision::Allowed) => Check::ok(check, format!("{role} may {what}")),
        Ok(Decision::Forbidden) => Check::problem(
            check,
            format!("a policy forbids {role} {what}"),
            "find the Deny statement: in the role's policies, its permissions boundary, or an \
             organization policy",
        ),
        // A key's own policy may allow what the role's do not; so may a bucket's, which is rarer.
        Ok(Decision::NotAllowed) if need.kind.action().starts_with("kms:") => Check::warning(
            check,
            format!("no policy of {role} allows {what}"),
            "grant it, unless the key policy does",
        ),
        Ok(Decision::NotAllowed) => {
            let unless = match need.kind {
                NeedKind::Objects => ", unless the bucket policy does",
                NeedKind::Secret => ", unless the secret's policy does",
                _ => "",
            };
            Check::problem(
                check,
                format!("{role} may not {action}"),
                format!("grant {what}{unless}"),
            )
        }
        Err(failure) if failure.kind == Kind::NotFound => Check::problem(
            check,
            format!("the execution role {role} does not exist"),
            "give the function an existing role: without one it cannot run",
        ),
        Err(failure) => Check::unanswered(check, failure, "iam:SimulatePrincipalPolicy"),
    }
}

/// Whether the archive's bucket is there, and where.
pub(super) fn bucket(
    archive: Option<&S3Archive>,
    found: Option<Result<Bucket, Failure>>,
) -> Vec<Check> {
    let (Some(archive), Some(found)) = (archive, found) else {
        return Vec::new();
    };
    let (name, region) = (&archive.bucket, &archive.region);
    vec![match found {
        Ok(Bucket { region: Some(is) }) if is != *region => Check::problem(
            "bucket",
            format!("{name} is in {is}, but the extension uses {region}"),
            format!("set BACKSTOP_S3_REGION={is}, or use a bucket in {region}"),
        ),
        Ok(Bucket { region: Some(is) }) => Check::ok("bucket", format!("{name} in {is}")),
        Ok(Bucket { region: None }) => Check::ok("bucket", format!("{name} exists")),
        Err(failure) if failure.kind == Kind::NotFound => Check::problem(
            "bucket",
            format!("{name} does not exist"),
            "create it, or correct BACKSTOP_S3_BUCKET",
        ),
        Err(failure) => {
            let owner = archive.expected_bucket_owner.as_ref();
            let owner = owner.map_or_else(String::new, |owner| {
                format!("; it may belong to an account other than {owner}")
            });
            let next = match failure.kind {
                Kind::Denied => format!("grant s3:ListBucket on it to the caller{owner}"),
                _ => "try again".to_owned(),
            };
            Check::unknown("bucket", failure.brief(), next)
        }
    }]
}
