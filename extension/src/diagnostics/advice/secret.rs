//! What an operator does about a secret that cannot be read.

use backstop_config::Store;
use backstop_delivery::NoSecret;

/// By the store, and by what it answered.
pub(super) fn of_secret(why: NoSecret) -> &'static str {
    let store = Store::ALL.into_iter().find(|it| it.as_str() == why.store);
    let Some(store) = store else {
        return if why.timed_out {
            UNREACHED
        } else {
            "The primary's token cannot be read, as there are no credentials: records are diverted"
        };
    };
    match (why.code, why.status) {
        (Some(code), _) => of_code(store, code),
        (None, Some(403)) => denied(store),
        (None, Some(_)) => {
            "The store of the primary's token does not answer as AWS does: see whether a proxy or an \
             endpoint answers in its place; records are diverted"
        }
        (None, None) if why.may_pass => UNREACHED,
        (None, None) => {
            "The primary's token cannot be used as it is stored: the detail says why; records are \
             diverted until it is corrected"
        }
    }
}

const UNREACHED: &str = "The store of the primary's token did not answer: a function in a VPC needs \
    an endpoint or a NAT gateway to reach it; records are diverted until it answers";

fn of_code(store: Store, code: &str) -> &'static str {
    match code {
        "AccessDenied" | "AccessDeniedException" | "KMSAccessDeniedException" => denied(store),
        "ResourceNotFoundException"
        | "ParameterNotFound"
        | "ParameterVersionNotFound"
        | "NotFoundException" => match store {
            Store::SecretsManager => {
                "The secret with the primary's token does not exist, or has no current version: \
                 check its ARN; records are diverted"
            }
            Store::ParameterStore => {
                "The parameter with the primary's token does not exist in this region: check its \
                 name, or use its ARN; records are diverted"
            }
            Store::Kms => {
                "The KMS key of the primary's token does not exist in the function's region: check \
                 BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID; records are diverted"
            }
        },
        "InvalidCiphertextException" | "IncorrectKeyException" => {
            "KMS cannot decrypt the primary's token: encrypt it in the function's region, with the \
             encryption context LambdaFunctionName and the function's name; records are diverted"
        }
        "DecryptionFailure"
        | "DisabledException"
        | "InvalidKeyId"
        | "InvalidKeyUsageException"
        | "KMSInvalidStateException" => {
            "The KMS key of the primary's token cannot be used: check that it exists and is enabled, \
             and that the role may kms:Decrypt with it; records are diverted"
        }
        "InvalidRequestException" if store == Store::SecretsManager => {
            "The secret with the primary's token cannot be read, as it may be scheduled for \
             deletion: restore it or set another one; records are diverted"
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "UnrecognizedClientException" => {
            "The store of the primary's token does not accept the role's credentials: records are \
             diverted"
        }
        "Throttling" | "ThrottlingException" | "TooManyRequestsException" => {
            "The store of the primary's token throttles: records are diverted until it answers; \
             raise the quota of its service"
        }
        _ => "The store of the primary's token refuses to give it: records are diverted",
    }
}

fn denied(store: Store) -> &'static str {
    match store {
        Store::SecretsManager => {
            "Secrets Manager denied access to the primary's token: allow the function's role \
             secretsmanager:GetSecretValue on the secret, and kms:Decrypt on its key if that is your \
             own; records are diverted"
        }
        Store::ParameterStore => {
            "Parameter Store denied access to the primary's token: allow the function's role \
             ssm:GetParameter on the parameter, and kms:Decrypt on its key if that is your own; \
             records are diverted"
        }
        Store::Kms => {
            "KMS denied access to the primary's token: allow the function's role kms:Decrypt on its \
             key; records are diverted"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_says_chooses_the_sentence() {
        let answered = |store, code, status| NoSecret {
            code,
            status: Some(status),
            ..NoSecret::new(store, "answered")
        };
        let denied = Some("AccessDeniedException");
        for (why, words) in [
            (
                answered("Secrets Manager", denied, 400),
                "secretsmanager:GetSecretValue",
            ),
            (answered("Parameter Store", denied, 400), "ssm:GetParameter"),
            (answered("KMS", denied, 400), "kms:Decrypt on its key;"),
            (
                answered("KMS", Some("InvalidCiphertextException"), 400),
                "LambdaFunctionName",
            ),
            (
                answered("Secrets Manager", Some("ResourceNotFoundException"), 400),
                "check its ARN",
            ),
            (
                answered("Parameter Store", Some("ParameterNotFound"), 400),
                "check its name",
            ),
            (
                answered("Secrets Manager", Some("InvalidRequestException"), 400),
                "deletion",
            ),
            (answered("Secrets Manager", None, 502), "a proxy"),
            (NoSecret::timed_out("Secrets Manager"), "in a VPC"),
            (NoSecret::timed_out("a store of secrets"), "in a VPC"),
            (NoSecret::passing("KMS", "cannot be reached"), "in a VPC"),
            (
                NoSecret::new("KMS", "holds an empty value"),
                "as it is stored",
            ),
            (
                NoSecret::passing("no credentials:", "none is set"),
                "no credentials",
            ),
        ] {
            let said = of_secret(why);
            assert!(said.contains(words), "{why}: {said}");
        }
    }
}
