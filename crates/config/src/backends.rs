//! The backends that have a name: address, format, headers, and where the token goes.
//!
//! The installer, the Terraform modules and the CDK library take these facts from here: the first from
//! [`BACKENDS`], the others from `backends.json`, which is written from it. The extension does not know
//! backends; what it gets is the address, the format and the headers.
//!
//! Invariants: the address that a backend makes is one that its format accepts; no message shows the value of
//! an option, which may be a token in the wrong place.
//!
//! The table itself is in `table`.
//!
//! Must not: see a token. It says where a token goes; the caller puts it there.

mod table;

use std::collections::BTreeMap;

use crate::format::Format;
pub use table::BACKENDS;

/// A backend with a name.
#[derive(Debug)]
pub struct Backend {
    /// What the user writes.
    pub name: &'static str,
    /// Its own name.
    pub title: &'static str,
    /// The form of a batch.
    pub format: Format,
    /// The base address; `{option}` is replaced.
    pub url: &'static str,
    /// Headers that are not secret, as name and value; one whose option is not given is left out.
    pub headers: &'static [(&'static str, &'static str)],
    /// The header of the token, where it is not the format's own: it then belongs into
    /// `BACKSTOP_PRIMARY_HEADERS`.
    pub token_header: Option<&'static str>,
    /// What the token begins with: the user of basic authentication.
    pub token_prefix: &'static str,
    /// Whether it takes nothing without a token.
    pub needs_token: bool,
    /// What differs between its users.
    pub options: &'static [BackendOption],
}

/// An option of a backend.
#[derive(Debug)]
pub struct BackendOption {
    /// What the user writes.
    pub name: &'static str,
    /// What it may be.
    pub rule: Rule,
    /// Whether it has to be given.
    pub is_required: bool,
    /// What it is otherwise.
    pub default: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
}

/// What an option may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// One of these words, and what stands for it in the address.
    Words(&'static [(&'static str, &'static str)]),
    /// A host, perhaps with a port.
    Host,
    /// A name with a dot in it.
    Domain,
    /// Letters, digits and `._-`.
    Name,
    Number,
    /// The same as a name, and `/` and `#`.
    Path,
}

impl Rule {
    /// As a regular expression; of words, nothing.
    pub fn pattern(self) -> &'static str {
        match self {
            Self::Words(_) => "",
            Self::Host => "^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*(:[1-9][0-9]{0,4})?$",
            Self::Domain => "^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$",
            Self::Name => "^[A-Za-z0-9._-]+$",
            Self::Number => "^[0-9]+$",
            Self::Path => "^[A-Za-z0-9._/#-]+$",
        }
    }

    /// What to write, for a message.
    pub fn advice(self) -> String {
        match self {
            Self::Words(words) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("use {}", words.join(" or "))
            }
            Self::Host => "use a host such as logs.example.com or logs.example.com:9200, without https:// and without a path".to_owned(),
            Self::Domain => "use a domain such as example.com, without https:// and without a path".to_owned(),
            Self::Name => "use letters, digits and ._- only".to_owned(),
            Self::Number => "use digits only".to_owned(),
            Self::Path => "use letters, digits and ._/#- only".to_owned(),
        }
    }

    fn accepts(self, text: &str) -> bool {
        let all = |others: &[u8]| {
            let is_known = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
            !text.is_empty() && text.bytes().all(is_known)
        };
        match self {
            Self::Words(words) => words.iter().any(|(word, _)| *word == text),
            Self::Host => {
                let (host, port) = match text.split_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (text, None),
                };
                let is_label = |part: &str| !part.is_empty() && part.bytes().all(is_of_host);
                let is_port = |port: &str| {
                    (1..=5).contains(&port.len())
                        && !port.starts_with('0')
                        && port.bytes().all(|byte| byte.is_ascii_digit())
                };
                host.split('.').all(is_label) && port.is_none_or(is_port)
            }
            Self::Domain => {
                all(b".-") && text.contains('.') && text.split('.').all(|part| !part.is_empty())
            }
            Self::Name => all(b"._-"),
            Self::Number => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
            Self::Path => all(b"._/#-"),
        }
    }
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-".contains(&byte)
}

/// A backend with its options put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// `BACKSTOP_PRIMARY_URL`.
    pub url: String,
    /// `BACKSTOP_PRIMARY_FORMAT`.
    pub format: Format,
    /// Headers that are not secret.
    pub headers: Vec<(&'static str, String)>,
    /// The header of the token, where it is not the format's own.
    pub token_header: Option<&'static str>,
    /// What the token begins with.
    pub token_prefix: String,
    /// Whether it takes nothing without a token.
    pub needs_token: bool,
}

impl Backend {
    /// The backend of a name.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        if let Some(backend) = BACKENDS.iter().find(|backend| backend.name == name) {
            return Ok(backend);
        }
        let names = BACKENDS.iter().map(|backend| backend.name);
        if let Some(meant) = nearest(name, names.clone()) {
            return Err(format!(
                "there is no backend \"{name}\": did you mean {meant}?"
            ));
        }
        // It may be anything, a token too.
        let names: Vec<&str> = names.collect();
        Err(format!(
            "there is no backend of this name: use {}",
            names.join(", ")
        ))
    }

    /// Its address, format and headers, or everything that is wrong with the options.
    pub fn resolve(&self, given: &BTreeMap<String, String>) -> Result<Resolved, Vec<String>> {
        let mut wrong: Vec<String> = (given.keys())
            .filter(|name| !self.options.iter().any(|option| option.name == **name))
            .map(|name| self.unknown(name))
            .collect();
        let mut texts = BTreeMap::new();
        for option in self.options {
            let Some(text) = given
                .get(option.name)
                .map(String::as_str)
                .or(option.default)
            else {
                if option.is_required {
                    wrong.push(format!(
                        "the backend {} needs the option {}: {}",
                        self.name, option.name, option.meaning
                    ));
                }
                continue;
            };
            if option.rule.accepts(text) {
                texts.insert(option.name, option.rule.text(text));
            } else {
                wrong.push(format!(
                    "the option {} of the backend {} is not valid: {}",
                    option.name,
                    self.name,
                    option.rule.advice()
                ));
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let with_options = |template: &str| fill(template, &texts);
        let headers = self.headers.iter();
        Ok(Resolved {
            url: with_options(self.url).unwrap_or_default(),
            format: self.format,
            headers: headers
                .filter_map(|(name, value)| Some((*name, with_options(value)?)))
                .collect(),
            token_header: self.token_header,
            token_prefix: with_options(self.token_prefix).unwrap_or_default(),
            needs_token: self.needs_token,
        })
    }

    fn unknown(&self, name: &str) -> String {
        let names = self.options.iter().map(|option| option.name);
        if let Some(meant) = nearest(name, names.clone()) {
            return format!(
                "the backend {} has no option \"{name}\": did you mean {meant}?",
                self.name
            );
        }
        let names: Vec<&str> = names.collect();
        format!(
            "the backend {} has only the options {}: remove the others",
            self.name,
            names.join(", ")
        )
    }
}

impl Rule {
    /// What stands for a valid text in the address.
    fn text(self, text: &str) -> &str {
        let word = |words: &[(&str, &'static str)]| {
            words
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, host)| *host)
        };
        match self {
            Self::Words(words) => word(words).unwrap_or(text),
            _ => text,
        }
    }
}

/// `{option}` replaced; nothing where one of them is not given.
fn fill(template: &str, texts: &BTreeMap<&str, &str>) -> Option<String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(texts.get(name)?);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

/// The name that shares the most pairs of letters with a text, if it shares two of five. The Terraform module
/// and the CDK library count the same, so that all three suggest the same.
fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A token is longer than any name.
    if text.len() > 24 {
        return None;
    }
    let mut best: Option<(usize, usize, &str)> = None;
    let own = pairs(text);
    for name in names {
        let others = pairs(name);
        let shared = own.iter().filter(|pair| others.contains(pair)).count();
        let all = own.len() + others.len();
        let is_near = shared > 0 && 5 * shared >= all;
        let is_better = best.is_none_or(|(most, of, _)| shared * of > most * all);
        if is_near && is_better {
            best = Some((shared, all, name));
        }
    }
    best.map(|(_, _, name)| name)
}

/// Every two letters that stand beside each other, once.
fn pairs(text: &str) -> Vec<(char, char)> {
    let lower = text.to_ascii_lowercase();
    let mut pairs: Vec<(char, char)> = lower.chars().zip(lower.chars().skip(1)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}
