//! References: where a token or the value of a header is kept.
//!
//! `{{secret:ARN#KEY}}`, `{{ssm:NAME}}` and `{{kms:CIPHERTEXT}}` within a value, and the same without
//! the braces in a variable of its own. Invariants: a reference that was accepted names one store and
//! one region; a message never quotes a value, because what is not a reference may be the token.
//!
//! Must not: ask a store.

use std::fmt;

use crate::arn::{Arn, DEFAULT_REGION};
use crate::error::Invalid;
use crate::secret::Secret;

const OPENS: &str = "{{";
const CLOSES: &str = "}}";
/// What `Decrypt` takes: 6,144 bytes, as Base64.
const LONGEST_CIPHERTEXT: usize = 8192;
/// What `GetParameter` takes.
const LONGEST_PARAMETER: usize = 2048;

/// A service that keeps secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// AWS Secrets Manager.
    SecretsManager,
    /// The Parameter Store of AWS Systems Manager.
    ParameterStore,
    /// AWS KMS, which decrypts what the variable holds.
    Kms,
}

impl Store {
    pub const ALL: [Self; 3] = [Self::SecretsManager, Self::ParameterStore, Self::Kms];

    /// Its name, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SecretsManager => "Secrets Manager",
            Self::ParameterStore => "Parameter Store",
            Self::Kms => "KMS",
        }
    }

    /// The name of its endpoints, and the one that requests are signed for.
    pub fn service(self) -> &'static str {
        match self {
            Self::SecretsManager => "secretsmanager",
            Self::ParameterStore => "ssm",
            Self::Kms => "kms",
        }
    }

    /// The variable of its endpoint alone.
    pub(crate) fn endpoint_variable(self) -> &'static str {
        match self {
            Self::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            Self::ParameterStore => "AWS_ENDPOINT_URL_SSM",
            Self::Kms => "AWS_ENDPOINT_URL_KMS",
        }
    }

    fn scheme(self) -> &'static str {
        match self {
            Self::SecretsManager => "secret:",
            Self::ParameterStore => "ssm:",
            Self::Kms => "kms:",
        }
    }
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    pub store: Store,
    /// The region in which it is asked.
    pub region: String,
    /// The ARN of the secret, the name or the ARN of the parameter, or the Base64 of what KMS decrypts.
    pub id: String,
    /// The key of the secret's JSON object.
    pub key: Option<String>,
}

impl Reference {
    /// `secret:ARN#KEY`, `ssm:NAME` or `kms:CIPHERTEXT`. `here` is the function's region, where it is known.
    pub(crate) fn parse(text: &str, here: Option<&str>) -> Result<Self, Invalid> {
        let of_store = |store: Store| Some((store, text.strip_prefix(store.scheme())?));
        let Some((store, rest)) = Store::ALL.into_iter().find_map(of_store) else {
            return Err(Invalid::new(
                "names no store of secrets: write secret:ARN, secret:ARN#KEY, ssm:NAME or \
                 kms:CIPHERTEXT",
            ));
        };
        Self::in_store(store, rest.trim(), here)
    }

    /// What the variable of one store holds.
    pub(crate) fn in_store(store: Store, text: &str, here: Option<&str>) -> Result<Self, Invalid> {
        match store {
            Store::SecretsManager => secret(text, here),
            Store::ParameterStore => parameter(text, here),
            Store::Kms => ciphertext(text, here),
        }
    }
}

/// Without the ciphertext, which is long and says nothing.
impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.store {
            Store::SecretsManager => write!(formatter, "the secret {}", self.id)?,
            Store::ParameterStore => write!(formatter, "the parameter {}", self.id)?,
            Store::Kms => formatter.write_str("the ciphertext for KMS")?,
        }
        match &self.key {
            Some(key) => write!(formatter, ", key {key}"),
            None => Ok(()),
        }
    }
}

fn secret(text: &str, here: Option<&str>) -> Result<Reference, Invalid> {
    let (id, key) = match text.split_once('#') {
        Some((id, key)) => (id, Some(key)),
        None => (text, None),
    };
    let is_secret = |arn: &Arn<'_>| {
        arn.is_of("secretsmanager")
            && arn
                .resource
                .strip_prefix("secret:")
                .is_some_and(|name| !name.is_empty() && is_made_of(name, b"/_+=.@-"))
    };
    let Some(arn) = Arn::parse(id).filter(is_secret) else {
        return Err(Invalid::new(
            "is not the ARN of a secret: write arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, \
             and #KEY at its end if the secret is a JSON object",
        ));
    };
    let is_key = |key: &str| !key.is_empty() && key.bytes().all(|it| matches!(it, b' '..=b'~'));
    if !key.is_none_or(is_key) {
        return Err(Invalid::new(
            "has a # that no key follows: write the name of a key of the secret's JSON object \
             after it, or remove it",
        ));
    }
    within_reach(arn, here)?;
    Ok(Reference {
        store: Store::SecretsManager,
        region: arn.region.to_owned(),
        id: id.to_owned(),
        key: key.map(str::to_owned),
    })
}

fn parameter(text: &str, here: Option<&str>) -> Result<Reference, Invalid> {
    let is_name =
        |name: &str| (1..=LONGEST_PARAMETER).contains(&name.len()) && is_made_of(name, b"/_.-");
    let is_parameter = |arn: &Arn<'_>| {
        arn.is_of("ssm") && arn.resource.strip_prefix("parameter/").is_some_and(is_name)
    };
    let arn = Arn::parse(text).filter(is_parameter);
    let region = match arn {
        Some(arn) => {
            within_reach(arn, here)?;
            arn.region
        }
        None if is_name(text) => known(here),
        None => {
            return Err(Invalid::new(
                "is not a parameter: write its name, such as /team/token, or its ARN \
                 (arn:aws:ssm:REGION:ACCOUNT:parameter/NAME)",
            ));
        }
    };
    Ok(Reference {
        store: Store::ParameterStore,
        region: region.to_owned(),
        id: text.to_owned(),
        key: None,
    })
}

fn ciphertext(text: &str, here: Option<&str>) -> Result<Reference, Invalid> {
    let digits = text.trim_end_matches('=');
    let is_base64 = !digits.is_empty()
        && text.len() - digits.len() <= 2
        && text.len() <= LONGEST_CIPHERTEXT
        && text.len().is_multiple_of(4)
        && is_made_of(digits, b"+/");
    if !is_base64 {
        return Err(Invalid::new(
            "is not a ciphertext of KMS in Base64: write what `aws kms encrypt --output text \
             --query CiphertextBlob` prints",
        ));
    }
    Ok(Reference {
        store: Store::Kms,
        region: known(here).to_owned(),
        id: text.to_owned(),
        key: None,
    })
}

fn is_made_of(text: &str, others: &[u8]) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

fn within_reach(arn: Arn<'_>, here: Option<&str>) -> Result<(), Invalid> {
    match arn.is_out_of_reach_of(here.unwrap_or(arn.region)) {
        Some(why) => Err(Invalid::new(format!("is {why}"))),
        None => Ok(()),
    }
}

/// The region, for what names none itself. Lambda sets it; without it, the one that the fallbacks use.
fn known(here: Option<&str>) -> &str {
    here.unwrap_or(DEFAULT_REGION)
}

/// A value with a reference in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    /// What the value begins with.
    pub before: Secret,
    /// The secret that follows.
    pub reference: Reference,
    /// What the value ends with.
    pub after: Secret,
}

impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Template")
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

impl Template {
    /// A value that is the secret and nothing else.
    pub(crate) fn bare(reference: Reference) -> Self {
        Self {
            before: Secret::new(""),
            reference,
            after: Secret::new(""),
        }
    }

    /// A value with `{{…}}` in it; `None` for any other.
    pub(crate) fn parse(text: &str, here: Option<&str>) -> Option<Result<Self, Invalid>> {
        let (before, rest) = text.split_once(OPENS)?;
        let begins = |store: Store| rest.starts_with(store.scheme());
        // Other braces are a value's own.
        if !Store::ALL.into_iter().any(begins) {
            return None;
        }
        let Some((inner, after)) = rest.split_once(CLOSES) else {
            return Some(Err(Invalid::new(
                "has a reference without its end: close it with }}",
            )));
        };
        if after.contains(OPENS) {
            return Some(Err(Invalid::new(
                "has more than one reference in a value: keep the whole value in one secret",
            )));
        }
        Some(Reference::parse(inner, here).map(|reference| Self {
            before: Secret::new(before),
            reference,
            after: Secret::new(after),
        }))
    }

    /// The value, with the secret in its place.
    pub fn fill(&self, secret: &str) -> Secret {
        Secret::new([self.before.expose(), secret, self.after.expose()].concat())
    }
}
