//! Glob patterns for names: `*` and `?`.

use std::fmt::{self, Write as _};
use std::str::FromStr;

/// A pattern in which `*` matches any text and `?` any one character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<char>);

impl fmt::Display for Glob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|one| formatter.write_char(*one))
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("give a name or a pattern such as checkout-*".to_owned());
        }
        Ok(Self(text.chars().collect()))
    }
}

impl Glob {
    /// Whether it matches one text only.
    pub fn is_literal(&self) -> bool {
        !self.0.iter().any(|one| matches!(one, '*' | '?'))
    }

    /// Whether it matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut pattern_at, mut text_at) = (0, 0);
        // Where to continue when a star must match one more character.
        let mut star: Option<(usize, usize)> = None;
        while text_at < text.len() {
            match self.0.get(pattern_at) {
                Some('*') => {
                    star = Some((pattern_at, text_at));
                    pattern_at += 1;
                }
                Some(wanted) if *wanted == '?' || *wanted == text[text_at] => {
                    pattern_at += 1;
                    text_at += 1;
                }
                Some(_) | None => match star {
                    Some((at, swallowed)) => {
                        star = Some((at, swallowed + 1));
                        (pattern_at, text_at) = (at + 1, swallowed + 1);
                    }
                    None => return false,
                },
            }
        }
        self.0[pattern_at..].iter().all(|left| *left == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        for (pattern, text, fits) in [
            ("checkout", "checkout", true),
            ("checkout", "checkouts", false),
            ("check*", "checkout", true),
            ("*out", "checkout", true),
            ("c*k*t", "checkout", true),
            ("*", "", true),
            ("?", "", false),
            ("che?kout", "checkout", true),
            ("*ab", "aab", true),
            ("a*b*c", "abxbc", true),
            ("a*b*d", "abxbc", false),
        ] {
            let glob: Glob = pattern.parse().expect("it is a pattern");
            assert_eq!(glob.matches(text), fits, "{pattern} {text}");
        }
        assert!("".parse::<Glob>().is_err());
    }
}
