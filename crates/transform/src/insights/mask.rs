//! The template of a line: what stays of it when everything that differs from line to line is masked.
//!
//! | mask | what it stands for |
//! |---|---|
//! | `<time>` | dates and times, as loggers and web servers write them |
//! | `<uuid>`, `<hex>`, `<id>` | UUIDs; hexadecimal numbers; words of letters and digits |
//! | `<n>` | numbers, also those within words, such as `<n>ms` |
//! | `<ip>`, `<email>`, `<url>`, `<path>` | addresses and paths |
//! | `<text>` | quoted text, what follows a `=`, and what follows the name of a secret ([`Secret`]) |
//!
//! Invariants: linear in the text, of which [`MOST_TEXT`] bytes are looked at: the tests count how often
//! ([`looked_at`]); a template has [`MOST_TEMPLATE`] bytes at most. Must not: keep a digit, except in words that everyone knows (`s3`, `utf8`).

use backstop_json::is_uuid;

use super::scan::Scan;
use super::secret::Secret;

/// The bytes of a line that are looked at.
pub(super) const MOST_TEXT: usize = 512;
/// The longest template.
pub(super) const MOST_TEMPLATE: usize = 200;

/// Words whose digits are part of their name.
const KNOWN: &[&str] = &[
    "s3", "ec2", "k8s", "utf8", "utf16", "base64", "md5", "sha1", "sha256", "sha512", "hs256",
    "rs256", "oauth2", "http2", "ipv4", "ipv6", "x86", "arm64", "log4j", "slf4j", "boto3",
    "python3", "i18n", "p50", "p90", "p95", "p99",
];

const MONTHS: &[&str] = &[
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The template of a text: its first line, masked, with single spaces.
pub(super) fn template(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    let line = cut(line, MOST_TEXT);
    let mut out = String::with_capacity(line.len().min(MOST_TEMPLATE + 16));
    let mut scan = Scan::new(line);
    let mut at = 0;
    // What was before: a quote or a path begins at the beginning of a word only.
    let mut before = ' ';
    let mut secret = Secret::default();
    while let Some(first) = line[at..].chars().next() {
        let rest = &line[at..];
        looked_at(1);
        if out.len() > MOST_TEMPLATE {
            break;
        }
        let taken = if first.is_whitespace() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
            first.len_utf8()
        } else if let Some(length) = secret.length(rest) {
            push_mask(&mut out, "<text>");
            length
        } else if let Some((length, mask)) = masked(&mut scan, at, before, &out) {
            push_mask(&mut out, mask);
            length
        } else if is_word(first) {
            let word = word_of(rest);
            push_word(&mut out, word);
            word.len()
        } else {
            out.push(first);
            first.len_utf8()
        };
        secret.follow(&rest[..taken]);
        before = rest[..taken].chars().next_back().unwrap_or(' ');
        at += taken;
    }
    let end = out.trim_end().len();
    out.truncate(end);
    if out.len() > MOST_TEMPLATE || line.len() == MOST_TEXT {
        let kept = cut(&out, MOST_TEMPLATE - '…'.len_utf8()).len();
        out.truncate(kept);
        out.push('…');
    }
    out
}

/// The beginning of a text, at most `most` bytes.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Counts bytes that are looked at, for the tests.
#[inline]
pub(super) fn looked_at(bytes: usize) {
    #[cfg(test)]
    super::tests::LOOKED_AT.set(super::tests::LOOKED_AT.get() + bytes);
    let _ = bytes;
}

/// What is masked as a whole at a place of a line: its length, and the mask.
fn masked(
    scan: &mut Scan<'_>,
    at: usize,
    before: char,
    out: &str,
) -> Option<(usize, &'static str)> {
    let is_start = !is_word(before);
    if !is_start {
        return None;
    }
    let rest = &scan.text[at..];
    let first = rest.as_bytes()[0];
    if matches!(first, b'"' | b'\'' | b'`')
        && !is_request(&rest[1..])
        && let Some(length) = scan.quoted(at)
    {
        return Some((length, "<text>"));
    }
    // A digit, or a month.
    if first.is_ascii_alphanumeric()
        && let Some(length) = time(rest)
    {
        return Some((length, "<time>"));
    }
    let token = scan.token(at);
    if let Some(length) = url(token) {
        return Some((length, "<url>"));
    }
    if let Some(length) = path(token, before) {
        return Some((length, "<path>"));
    }
    if scan.is_email(at) {
        return Some((trimmed(token, &['.', ':', '!', '?']), "<email>"));
    }
    let word = word_of(rest);
    if is_uuid(word.as_bytes()) {
        return Some((word.len(), "<uuid>"));
    }
    let address = match numbers(rest, &[(1, 3); 4], b".") {
        Some(length) => ipv4(rest, length),
        None => scan.ipv6(at),
    };
    if let Some(length) = address {
        return Some((length, "<ip>"));
    }
    if is_hex(word) {
        return Some((word.len(), "<hex>"));
    }
    if is_id(word) {
        return Some((word.len(), "<id>"));
    }
    if at >= scan.no_number_to {
        match number(rest) {
            Ok(length) => return Some((length, "<n>")),
            Err(length) => scan.no_number_to = at + length,
        }
    }
    // In `key=value` the value is what differs; levels are not.
    if before == '=' && is_value(out, word) {
        let word = value_of(rest);
        return Some((word.len(), "<text>"));
    }
    None
}

/// The same mask twice in a row, as of a date and a time, says no more than once.
fn push_mask(out: &mut String, mask: &str) {
    let again = mask == "<time>" && out.trim_end().ends_with(mask);
    if again {
        let end = out.trim_end().len();
        out.truncate(end);
    } else {
        out.push_str(mask);
    }
}

pub(super) fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == '-'
}

fn word_of(text: &str) -> &str {
    let end = text.find(|char| !is_word(char)).unwrap_or(text.len());
    looked_at(end + 1);
    &text[..end]
}

fn value_of(text: &str) -> &str {
    let end = text.find(|char: char| char.is_whitespace() || ",;&)]}".contains(char));
    let end = end.unwrap_or(text.len());
    looked_at(end + 1);
    &text[..end]
}

/// A word without what tells one from another: a part of digits is a number, and letters with digits are an id.
fn push_word(out: &mut String, word: &str) {
    if !word.bytes().any(|byte| byte.is_ascii_digit()) && word.is_ascii() {
        out.push_str(word);
        return;
    }
    for part in word.split_inclusive(['-', '_']) {
        let (part, joint) = match part.strip_suffix(['-', '_']) {
            Some(text) => (text, &part[text.len()..]),
            None => (part, ""),
        };
        push_part(out, part);
        out.push_str(joint);
    }
}

fn push_part(out: &mut String, part: &str) {
    let is_digit = |char: char| char.is_numeric();
    let digits = part.chars().filter(|char| is_digit(*char)).count();
    let known = KNOWN.iter().any(|known| known.eq_ignore_ascii_case(part));
    if digits == 0 || known {
        out.push_str(part);
        return;
    }
    let lead = part.find(is_digit).unwrap_or_default();
    let number = part[lead..].trim_start_matches(is_digit);
    // Digits with letters on one side: a number with a name or a unit.
    let is_number = !number.contains(is_digit) && (lead == 0 || number.is_empty());
    if is_number {
        out.push_str(&part[..lead]);
        out.push_str("<n>");
        out.push_str(number);
    } else {
        out.push_str("<id>");
    }
}

/// Several parts with digits that are not all numbers, as in an id of a trace.
fn is_id(word: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let mut parts = word.split(['-', '_']);
    let is_coded = |part: &str| {
        part.bytes().any(is_digit) && part.bytes().all(|it| it.is_ascii_alphanumeric())
    };
    let is_number = |part: &str| part.bytes().all(is_digit);
    word.contains(['-', '_'])
        && parts.clone().all(|part| !part.is_empty() && is_coded(part))
        && !parts.all(is_number)
}

/// The length of a number with its sign, fraction and exponent; a unit may follow. If it is none, up to where no
/// number begins, as one would go on to the same end.
fn number(text: &str) -> Result<usize, usize> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut at = text.len() - unsigned.len();
    at += digits(unsigned, 1, usize::MAX).ok_or(0_usize)?;
    while let Some(rest) = text[at..].strip_prefix(['.', ','])
        && let Some(more) = digits(rest, 1, usize::MAX)
    {
        at += 1 + more;
    }
    let end = at;
    let rest = &text[at..];
    if let Some(exponent) = rest.strip_prefix(['e', 'E'])
        && let Some(length) = digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent), 1, 4)
    {
        at += rest.len() - exponent.strip_prefix(['-', '+']).unwrap_or(exponent).len() + length;
    }
    let unit = word_of(&text[at..]);
    let is_unit = unit.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_unit { Ok(at) } else { Err(end) }
}

/// The first line of a request, as web servers log it between quotes.
fn is_request(text: &str) -> bool {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    let mut methods = METHODS
        .iter()
        .filter_map(|method| text.strip_prefix(method));
    methods.any(|rest| rest.starts_with(" /"))
}

/// The number of digits at the start, if it is from `least` to `most`.
fn digits(text: &str, least: usize, most: usize) -> Option<usize> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    looked_at(count + 1);
    (least..=most).contains(&count).then_some(count)
}

/// Parts of digits of these lengths, with one of the separators between.
fn numbers(text: &str, lengths: &[(usize, usize)], separators: &[u8]) -> Option<usize> {
    let mut at = 0;
    for (index, (least, most)) in lengths.iter().enumerate() {
        if index > 0 {
            let separator = text.as_bytes().get(at)?;
            at += usize::from(separators.contains(separator));
            (separators.contains(separator)).then_some(())?;
        }
        at += digits(&text[at..], *least, *most)?;
    }
    Some(at)
}

/// A date, a time of day, or both.
fn time(text: &str) -> Option<usize> {
    if let Some(date) = date(text) {
        let rest = &text[date..];
        let joint = rest.strip_prefix(['T', ' ', ':']);
        let clock = joint.and_then(|rest| clock(rest).map(|length| length + 1));
        let length = date + clock.unwrap_or_default();
        return (!text[length..].starts_with(is_word)).then_some(length);
    }
    let length = clock(text)?;
    (!text[length..].starts_with(is_word)).then_some(length)
}

fn date(text: &str) -> Option<usize> {
    let year_first = numbers(text, &[(4, 4), (2, 2), (2, 2)], b"-/");
    if year_first.is_some() {
        return year_first;
    }
    // 31/Jan/2026, as web servers write it.
    if let Some(day) = digits(text, 1, 2)
        && let Some(rest) = text[day..].strip_prefix(['/', '-', ' '])
        && MONTHS.iter().any(|month| rest.starts_with(month))
        && let Some(after) = rest[3..].strip_prefix(['/', '-', ' '])
    {
        return digits(after, 4, 4).map(|year| day + 5 + year);
    }
    // Jan 31, as syslog writes it.
    if MONTHS.iter().any(|month| text.starts_with(month)) {
        let rest = &text[3..];
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        if (1..=2).contains(&spaces) {
            return digits(&rest[spaces..], 1, 2).map(|day| 3 + spaces + day);
        }
    }
    None
}

/// 08:15:00.123 +0100, with what a zone may be.
fn clock(text: &str) -> Option<usize> {
    let mut at = numbers(text, &[(2, 2), (2, 2), (2, 2)], b":")?;
    if let Some(rest) = text[at..].strip_prefix(['.', ','])
        && let Some(fraction) = digits(rest, 1, 9)
    {
        at += 1 + fraction;
    }
    let rest = &text[at..];
    if rest.starts_with('Z') {
        return Some(at + 1);
    }
    let zone = rest.strip_prefix(' ').unwrap_or(rest);
    if let Some(offset) = zone.strip_prefix(['+', '-']) {
        let length = numbers(offset, &[(2, 2), (2, 2)], b":").or_else(|| digits(offset, 4, 4));
        if let Some(length) = length {
            return Some(text.len() - offset.len() + length);
        }
    }
    Some(at)
}

fn url(token: &str) -> Option<usize> {
    const LONGEST_SCHEME: usize = 11;
    let start = &token.as_bytes()[..token.len().min(LONGEST_SCHEME + 3)];
    let at = start.windows(3).position(|it| it == b"://")?;
    let is_scheme = at >= 2 && start[..at].iter().all(u8::is_ascii_alphanumeric);
    is_scheme.then(|| trimmed(token, &['.', ':', ',', '!', '?']))
}

/// The length of a token without these at its end.
fn trimmed(token: &str, ends: &[char]) -> usize {
    let length = token.trim_end_matches(ends).len();
    looked_at(token.len() - length);
    length
}

/// What begins as a path does; a slash alone, as between words, is none.
fn path(token: &str, before: char) -> Option<usize> {
    let rooted = ["/", "./", "../", "~/"].into_iter();
    let mut rooted = rooted.filter(|root| token.starts_with(root) && token.len() > root.len());
    let is_drive = token.as_bytes().get(1..3) == Some(b":\\");
    let is_path = rooted.next().is_some() || is_drive;
    (is_path && before != '/').then(|| trimmed(token, &['.', ':', ',', '!']))
}

/// `0x1f`, or eight or more hexadecimal digits with a decimal one and a letter among them.
fn is_hex(word: &str) -> bool {
    if let Some(rest) = word.strip_prefix("0x") {
        return !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    let is_long = word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_long
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// The length of an IPv4 address of four numbers of this length, with a port.
fn ipv4(text: &str, length: usize) -> Option<usize> {
    let port = text[length..].strip_prefix(':');
    let port = port.and_then(|rest| digits(rest, 1, 5)).map(|it| it + 1);
    let length = length + port.unwrap_or_default();
    (!text[length..].starts_with(|char| is_word(char) || char == '.')).then_some(length)
}

/// Whether a word after a `=` is data: not a level, and not of a member that holds one.
fn is_value(out: &str, word: &str) -> bool {
    if word.is_empty() {
        return false;
    }
    let before = out.strip_suffix('=').unwrap_or_default();
    let key = before
        .rsplit(|char: char| !is_word(char) && char != '.')
        .next();
    let key = key.unwrap_or_default();
    looked_at(key.len() + 1);
    let is_level = ["level", "lvl", "severity"].contains(&key.to_ascii_lowercase().as_str());
    !key.is_empty() && !is_level
}
