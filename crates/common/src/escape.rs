//! Escapes text from others before it reaches a terminal.
//!
//! A function's name, an object's key or a service's message may hold what moves the cursor, clears the
//! screen, sets a title or turns text round. Such characters are shown as escapes, and nothing else is
//! changed. Our own colours carry a mark that nobody else can know, which identifies them. Invariants: text
//! that is escaped holds no control character but line feeds and our own colours; JSON stays the same JSON.

use std::fmt::Write as _;
use std::sync::OnceLock;

const ESCAPE: char = '\x1b';

/// Text in a colour, given as the parameters of the terminal's own sequence.
pub fn painted(colour: &str, text: &str) -> String {
    let mark = mark();
    format!("{ESCAPE}{mark}{colour}m{text}{ESCAPE}{mark}0m")
}

/// Text of several lines, with our own colours: the last thing before it is printed.
pub fn text(text: &str) -> String {
    shown(text, true, &format!("{ESCAPE}["))
}

/// Text that is to stay on one line, to be printed as it is.
pub fn line(text: &str) -> String {
    shown(text, false, &format!("{ESCAPE}["))
}

/// A part of a line that is yet to be put together: line feeds cannot make it two, and our own colours
/// is recognised later.
pub fn part(text: &str) -> String {
    shown(text, false, &format!("{ESCAPE}{}", mark()))
}

/// The characters that are seen of a text that was escaped: our own colours take no room.
pub fn width(text: &str) -> usize {
    plain(text).chars().count()
}

/// A text that was escaped, without our own colours: no other escape character is left in it.
pub fn plain(text: &str) -> String {
    let mut rest = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(one) = rest.next() {
        if one == ESCAPE {
            rest.by_ref().find(|it| *it == 'm');
        } else {
            plain.push(one);
        }
    }
    plain
}

/// Escapes all but our own colours, which begin with `colour` from then on.
fn shown(text: &str, has_lines: bool, colour: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(one) = rest.chars().next() {
        rest = &rest[one.len_utf8()..];
        let ours = (one == ESCAPE)
            .then(|| rest.strip_prefix(mark()))
            .flatten()
            .and_then(|after| after.split_once('m'));
        if let Some((parameters, after)) = ours {
            push(&mut shown, format_args!("{colour}{parameters}m"));
            rest = after;
        } else if one == '\n' && has_lines || !is_harmful(one) {
            shown.push(one);
        } else {
            push(&mut shown, format_args!("{}", one.escape_default()));
        }
    }
    shown
}

/// A JSON text: what serde leaves as it is, which is all but the first controls, becomes `\uXXXX`.
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for one in text.chars() {
        // Such a character is within a string, but for the line feeds of the layout.
        if one == '\n' || !is_harmful(one) {
            shown.push(one);
            continue;
        }
        for unit in one.encode_utf16(&mut [0; 2]) {
            push(&mut shown, format_args!("\\u{unit:04x}"));
        }
    }
    shown
}

/// Controls, and what changes the direction, the lines or the sight of the text around it.
fn is_harmful(one: char) -> bool {
    one.is_control()
        || matches!(
            one,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Another one in each process, so that nobody else's text has it.
fn mark() -> &'static str {
    static MARK: OnceLock<String> = OnceLock::new();
    MARK.get_or_init(|| uuid::Uuid::new_v4().simple().to_string())
}

fn push(shown: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    shown.write_fmt(what).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_act_on_a_terminal_is_shown_and_the_rest_stays() {
        for (input, shown) in [
            ("orders-api é 漢字 👩\n", "orders-api é 漢字 👩\n"),
            ("\x1b[2J\x1b]0;pwned\x07", "\\u{1b}[2J\\u{1b}]0;pwned\\u{7}"),
            ("\x1b[1;32mok\x1b[0m", "\\u{1b}[1;32mok\\u{1b}[0m"),
            ("a\rb\tc\x7f\u{9b}31m", "a\\rb\\tc\\u{7f}\\u{9b}31m"),
            ("gpj.\u{202e}exe\u{2066}", "gpj.\\u{202e}exe\\u{2066}"),
            (
                "a\u{200b}b\u{feff}\u{e0041}",
                "a\\u{200b}b\\u{feff}\\u{e0041}",
            ),
        ] {
            assert_eq!(text(input), shown);
            assert_eq!(line(input), shown.replace('\n', "\\n"));
        }
    }

    #[test]
    fn our_own_colours_are_told_from_what_looks_like_them() {
        let input = format!("{}\n\x1b[31m", painted("1;32", "a \x1b[0m b"));
        let whole = part(&input);
        assert!(!whole.contains('\n'));
        assert_eq!(text(&whole), line(&input), "told later and once");
        assert_eq!(text(&input), "\x1b[1;32ma \\u{1b}[0m b\x1b[0m\n\\u{1b}[31m");
    }

    proptest! {
        #[test]
        fn nothing_acts_on_a_terminal_and_json_stays_what_it_is(input in any::<String>()) {
            prop_assert!(!text(&input).chars().any(|one| one != '\n' && is_harmful(one)));
            prop_assert!(!line(&input).chars().any(is_harmful));
            let value = serde_json::json!({ "a": input });
            for plain in [serde_json::to_string(&value)?, serde_json::to_string_pretty(&value)?] {
                let escaped = json(&plain);
                prop_assert!(!escaped.chars().any(|one| one != '\n' && is_harmful(one)));
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped)?, value.clone());
            }
        }
    }
}
