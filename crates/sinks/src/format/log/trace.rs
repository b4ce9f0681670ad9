//! Ids of traces and spans, as X-Ray, W3C and OpenTelemetry write them, to OpenTelemetry's hexadecimal form.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Deref;

use backstop_json::{lower_hex, push_unhexed};

/// The hexadecimal digits of an id, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits<const N: usize>([u8; N]);

/// A trace's id.
pub type TraceId = Digits<32>;
/// A span's id.
pub type SpanId = Digits<16>;

impl Digits<16> {
    /// Of a number that is not zero.
    pub fn of_number(number: NonZeroU64) -> Self {
        let mut digits = [0; 16];
        let mut left = number.get();
        for digit in digits.iter_mut().rev() {
            *digit = match (left & 0x0f).to_le_bytes()[0] {
                decimal @ 0..=9 => b'0' + decimal,
                letter => b'a' + (letter - 10),
            };
            left >>= 4;
        }
        Self(digits)
    }
}

impl Digits<32> {
    /// Of two halves.
    pub fn of_halves(high: SpanId, low: SpanId) -> Self {
        let mut digits = [0; 32];
        let halves = high.0.iter().chain(&low.0);
        digits
            .iter_mut()
            .zip(halves)
            .for_each(|(to, from)| *to = *from);
        Self(digits)
    }
}

impl<const N: usize> Digits<N> {
    /// An id of zeros is none (W3C Trace Context, section 3.2.2.3).
    fn of(parts: &[&str]) -> Option<Self> {
        let mut digits = [0; N];
        let mut at = 0;
        for part in parts {
            let place = digits.get_mut(at..at + part.len())?;
            place.copy_from_slice(part.as_bytes());
            at += part.len();
        }
        let is_id = lower_hex(&mut digits);
        (at == N && is_id).then_some(Self(digits))
    }

    /// Appends the bytes that they stand for.
    pub(crate) fn push_bytes(&self, out: &mut Vec<u8>) {
        push_unhexed(out, &self.0);
    }
}

impl<const N: usize> Deref for Digits<N> {
    type Target = str;

    fn deref(&self) -> &str {
        // Hexadecimal digits are text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Display for Digits<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self)
    }
}

/// 32 hexadecimal digits, from themselves or from X-Ray's `1-62e900b2-710d76f009d6e7785905449a`, alone or in a
/// header (`Root=…;Parent=…`), or from W3C's header (`00-…-…-01`).
pub fn trace_id(text: &str) -> Option<TraceId> {
    if let Some((id, _)) = w3c(text) {
        return Some(id);
    }
    let root = member(text, "Root").unwrap_or(text);
    match root.strip_prefix("1-") {
        Some(rest) => match rest.split_once('-') {
            Some((time, random)) => Digits::of(&[time, random]),
            None => Digits::of(&[rest]),
        },
        None => Digits::of(&[root]),
    }
}

/// 16 hexadecimal digits.
pub fn span_id(text: &str) -> Option<SpanId> {
    Digits::of(&[text])
}

/// The id of the parent's span, from X-Ray's header or from W3C's.
pub fn parent_id(header: &str) -> Option<SpanId> {
    let stated = member(header, "Parent").and_then(span_id);
    stated.or_else(|| w3c(header).map(|(_, parent)| parent))
}

/// The ids of a trace and of the parent's span (<https://www.w3.org/TR/trace-context/#traceparent-header>).
fn w3c(header: &str) -> Option<(TraceId, SpanId)> {
    // Two digits, 32 and 16.
    if header.as_bytes().get(2) != Some(&b'-') {
        return None;
    }
    let mut parts = header.split('-');
    let version = parts.next()?;
    let ids = (Digits::of(&[parts.next()?])?, Digits::of(&[parts.next()?])?);
    (version.len() == 2 && version != "ff").then_some(ids)
}

fn member<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut members = header.split(';');
    members.find_map(|it| it.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_each_form_and_nothing_else_is_one() {
        let id = "62e900b2710d76f009d6e7785905449a";
        let header = "Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1";
        let of = |text: &str| trace_id(text).map(|it| it.to_string());
        for text in [
            header,
            "1-62e900b2-710d76f009d6e7785905449a",
            "62E900B2710D76F009D6E7785905449A",
            "00-62e900b2710d76f009d6e7785905449a-0efbd19962d95b05-01",
        ] {
            assert_eq!(of(text).as_deref(), Some(id), "{text}");
        }
        let zeros = "0".repeat(32);
        let long = "a".repeat(33);
        for text in [
            "",
            "Root=",
            "1-62e900b2",
            &zeros,
            &"g".repeat(32),
            &long,
            "ä",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(
            span_id("0EFBD19962d95b05").as_deref(),
            Some("0efbd19962d95b05")
        );
        assert_eq!(span_id("0efb"), None);
        assert_eq!(parent_id(header).as_deref(), Some("0efbd19962d95b05"));
        let mut bytes = Vec::new();
        let id = span_id("0EFBD19962d95b05").expect("an id");
        id.push_bytes(&mut bytes);
        let number = NonZeroU64::new(0x0efb_d199_62d9_5b05).expect("it is none");
        let of_number = SpanId::of_number(number);
        assert_eq!(Some(of_number), span_id("0efbd19962d95b05"));
        let halves = TraceId::of_halves(of_number, of_number);
        assert_eq!(&*halves, "0efbd19962d95b050efbd19962d95b05");
        assert_eq!(bytes, [0x0e, 0xfb, 0xd1, 0x99, 0x62, 0xd9, 0x5b, 0x05]);
    }
}
