//! Percent-encoding, forms and XML: what the query protocol is made of.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};

/// A form's fields, in order.
#[derive(Debug)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn of(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        // In a form a space may be a plus.
        let plain = |text: &str| decoded(&text.replace('+', " "));
        Self(
            pairs
                .map(|(key, value)| (plain(key), plain(value)))
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(key, _)| key == name);
        named.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// `Name.member.1`, `Name.member.2` and so on, each with this behind it.
    pub(crate) fn list(&self, name: &str, behind: &str) -> Vec<String> {
        (1..)
            .map_while(|number| self.get(&format!("{name}.member.{number}{behind}")))
            .map(str::to_owned)
            .collect()
    }
}

/// Percent-encoded text as it was; what is not UTF-8 then is replaced.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = byte.filter(|_| *first == b'%') {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// As RFC 3986 has it: what is not unreserved is encoded.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let digit = |half: u8| char::from(b"0123456789ABCDEF"[usize::from(half)]);
            encoded.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
    encoded
}

/// Text within XML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A list of these, each already in XML.
pub(crate) fn members(items: impl IntoIterator<Item = String>) -> String {
    let mut list = String::new();
    for item in items {
        list.extend(["<member>", &item, "</member>"]);
    }
    list
}

/// A result in the envelope that the protocol puts around it.
pub(crate) fn xml(namespace: &str, action: &str, result: &str) -> Response<Bytes> {
    let body = format!(
        "<{action}Response xmlns=\"{namespace}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></{action}Response>"
    );
    let mut response = Response::new(Bytes::from(body));
    let kind = HeaderValue::from_static("text/xml");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_lists_and_what_was_encoded() {
        let form = Form::of(b"A=x+y%2Fz&L.member.1=a&L.member.2=b&T.member.1.Key=k");
        assert_eq!(form.get("A"), Some("x y/z"));
        assert_eq!(form.list("L", ""), ["a", "b"]);
        assert_eq!(form.list("T", ".Key"), ["k"]);
        assert_eq!(decoded(&encoded("{\"a\": \"ü\"}")), "{\"a\": \"ü\"}");
    }
}
