//! Reads what the primary's token and headers refer to: from Secrets Manager, the Parameter Store, or
//! through KMS.
//!
//! Each is one call of AWS' JSON protocol over the shared client, signed by the signer that the SDK
//! clients use; three more SDK clients would cost the layer more than this module. Invariants: nothing is
//! asked before it is needed; a value is in memory only, and no error holds any part of it or of what a
//! store answered.
//!
//! Must not: retry, or decide when to read again. The chain and the sink do.

mod ask;
mod value;

use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use backstop_config::{AwsSettings, Primary, Reference, Secret, Store, Template};
use backstop_delivery::NoSecret;
use tokio::time::timeout;

pub use value::of as value;

use crate::aws::Credentials;
use crate::http::SharedHttp;

/// The longest that a store may take for one secret, whatever the budget leaves.
const LONGEST: Duration = Duration::from_secs(5);
/// Who is asked, where it is more than one.
const SEVERAL: &str = "a store of secrets";

#[derive(Clone)]
pub struct Secrets {
    http: SharedHttp,
    aws: AwsSettings,
    credentials: SharedCredentialsProvider,
    function: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Secrets")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads with the credentials of the environment, as a function does. `function` is its name, which is
    /// in the encryption context of what KMS decrypts.
    pub fn of_function(http: SharedHttp, aws: AwsSettings, function: &str) -> Self {
        let credentials = Credentials::new(aws.clone(), http.clone());
        let credentials = SharedCredentialsProvider::new(credentials);
        Self::new(http, aws, credentials, function)
    }

    /// Reads with these credentials.
    pub fn new(
        http: SharedHttp,
        aws: AwsSettings,
        credentials: SharedCredentialsProvider,
        function: &str,
    ) -> Self {
        Self {
            http,
            aws,
            credentials,
            function: function.to_owned(),
        }
    }

    /// The primary with each secret in its place, and no reference.
    pub async fn resolve(&self, primary: &Primary) -> Result<Primary, NoSecret> {
        let references = &primary.references;
        let mut read = Vec::new();
        for reference in references.each() {
            let key = references.kms_key_id.as_deref();
            read.push((reference, self.read(reference, key).await?));
        }
        let fill = |template: &Template| {
            let mut known = read.iter();
            let (_, secret) = known.find(|(it, _)| **it == template.reference)?;
            Some(template.fill(secret.expose()))
        };
        let mut filled = primary.clone();
        filled.references = backstop_config::References::default();
        if let Some(template) = &references.token {
            let token = fill(template).filter(|it| value::is_token(it.expose()));
            filled.token = Some(token.ok_or_else(|| value::unfit(&template.reference))?);
        }
        for (name, template) in &references.headers {
            let value = fill(template).ok_or_else(|| value::unfit(&template.reference))?;
            filled.headers.push((name.clone(), value));
        }
        Ok(filled)
    }

    /// What a store says of a secret, without its value; none of KMS, which would have to decrypt it.
    pub async fn describe(&self, reference: &Reference) -> Option<Result<Description, NoSecret>> {
        let question = ask::Question::describing(reference)?;
        let answer = self.answer(reference, question).await;
        Some(answer.and_then(|answer| value::description(reference, &answer)))
    }

    /// The text of a parameter, whatever it has in it.
    pub async fn parameter(&self, reference: &Reference) -> Result<Secret, NoSecret> {
        let question = ask::Question::reading(reference, None, &self.function);
        let answer = self.answer(reference, question).await?;
        value::parameter(&answer).map(Secret::new)
    }

    async fn read(&self, reference: &Reference, key: Option<&str>) -> Result<Secret, NoSecret> {
        let question = ask::Question::reading(reference, key, &self.function);
        let answer = self.answer(reference, question).await?;
        value::of(reference, &answer)
    }

    async fn answer(
        &self,
        reference: &Reference,
        question: ask::Question,
    ) -> Result<Vec<u8>, NoSecret> {
        let asking = timeout(LONGEST, self.ask(reference, question));
        let late = |_| NoSecret::timed_out(reference.store.as_str());
        asking.await.map_err(late)?
    }
}

/// What a store says of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// The key that encrypts it, where that is not the one that AWS manages.
    pub kms_key: Option<String>,
    /// It is scheduled for deletion, and cannot be read.
    pub is_deleted: bool,
}

/// Who is asked for these.
pub(crate) fn store(references: &[&Reference]) -> &'static str {
    let stores = Store::ALL.into_iter();
    let mut used = stores.filter(|store| references.iter().any(|it| it.store == *store));
    match (used.next(), used.next()) {
        (Some(store), None) => store.as_str(),
        _ => SEVERAL,
    }
}
