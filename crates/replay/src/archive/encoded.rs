//! Keys in a listing, which XML cannot hold as they are.

/// A key as S3 holds it: in a listing it may be encoded as in a form, with a plus for a space. What is
/// not so encoded stays as it is: nothing is left out.
pub(super) fn key(text: &str, is_encoded: bool) -> String {
    let decoded = if is_encoded { decoded(text) } else { None };
    decoded.unwrap_or_else(|| text.to_owned())
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(one) = rest.next() {
        match one {
            '+' => bytes.push(b' '),
            '%' => {
                let (high, low) = (rest.next()?.to_digit(16)?, rest.next()?.to_digit(16)?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            other => bytes.extend(other.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_listing_is_decoded_where_it_is_encoded() {
        for (text, expected) in [
            ("a/b%3D1/bad%04key+%2B%C3%A9", "a/b=1/bad\u{4}key +\u{e9}"),
            ("50%", "50%"),
            ("%ff", "%ff"),
            ("%+1", "%+1"),
        ] {
            assert_eq!(key(text, true), expected, "{text}");
        }
        assert_eq!(key("a+b%20", false), "a+b%20");
    }
}
