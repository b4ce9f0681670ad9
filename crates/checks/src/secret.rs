//! What a store of secrets answers, as a success and as a refusal.
//!
//! Input: the body of an answer.

use backstop_config::{Reference, Store};
use backstop_sinks::secret;

/// Whatever the body is: a secret that comes of it can be the value of a header, and an error is a line of
/// this program's words.
///
/// # Panics
///
/// Where that does not hold.
pub fn secret(body: &[u8]) {
    for store in Store::ALL {
        for key in [None, Some("token".to_owned())] {
            let reference = Reference {
                store,
                region: "us-east-1".to_owned(),
                id: "id".to_owned(),
                key,
            };
            match secret::value(&reference, body) {
                Ok(secret) => {
                    let text = secret.expose();
                    let is_visible = |byte| matches!(byte, b' '..=b'~');
                    assert!(!text.is_empty() && text.trim() == text);
                    assert!(text.bytes().all(is_visible), "{text:?} is no header");
                }
                Err(why) => {
                    let shown = why.to_string();
                    assert!(shown.starts_with("no secret: "), "{shown}");
                    assert!(shown.len() < 200 && !shown.contains(char::is_control));
                    assert_eq!((why.status, why.code), (None, None));
                }
            }
        }
    }
}
