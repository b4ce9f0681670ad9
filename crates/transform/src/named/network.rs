//! Addresses of networks.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::{before, next_long_run};

/// `1.2.3.4`
const LEAST_IPV4: usize = 7;

pub(super) fn ipv4(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    let is_part = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    while let Some(run) = next_long_run(text, at, LEAST_IPV4, is_part) {
        at = run.end;
        // The dot of a sentence is none of it.
        let trimmed = text[run.clone()].trim_ascii_end();
        let dots = trimmed
            .iter()
            .rev()
            .take_while(|byte| **byte == b'.')
            .count();
        let address = run.start..run.end - dots;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric();
        let is_word = !before(text, address.start).is_some_and(is_part)
            && !text.get(address.end).copied().is_some_and(is_part);
        if is_word && is_ipv4(&text[address.clone()]) {
            return Some(address);
        }
    }
    None
}

fn is_ipv4(text: &[u8]) -> bool {
    let is_octet = |octet: &[u8]| {
        let value = octet
            .iter()
            .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        (1..=3).contains(&octet.len()) && value < 256
    };
    (7..=15).contains(&text.len())
        && text.split(|byte| *byte == b'.').count() == 4
        && text.split(|byte| *byte == b'.').all(is_octet)
}

pub(super) fn ipv6(text: &[u8], from: usize) -> Option<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.';
    let mut at = from;
    // Nearly every text has none of the one, and few have two.
    loop {
        let colon = at + memchr::memchr(b':', text.get(at..)?)?;
        let head = text[at..colon].iter().rev();
        let start = colon - head.take_while(|byte| is_part(**byte)).count();
        let end = super::run(text, colon, is_part);
        at = end;
        let is_word = |byte: u8| byte.is_ascii_alphanumeric();
        if before(text, start).is_some_and(is_word) || text.get(end).copied().is_some_and(is_word) {
            continue;
        }
        let tail = text[start..end].iter().rev();
        let end = end - tail.take_while(|byte| matches!(byte, b'.')).count();
        if let Some(address) = address(text, start..end) {
            return Some(address);
        }
    }
}

/// The address in a run; the colon of a sentence before or after it is none of it.
fn address(text: &[u8], run: Range<usize>) -> Option<Range<usize>> {
    const LONGEST: usize = 45;
    let trims = [(0, 0), (1, 0), (0, 1), (1, 1)];
    let ranges = trims.into_iter().filter_map(|(start, end)| {
        let range = run.start + start..run.end.checked_sub(end)?;
        let text = text.get(range.clone())?;
        Some((range, text))
    });
    let mut addresses = ranges.filter(|(_, address)| {
        let is_address = |text: &str| text.parse::<Ipv6Addr>().is_ok();
        address.len() <= LONGEST
            && address.iter().any(u8::is_ascii_digit)
            && std::str::from_utf8(address).is_ok_and(is_address)
    });
    addresses.next().map(|(range, _)| range)
}
