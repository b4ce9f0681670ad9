//! Card numbers: 13 to 19 digits, in groups or not, that pass Luhn's check.

use std::ops::Range;

use super::{before, is_word, next_long_run, next_run};

const LENGTHS: std::ops::RangeInclusive<usize> = 13..=19;
/// Groups of one number: of four digits, or fewer.
const MOST_GROUPS: usize = 6;

pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-');
    let mut from = from;
    while let Some(part) = next_long_run(text, from, *LENGTHS.start(), is_part) {
        from = part.end;
        let mut at = part.start;
        while let Some(group) = next_run(&text[..part.end], at, |byte| byte.is_ascii_digit()) {
            at = group.end;
            // No issuer's number begins otherwise; times in milliseconds and nanoseconds begin with 1.
            if matches!(text[group.start], b'2'..=b'6')
                && before(text, group.start) != Some(b'.')
                && let Some(card) = card(text, group)
            {
                return Some(card);
            }
        }
    }
    None
}

/// The longest card number that begins with this group of digits.
fn card(text: &[u8], first: Range<usize>) -> Option<Range<usize>> {
    let (mut digits, mut count) = ([0; 19], 0);
    let (mut group, mut separator) = (first.clone(), None);
    let mut found = None;
    for _ in 0..MOST_GROUPS {
        if count + group.len() > *LENGTHS.end() {
            break;
        }
        for byte in &text[group.clone()] {
            digits[count] = byte - b'0';
            count += 1;
        }
        let whole = first.start..group.end;
        let number = &digits[..count];
        if LENGTHS.contains(&count) && is_word(text, &whole) && passes(number) {
            found = Some(whole);
        }
        let (Some(between), Some(next)) = (text.get(group.end), text.get(group.end + 1)) else {
            break;
        };
        let is_same = separator.is_none_or(|known| known == *between);
        if !is_same || !matches!(between, b' ' | b'-') || !next.is_ascii_digit() {
            break;
        }
        separator = Some(*between);
        let Some(after) = next_run(text, group.end + 1, |byte| byte.is_ascii_digit()) else {
            break;
        };
        group = after;
    }
    found
}

fn passes(digits: &[u8]) -> bool {
    let sum: u32 = (digits.iter().rev().enumerate())
        .map(|(index, digit)| {
            let digit = u32::from(*digit);
            match (index % 2, digit * 2) {
                (0, _) => digit,
                (_, doubled) if doubled > 9 => doubled - 9,
                (_, doubled) => doubled,
            }
        })
        .sum();
    // Zeros pass, and are no number.
    sum.is_multiple_of(10) && sum > 0
}
