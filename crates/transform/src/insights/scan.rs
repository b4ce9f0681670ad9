//! What a line holds from a place on, for the places of a line in order.
//!
//! A token may hold many places at which something could begin. Its end, its `@` and its runs of an address are
//! found once, and used for each of them.
//!
//! Invariant: all places of a line together are linear in the line, which the tests count. The places that are
//! asked for only go up.

use super::mask::{is_word, looked_at};

/// The longest quoted text that is masked as one.
const MOST_QUOTED: usize = 256;

const QUOTES: [u8; 3] = [b'"', b'\'', b'`'];

/// A line, and what is known of it.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    pub(super) text: &'a str,
    token_end: usize,
    sign: Sign,
    address: Address,
    /// Where the last search for the end of a text in each of [`QUOTES`] stopped. It goes on there.
    quoted_to: [usize; QUOTES.len()],
    /// Digits up to here are no number.
    pub(super) no_number_to: usize,
}

/// The next `@` of a token.
#[derive(Debug, Default)]
struct Sign {
    /// Where it is; the token's end where there is none.
    at: usize,
    token_end: usize,
    /// Where what may be the name before it begins.
    name: usize,
    /// A host follows it.
    has_host: bool,
}

/// A run of what is in an IPv6 address.
#[derive(Debug, Default)]
struct Address {
    end: usize,
    /// Its end without dots and colons.
    trimmed: usize,
    /// The last colon but one before that, and the last digit.
    colon: Option<usize>,
    digit: Option<usize>,
    /// No word goes on after it.
    is_whole: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            token_end: token_end(text, 0),
            sign: Sign::default(),
            address: Address::default(),
            quoted_to: [0; QUOTES.len()],
            no_number_to: 0,
        }
    }

    /// From a place up to white space, or what encloses.
    pub(super) fn token(&mut self, at: usize) -> &'a str {
        if at > self.token_end {
            self.token_end = token_end(self.text, at);
        }
        &self.text[at..self.token_end]
    }

    /// Whether an e-mail address begins here.
    pub(super) fn is_email(&mut self, at: usize) -> bool {
        let token_end = at + self.token(at).len();
        if self.sign.token_end != token_end || at > self.sign.at {
            self.sign = sign(self.text.as_bytes(), at, token_end);
        }
        let sign = &self.sign;
        sign.has_host && (sign.name..sign.at).contains(&at)
    }

    /// The length of an IPv6 address that begins here.
    pub(super) fn ipv6(&mut self, at: usize) -> Option<usize> {
        if at >= self.address.end {
            self.address = address(self.text, at);
        }
        let address = &self.address;
        let has = |place: Option<usize>| place.is_some_and(|place| place >= at);
        let is_address = address.is_whole && has(address.colon) && has(address.digit);
        is_address.then(|| address.trimmed - at)
    }

    /// The length of the quoted text here; `None` where its end is not near, or a word goes on after it.
    pub(super) fn quoted(&mut self, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let quote = bytes[at];
        let kind = QUOTES.iter().position(|it| *it == quote)?;
        // A search that began before this quote took it for an escaped one, and saw what this one would see.
        let start = self.quoted_to[kind].max(at + 1);
        let mut is_escaped = false;
        let mut place = start;
        let mut end = None;
        while let Some(byte) = bytes.get(place) {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                _ if *byte == quote => {
                    end = Some(place + 1);
                    break;
                }
                _ if place - at > MOST_QUOTED => break,
                _ => {}
            }
            place += 1;
        }
        looked_at(place - start + 1);
        self.quoted_to[kind] = place;
        let end = end?;
        (!self.text[end..].starts_with(is_word)).then_some(end - at)
    }
}

fn token_end(text: &str, at: usize) -> usize {
    let ends = |char: char| char.is_whitespace() || "\"'`<>()[]{},;|".contains(char);
    let rest = &text[at..];
    let length = rest.find(ends).unwrap_or(rest.len());
    looked_at(length + 1);
    at + length
}

fn sign(text: &[u8], at: usize, token_end: usize) -> Sign {
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let is_host = |byte: &&u8| byte.is_ascii_alphanumeric() || b".-:".contains(byte);
    let token = &text[at..token_end];
    let Some(length) = token.iter().position(|byte| *byte == b'@') else {
        looked_at(token.len());
        return Sign {
            at: token_end,
            token_end,
            ..Sign::default()
        };
    };
    let (name, host) = (&token[..length], &token[length + 1..]);
    let name = name.iter().rev().take_while(is_name).count();
    let is_part = host.iter().take_while(is_host).count();
    looked_at(length + name + is_part + 2);
    Sign {
        at: at + length,
        token_end,
        name: at + length - name,
        has_host: is_part == host.len() && host.contains(&b'.'),
    }
}

fn address(text: &str, at: usize) -> Address {
    let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let rest = &text.as_bytes()[at..];
    let length = rest.iter().take_while(is_part).count();
    let run = text[at..at + length].trim_end_matches(['.', ':']);
    looked_at(2 * length + 1);
    let mut colons = run.rmatch_indices(':').map(|(place, _)| at + place);
    let digit = run.rfind(|char: char| char.is_ascii_digit());
    Address {
        end: at + length,
        trimmed: at + run.len(),
        colon: colons.nth(1),
        digit: digit.map(|place| at + place),
        is_whole: !text[at + run.len()..].starts_with(is_word),
    }
}
