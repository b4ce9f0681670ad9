//! Checks whether the secrets that the primary's token and headers refer to exist, and which keys they
//! need, and whether the parameter with settings does. Reads no value of a secret.

use backstop_archive::is_alias;
use backstop_config::{Reference, References, Settings, Store};
use backstop_delivery::NoSecret;
use backstop_sinks::secret::Description;
use futures_util::future::join_all;

use super::Check;
use super::send::secrets;
use crate::fleet::Site;
use crate::select::Function;

const NAME: &str = "secret";
const SETTINGS: &str = "settings parameter";
const KEY: &str = "BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID";

/// Whether each is there, as far as the caller may know.
pub(super) async fn checks(
    site: &Site,
    function: &Function,
    settings: Option<&Settings>,
) -> Vec<Check> {
    let Some(settings) = settings else {
        return Vec::new();
    };
    let none = References::default();
    let references = settings.primary.as_ref().map_or(&none, |it| &it.references);
    if references.is_empty() && settings.parameter.is_none() {
        return Vec::new();
    }
    let secrets = match secrets(site, function) {
        Ok(secrets) => secrets,
        Err(check) => return vec![check],
    };
    let each = references.each();
    let asking = each.iter().map(|reference| async {
        let description = secrets.describe(reference).await;
        described(references, reference, description)
    });
    let mut checks = join_all(asking).await;
    if let Some(parameter) = &settings.parameter {
        let description = secrets.describe(parameter).await;
        checks.push(described_settings(parameter, description.as_ref()));
    }
    let alias = references.kms_key_id.as_ref();
    if let Some(alias) = alias.filter(|key| is_alias(key)) {
        let found = format!("{alias} is an alias, but policies name keys");
        let next = format!("grant kms:Decrypt on the alias's key, or set {KEY} to the key's ARN");
        checks.push(Check::unknown(NAME, found, next));
    }
    checks
}

/// A parameter with settings. One that cannot be read keeps every record in memory.
fn described_settings(
    parameter: &Reference,
    description: Option<&Result<Description, NoSecret>>,
) -> Check {
    match description {
        Some(Err(why)) => Check {
            check: SETTINGS,
            ..unread(parameter, *why)
        },
        Some(Ok(_)) | None => Check::ok(SETTINGS, format!("{parameter} exists")),
    }
}

fn described(
    references: &References,
    reference: &Reference,
    description: Option<Result<Description, NoSecret>>,
) -> Check {
    let has_key = references.kms_key_id.is_some();
    let found = match description {
        None if has_key => {
            let found = format!("{reference}: only a decryption shows whether it can be read");
            let next = "run `backstop doctor --send`, which decrypts it as the caller";
            return Check::unknown(NAME, found, next);
        }
        None => {
            let found = format!("{reference}: the key is not known, so it cannot be granted");
            return Check::warning(NAME, found, format!("set {KEY} to the key's ARN"));
        }
        Some(Ok(found)) => found,
        Some(Err(why)) => return unread(reference, why),
    };
    if found.is_deleted {
        let next = "restore it, or name another secret";
        return Check::problem(NAME, format!("{reference} is scheduled for deletion"), next);
    }
    match found.kms_key {
        Some(key) if !has_key => Check::warning(
            NAME,
            format!("{reference} is encrypted with {key}"),
            format!("set {KEY} to the key's ARN, so that kms:Decrypt can be granted and checked"),
        ),
        _ => Check::ok(NAME, format!("{reference} exists")),
    }
}

fn unread(reference: &Reference, why: NoSecret) -> Check {
    let found = format!("{reference}: {why}");
    match why.code {
        Some("ResourceNotFoundException" | "ParameterNotFound" | "ParameterVersionNotFound") => {
            let next = "create it, or correct the reference and its region";
            Check::problem(NAME, format!("{reference} does not exist"), next)
        }
        Some("AccessDeniedException" | "AccessDenied") => {
            let action = match reference.store {
                Store::SecretsManager => "secretsmanager:DescribeSecret",
                Store::ParameterStore | Store::Kms => "ssm:GetParameter",
            };
            Check::unknown(NAME, found, format!("grant {action} on it to the caller"))
        }
        _ => Check::unknown(NAME, found, "try again"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use backstop_config::Primary;

    use super::*;
    use crate::doctor::State;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-AbCdEf";

    fn primary(name: &str, value: &str, key: Option<&str>) -> Primary {
        let mut variables = BTreeMap::from([
            (format!("BACKSTOP_PRIMARY_TOKEN_{name}"), value.to_owned()),
            (
                "BACKSTOP_PRIMARY_URL".to_owned(),
                "https://host/".to_owned(),
            ),
            ("AWS_REGION".to_owned(), "eu-west-1".to_owned()),
        ]);
        variables.extend(key.map(|key| (KEY.to_owned(), key.to_owned())));
        let (settings, errors) = Settings::resolve(&variables);
        settings.primary.unwrap_or_else(|| panic!("{errors:?}"))
    }

    #[test]
    fn what_a_store_says_is_explained() {
        let refused = |code| {
            Some(Err(NoSecret {
                status: Some(400),
                code: Some(code),
                ..NoSecret::new("Secrets Manager", "answered")
            }))
        };
        let fine = || Some(Ok(Description::default()));
        let own_key = || {
            Some(Ok(Description {
                kms_key: Some("arn:aws:kms:eu-west-1:111122223333:key/k".to_owned()),
                is_deleted: false,
            }))
        };
        let deleted = Some(Ok(Description {
            is_deleted: true,
            ..Description::default()
        }));
        let key = Some("1234abcd-12ab-34cd-56ef-1234567890ab");
        for (name, value, key, description, state, words) in [
            ("SECRET_ARN", ARN, None, fine(), State::Ok, "exists"),
            (
                "SECRET_ARN",
                ARN,
                None,
                own_key(),
                State::Warning,
                "set BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID",
            ),
            ("SECRET_ARN", ARN, key, own_key(), State::Ok, "exists"),
            (
                "SECRET_ARN",
                ARN,
                None,
                deleted,
                State::Problem,
                "restore it",
            ),
            (
                "SECRET_ARN",
                ARN,
                None,
                refused("ResourceNotFoundException"),
                State::Problem,
                "does not exist",
            ),
            (
                "SECRET_ARN",
                ARN,
                None,
                refused("AccessDeniedException"),
                State::Unknown,
                "DescribeSecret",
            ),
            (
                "SSM_PARAMETER",
                "/token",
                None,
                refused("AccessDeniedException"),
                State::Unknown,
                "ssm:GetParameter",
            ),
            (
                "SSM_PARAMETER",
                "/token",
                None,
                refused("ThrottlingException"),
                State::Unknown,
                "try again",
            ),
            (
                "KMS",
                "AQIC",
                None,
                None,
                State::Warning,
                "the key is not known",
            ),
            ("KMS", "AQIC", key, None, State::Unknown, "--send"),
        ] {
            let primary = primary(name, value, key);
            let each = primary.references.each();
            let check = described(&primary.references, each[0], description);
            let shown = format!("{check:?}");
            assert_eq!(check.state, state, "{shown}");
            assert!(shown.contains(words), "{shown}");
        }
    }

    #[test]
    fn a_parameter_with_settings_is_a_check_of_its_own() {
        let variables = BTreeMap::from([
            ("BACKSTOP_CONFIG".to_owned(), "ssm:/settings".to_owned()),
            ("AWS_REGION".to_owned(), "eu-west-1".to_owned()),
        ]);
        let parameter = Settings::resolve(&variables).0.parameter;
        let parameter = parameter.expect("a parameter");
        let refused = |code| {
            Some(Err(NoSecret {
                code: Some(code),
                ..NoSecret::new("Parameter Store", "answered")
            }))
        };
        for (description, state, words) in [
            (
                Some(Ok(Description::default())),
                State::Ok,
                "/settings exists",
            ),
            (refused("ParameterNotFound"), State::Problem, "create it"),
            (
                refused("AccessDeniedException"),
                State::Unknown,
                "ssm:GetParameter",
            ),
        ] {
            let check = described_settings(&parameter, description.as_ref());
            let shown = format!("{check:?}");
            assert_eq!((check.check, check.state), (SETTINGS, state), "{shown}");
            assert!(shown.contains(words), "{shown}");
        }
    }
}
