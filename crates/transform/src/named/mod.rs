//! The patterns that Backstop knows, each a search written by hand: they are looked for in every string of
//! every record, and most records hold none.
//!
//! Invariants: total, linear in the text; a match never begins before the place that was asked for.

mod aws;
mod card;
mod iban;
mod network;
mod people;
mod token;

use std::ops::Range;

use backstop_config::NamedPattern;

/// The next match that begins at `from` or later.
pub(crate) fn find(pattern: NamedPattern, text: &[u8], from: usize) -> Option<Range<usize>> {
    match pattern {
        NamedPattern::AwsKeys => aws::find(text, from),
        NamedPattern::Bearer => token::bearer(text, from),
        NamedPattern::Jwt => token::jwt(text, from),
        NamedPattern::PrivateKeys => token::private_key(text, from),
        NamedPattern::Email => people::email(text, from),
        NamedPattern::Card => card::find(text, from),
        NamedPattern::Ipv4 => network::ipv4(text, from),
        NamedPattern::Ipv6 => network::ipv6(text, from),
        NamedPattern::Ssn => people::ssn(text, from),
        NamedPattern::Iban => iban::find(text, from),
    }
}

/// The fewest bytes of a match.
pub(crate) fn least(pattern: NamedPattern) -> usize {
    match pattern {
        NamedPattern::AwsKeys => 20,
        NamedPattern::Bearer | NamedPattern::Iban => 15,
        NamedPattern::Jwt => 16,
        NamedPattern::PrivateKeys => 27,
        NamedPattern::Email => 6,
        NamedPattern::Card => 13,
        NamedPattern::Ipv4 => 7,
        NamedPattern::Ipv6 => 3,
        NamedPattern::Ssn => 11,
    }
}

pub(crate) use token::{begins_private_key, continues_private_key, ends_private_key};

/// The longest run of bytes of one kind from here on.
fn run(text: &[u8], from: usize, is_part: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| is_part(**byte)).count()
}

/// The next place at which a byte of a kind begins a run of them.
fn next_run(text: &[u8], from: usize, is_part: impl Fn(u8) -> bool) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let start = from + rest.iter().position(|byte| is_part(*byte))?;
    Some(start..run(text, start, is_part))
}

/// The next run of bytes of a kind, of at least this length. Most text is passed over without a look: where
/// one byte is of another kind, no run goes over it.
fn next_long_run(
    text: &[u8],
    from: usize,
    least: usize,
    is_part: impl Fn(u8) -> bool,
) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        let probe = at + least - 1;
        if !is_part(*text.get(probe)?) {
            at = probe + 1;
            continue;
        }
        let head = text[at..probe].iter().rev();
        let start = probe - head.take_while(|byte| is_part(**byte)).count();
        let end = run(text, probe, &is_part);
        if end - start >= least {
            return Some(start..end);
        }
        at = end;
    }
}

/// The byte before a place.
fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|at| text.get(at)).copied()
}

/// Whether a range does not stand within a longer word.
fn is_word(text: &[u8], range: &Range<usize>) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric();
    !before(text, range.start).is_some_and(is_part)
        && !text.get(range.end).copied().is_some_and(is_part)
}

#[cfg(test)]
mod tests;
