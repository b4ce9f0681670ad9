//! Patterns for function names.

use std::fmt;
use std::str::FromStr;

use backstop_archive::Glob;
use backstop_config::Arn;
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::Function;

/// A name, a glob, a regular expression, or an ARN that may hold wildcards.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Pattern {
    /// A name, or a pattern of names.
    Name(Glob),
    /// An unqualified ARN, or a pattern of them.
    Arn(Glob),
    /// Between slashes; matches anywhere in the name.
    Regex(Regex),
}

impl Pattern {
    /// Whether it means this function.
    pub fn matches(&self, function: &Function) -> bool {
        match self {
            Self::Name(glob) => glob.matches(&function.name),
            Self::Arn(glob) => glob.matches(&function.arn),
            Self::Regex(regex) => regex.is_match(&function.name),
        }
    }

    /// The one name it stands for, with the ARN's account and region.
    pub fn literal(&self) -> Option<Literal> {
        match self {
            Self::Name(glob) if glob.is_literal() => Some(Literal {
                place: None,
                name: glob.to_string(),
                text: glob.to_string(),
            }),
            Self::Arn(glob) if glob.is_literal() => {
                let text = glob.to_string();
                let arn = Arn::parse(&text)?;
                Some(Literal {
                    place: Some((arn.account.to_owned(), arn.region.to_owned())),
                    name: arn.resource.strip_prefix("function:")?.to_owned(),
                    text: text.clone(),
                })
            }
            Self::Name(_) | Self::Arn(_) | Self::Regex(_) => None,
        }
    }
}

/// One function that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// Account and region, where an ARN says so.
    pub place: Option<(String, String)>,
    pub name: String,
    /// As it was given.
    pub text: String,
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(rest) = text.strip_prefix('/') {
            let expression = rest
                .strip_suffix('/')
                .filter(|it| !it.is_empty())
                .ok_or_else(|| format!("`{text}`: end the regular expression with a slash"))?;
            return Regex::new(expression)
                .map(Self::Regex)
                .map_err(|error| format!("`{text}` is not a regular expression: {error}"));
        }
        if text.starts_with("arn:") {
            let parts: Vec<&str> = text.split(':').collect();
            if parts.get(2) != Some(&"lambda") || parts.get(5) != Some(&"function") {
                return Err(format!("`{text}` is not the ARN of a function"));
            }
            if parts.len() != 7 {
                return Err(format!(
                    "`{text}` names a version or an alias: remove that part, as only $LATEST can \
                     be changed"
                ));
            }
            return text.parse().map(Self::Arn);
        }
        // What a name can be made of; a dot is in those of replicas.
        let is_known = |one: char| one.is_ascii_alphanumeric() || "-_.*?".contains(one);
        if !text.chars().all(is_known) {
            return Err(format!(
                "`{text}` is not a function name: use * and ? in a pattern, or a regular \
                 expression between slashes"
            ));
        }
        text.parse().map(Self::Name)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(glob) | Self::Arn(glob) => glob.fmt(formatter),
            Self::Regex(regex) => write!(formatter, "/{regex}/"),
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_says_what_is_meant() {
        let arn = "arn:aws:lambda:eu-west-1:111122223333:function:orders";
        for (text, is_literal) in [
            ("orders", true),
            ("orders-*", false),
            (arn, true),
            ("arn:aws:lambda:*:111122223333:function:orders", false),
            ("/^orders-\\d+$/", false),
        ] {
            let pattern: Pattern = text.parse().expect("it is a pattern");
            assert_eq!(pattern.literal().is_some(), is_literal, "{text}");
            assert_eq!(pattern.to_string(), text);
        }
        let literal = arn.parse::<Pattern>().expect("an ARN").literal();
        assert_eq!(
            literal,
            Some(Literal {
                place: Some(("111122223333".to_owned(), "eu-west-1".to_owned())),
                name: "orders".to_owned(),
                text: arn.to_owned(),
            })
        );
    }

    #[test]
    fn mistakes_are_told() {
        for (text, part) in [
            ("", "give a name"),
            ("orders-00[0-9]", "a regular expression between slashes"),
            ("/orders", "end the regular expression"),
            ("/(/", "not a regular expression"),
            ("arn:aws:s3:::bucket", "not the ARN of a function"),
            (
                "arn:aws:lambda:eu-west-1:111122223333:function:orders:live",
                "a version or an alias",
            ),
        ] {
            let error = text.parse::<Pattern>().expect_err("it is a mistake");
            assert!(error.contains(part), "{error}");
        }
    }
}
