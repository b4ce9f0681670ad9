//! `BACKSTOP_REDACT`: named patterns, fields, and patterns of the user's own.

use super::{MOST_PATTERNS, entries, path, pattern};

/// A pattern that Backstop knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamedPattern {
    /// AWS access key ids, secret access keys and session tokens.
    AwsKeys,
    /// What follows `Bearer`.
    Bearer,
    /// JSON Web Tokens.
    Jwt,
    /// Private keys in PEM.
    PrivateKeys,
    Email,
    /// Card numbers that pass Luhn's check.
    Card,
    /// `IPv4` addresses.
    Ipv4,
    /// `IPv6` addresses.
    Ipv6,
    /// US social security numbers.
    Ssn,
    /// IBANs with a right checksum.
    Iban,
}

impl NamedPattern {
    /// All: where two match at one place, the first in this order gives the name.
    pub const ALL: &[Self] = &[
        Self::PrivateKeys,
        Self::Jwt,
        Self::Bearer,
        Self::AwsKeys,
        Self::Email,
        Self::Iban,
        Self::Card,
        Self::Ssn,
        Self::Ipv6,
        Self::Ipv4,
    ];

    /// The name in the variable, in what takes the text's place, and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwsKeys => "aws-keys",
            Self::Bearer => "bearer",
            Self::Jwt => "jwt",
            Self::PrivateKeys => "private-keys",
            Self::Email => "email",
            Self::Card => "card",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Ssn => "ssn",
            Self::Iban => "iban",
        }
    }
}

/// One thing to redact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redaction {
    /// A pattern that Backstop knows.
    Named(NamedPattern),
    /// A field's value.
    Field(String),
    /// A pattern of the user's.
    Own {
        /// Its name, in what takes the text's place and in the ledger.
        name: String,
        /// The regular expression.
        pattern: String,
    },
}

impl Redaction {
    /// The name in the ledger.
    pub fn name(&self) -> String {
        match self {
            Self::Named(pattern) => pattern.as_str().to_owned(),
            Self::Field(path) => format!("record.{path}"),
            Self::Own { name, .. } => name.clone(),
        }
    }
}

/// The entries that are valid, and what is wrong with the others.
pub(crate) fn redactions(text: &str) -> (Vec<Redaction>, Vec<String>) {
    let (mut redactions, mut problems) = (Vec::new(), Vec::new());
    for (index, entry) in entries(text, ',', ",=").into_iter().enumerate() {
        let position = index + 1;
        match redaction(entry, position) {
            Ok(found) => {
                for redaction in found {
                    if redactions.contains(&redaction) {
                        continue;
                    }
                    if redactions.len() == MOST_PATTERNS {
                        problems.push(format!("has more than {MOST_PATTERNS} entries: use fewer"));
                        return (redactions, problems);
                    }
                    redactions.push(redaction);
                }
            }
            Err(problem) => problems.push(format!("{problem} (entry {position})")),
        }
    }
    if redactions.is_empty() && problems.is_empty() {
        problems.push("names nothing: name patterns, separated by commas".to_owned());
    }
    (redactions, problems)
}

fn redaction(entry: &str, position: usize) -> Result<Vec<Redaction>, String> {
    let all = NamedPattern::ALL;
    if entry == "all" {
        return Ok(all.iter().copied().map(Redaction::Named).collect());
    }
    if let Some(named) = all.iter().find(|named| named.as_str() == entry) {
        return Ok(vec![Redaction::Named(*named)]);
    }
    if entry.starts_with("record.") {
        return Ok(vec![Redaction::Field(path(entry)?)]);
    }
    let (name, own) = match entry.split_once('/') {
        Some(("", own)) => (format!("pattern-{position}"), own),
        Some((name, own)) => {
            let name = name.strip_suffix('=').map(str::trim).unwrap_or_default();
            (name.to_owned(), own)
        }
        None => {
            let names: Vec<&str> = all.iter().map(|named| named.as_str()).collect();
            return Err(format!(
                "has an entry that is not known: use all, {}, record.FIELD, /PATTERN/ or NAME=/PATTERN/",
                names.join(", ")
            ));
        }
    };
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.is_empty() || name.len() > 32 || !name.bytes().all(is_part) {
        return Err(
            "has a pattern whose name is not 1 to 32 letters, digits, \"-\" and \"_\"".to_owned(),
        );
    }
    if all.iter().any(|named| named.as_str() == name) {
        return Err("gives a pattern the name of one that Backstop knows".to_owned());
    }
    let (pattern, rest) = pattern(own)?;
    if !rest.is_empty() {
        return Err("has text after a pattern: separate entries by commas".to_owned());
    }
    Ok(vec![Redaction::Own { name, pattern }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_names_fields_and_patterns() {
        let (found, problems) =
            redactions(r"email, record.user.name,/a,b\/c/,order=/ORD-\d+/, email");
        assert_eq!(problems, [""; 0]);
        let own = |name: &str, pattern: &str| Redaction::Own {
            name: name.to_owned(),
            pattern: pattern.to_owned(),
        };
        assert_eq!(
            found,
            [
                Redaction::Named(NamedPattern::Email),
                Redaction::Field("user.name".to_owned()),
                own("pattern-3", "a,b/c"),
                own("order", r"ORD-\d+"),
            ]
        );
        assert_eq!(redactions("all").0.len(), NamedPattern::ALL.len());
    }

    #[test]
    fn a_wrong_entry_costs_itself_and_its_pattern_is_not_quoted() {
        for (text, words) in [
            ("e-mail", "not known: use all, private-keys"),
            ("record.", "path that is not valid"),
            ("hunter 2=/hunter2/", "name is not 1 to 32"),
            ("email=/hunter2/", "the name of one"),
            ("/hunter2", "closing slash"),
            ("/hunter2/i", "text after a pattern"),
            (" , ", "names nothing"),
        ] {
            let (found, problems) = redactions(text);
            assert!(found.is_empty(), "{text}");
            assert!(problems[0].contains(words), "{text}: {problems:?}");
            assert!(!problems[0].contains("hunter2"), "{problems:?}");
        }
        let (found, problems) = redactions("email,nothing,card");
        assert_eq!((found.len(), problems.len()), (2, 1));
        assert!(problems[0].ends_with("(entry 2)"), "{problems:?}");
    }
}
