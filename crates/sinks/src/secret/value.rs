//! The secret in a store's answer.
//!
//! Invariant: what is wrong with a value is said without the value.

use backstop_config::{Reference, Secret, Store};
use backstop_delivery::NoSecret;
use backstop_json::Json;
use serde::Deserialize;
use serde_json::Value;

use super::Description;

/// What an answer says of a secret, without its value.
pub(super) fn description(reference: &Reference, answer: &[u8]) -> Result<Description, NoSecret> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        kms_key_id: Option<String>,
        deleted_date: Option<f64>,
    }
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|_| NoSecret::passing(reference.store.as_str(), FOREIGN))?;
    let is_managed = |key: &String| key.ends_with("alias/aws/secretsmanager");
    Ok(Description {
        kms_key: answer.kms_key_id.filter(|key| !is_managed(key)),
        is_deleted: answer.deleted_date.is_some(),
    })
}

/// The secret that the body of a store's answer gives to a reference.
pub fn of(reference: &Reference, answer: &[u8]) -> Result<Secret, NoSecret> {
    let store = reference.store.as_str();
    let no = |what| NoSecret::new(store, what);
    // A page that a proxy sends as a success; serde's message would quote it.
    let foreign = NoSecret::passing(store, FOREIGN);
    let text = match reference.store {
        Store::SecretsManager => {
            #[derive(Deserialize)]
            #[serde(rename_all = "PascalCase")]
            struct Answer {
                #[serde(rename = "ARN")]
                _arn: String,
                secret_string: Option<String>,
            }
            let answer: Answer = serde_json::from_slice(answer).map_err(|_| foreign)?;
            let text = answer.secret_string;
            text.ok_or(no("holds a binary secret: store the token as text"))?
        }
        Store::ParameterStore => parameter(answer)?,
        Store::Kms => {
            #[derive(Deserialize)]
            #[serde(rename_all = "PascalCase")]
            struct Answer {
                plaintext: String,
            }
            let answer: Answer = serde_json::from_slice(answer).map_err(|_| foreign)?;
            let plain = aws_smithy_types::base64::decode(answer.plaintext).map_err(|_| foreign)?;
            String::from_utf8(plain).map_err(|_| no(UNFIT))?
        }
    };
    let text = match &reference.key {
        Some(key) => member(&text, key).map_err(no)?,
        None if is_object(&text) => {
            return Err(no(
                "holds a JSON object: name one of its keys by #KEY after the ARN",
            ));
        }
        None => text,
    };
    // An editor or a shell leaves a line break at the end.
    let text = text.trim();
    if text.is_empty() {
        return Err(no("holds an empty value"));
    }
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(no(UNFIT));
    }
    Ok(Secret::new(text))
}

/// The text of a parameter, from the answer of its store.
pub(super) fn parameter(answer: &[u8]) -> Result<String, NoSecret> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Parameter {
        value: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        parameter: Parameter,
    }
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|_| NoSecret::passing(Store::ParameterStore.as_str(), FOREIGN))?;
    Ok(answer.parameter.value)
}

const FOREIGN: &str = "answered with something else than a secret";
const UNFIT: &str =
    "holds a value that no header can: a line break, a control character or one that is not ASCII";

/// Whether a text can be a token.
pub(super) fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A value that is not what its reference is for.
pub(super) fn unfit(reference: &Reference) -> NoSecret {
    let what = "holds a value with a space: store the bare token, without a word before it";
    NoSecret::new(reference.store.as_str(), what)
}

fn is_object(text: &str) -> bool {
    let object = |text| serde_json::from_str::<serde_json::Map<String, Value>>(text);
    text.trim_start().starts_with('{') && object(text).is_ok()
}

/// A member of a JSON object, as text.
fn member(text: &str, key: &str) -> Result<String, &'static str> {
    if !is_object(text) {
        return Err("holds no JSON object: remove #KEY from the reference");
    }
    let members = Json::valid(text.trim()).members();
    // Of a name that is there twice the last one counts, as readers of JSON have it.
    let value = members.filter(|(name, _)| name == key).last();
    match value.map(|it| it.1) {
        Some(value) if value.number().is_some() => Ok(value.get().to_owned()),
        Some(value) if let Some(text) = value.string() => Ok(text.into_owned()),
        Some(_) => Err("holds something else than text under the key of the reference"),
        None => Err("holds a JSON object without the key of the reference"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reference(store: Store, key: Option<&str>) -> Reference {
        Reference {
            store,
            region: "eu-west-1".to_owned(),
            id: "id".to_owned(),
            key: key.map(str::to_owned),
        }
    }

    #[test]
    fn each_store_has_its_own_form_and_no_value_is_in_an_error() {
        use Store::{Kms, ParameterStore, SecretsManager};
        let secret = |text: &str| json!({ "ARN": "arn", "SecretString": text });
        let object = secret(
            r#"{"token":"hunter2","number":7,"long":12345678901234567890123,"list":["hunter2"],"empty":" "}"#,
        );
        let encrypted = |bytes| json!({ "Plaintext": aws_smithy_types::base64::encode(bytes) });
        for (store, key, answer, expected) in [
            (SecretsManager, None, secret("hunter2\n"), Ok("hunter2")),
            (SecretsManager, Some("token"), object.clone(), Ok("hunter2")),
            (SecretsManager, Some("number"), object.clone(), Ok("7")),
            (
                SecretsManager,
                Some("long"),
                object.clone(),
                Ok("12345678901234567890123"),
            ),
            (
                SecretsManager,
                Some("list"),
                object.clone(),
                Err("something else than text"),
            ),
            (
                SecretsManager,
                Some("none"),
                object.clone(),
                Err("without the key"),
            ),
            (
                SecretsManager,
                Some("empty"),
                object.clone(),
                Err("an empty value"),
            ),
            (SecretsManager, None, object, Err("name one of its keys")),
            (
                SecretsManager,
                Some("token"),
                secret("hunter2"),
                Err("no JSON object"),
            ),
            (
                SecretsManager,
                None,
                json!({ "ARN": "arn", "SecretBinary": "hunter2" }),
                Err("binary"),
            ),
            (
                SecretsManager,
                None,
                json!("hunter2"),
                Err("something else than a secret"),
            ),
            (
                SecretsManager,
                None,
                secret("hunter2\nhunter2"),
                Err("no header can"),
            ),
            (
                ParameterStore,
                None,
                json!({ "Parameter": { "Value": "hunter2" } }),
                Ok("hunter2"),
            ),
            (
                ParameterStore,
                None,
                json!({ "hunter2": 1 }),
                Err("something else than a secret"),
            ),
            (Kms, None, encrypted(&b"hunter2"[..]), Ok("hunter2")),
            (
                Kms,
                None,
                encrypted(&b"hunter2\xff"[..]),
                Err("no header can"),
            ),
            (
                Kms,
                None,
                json!({ "Plaintext": "%" }),
                Err("something else than a secret"),
            ),
        ] {
            let found = of(&reference(store, key), answer.to_string().as_bytes());
            match (found, expected) {
                (Ok(found), Ok(text)) => assert_eq!(found.expose(), text),
                (Err(why), Err(words)) => {
                    assert!(why.to_string().contains(words), "{why}");
                    assert!(!format!("{why} {why:?}").contains("hunter2"), "{why}");
                }
                (found, expected) => panic!("{answer}: {found:?}, not {expected:?}"),
            }
        }
        let page = of(&reference(SecretsManager, None), b"<html>hunter2</html>");
        assert!(page.expect_err("a page").may_pass);
    }
}
