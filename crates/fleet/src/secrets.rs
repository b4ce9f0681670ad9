//! Secrets, and where they are: in a file, on stdin, or in Secrets Manager.
//!
//! Invariant: a secret is in memory only, and no error holds any part of it. What a plan keeps is
//! where it is and a digest.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use aws_config::{Region, SdkConfig};
use backstop_config::Arn;
use serde::{Deserialize, Serialize};

use crate::aws::Failure;
use crate::files;
use crate::usage::UsageError;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// All of a file, without the space around it.
    File(PathBuf),
    /// A file of headers, `name: value` on each line.
    HeaderFile(PathBuf),
    /// All of stdin.
    Stdin,
    /// A secret of Secrets Manager.
    SecretsManager(String),
    /// Kept there: the function reads it, and no one else.
    Reference(String),
    /// Texts and secrets, one after the other: a token in a header that the backend wants it in.
    Joined(Vec<Piece>),
}

/// A part of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Piece {
    /// As it is; not secret.
    Text(String),
    /// What is read from there.
    Secret(Source),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::HeaderFile(path) => path.display().fmt(formatter),
            Self::Stdin => formatter.write_str("stdin"),
            Self::SecretsManager(arn) | Self::Reference(arn) => formatter.write_str(arn),
            Self::Joined(pieces) => {
                let sources = pieces.iter().filter_map(Piece::source);
                let shown: Vec<String> = sources.map(ToString::to_string).collect();
                match shown.as_slice() {
                    [] => formatter.write_str("the options of the backend"),
                    _ => formatter.write_str(&shown.join(" and ")),
                }
            }
        }
    }
}

impl Source {
    /// A file, or stdin for `-`.
    pub fn file(path: &Path) -> Self {
        if path == Path::new("-") {
            Self::Stdin
        } else {
            Self::File(path.to_owned())
        }
    }

    /// Whether it is read from stdin, which can be read once.
    pub fn is_stdin(&self) -> bool {
        match self {
            Self::Stdin => true,
            Self::Joined(pieces) => (pieces.iter().filter_map(Piece::source)).any(Self::is_stdin),
            Self::File(_) | Self::HeaderFile(_) | Self::SecretsManager(_) | Self::Reference(_) => {
                false
            }
        }
    }

    /// The secret, as the variable is to hold it.
    pub async fn read(&self, config: &SdkConfig) -> anyhow::Result<String> {
        let text = match self {
            Self::File(path) => read(path)?,
            Self::HeaderFile(path) => pairs(path, &headers(path, &read(path)?)?)?,
            Self::Stdin => stdin()?,
            Self::SecretsManager(arn) => secret(config, arn).await?,
            Self::Reference(reference) => format!("{{{{{reference}}}}}"),
            Self::Joined(pieces) => Box::pin(joined(pieces, config)).await?,
        };
        let text = text.trim();
        if text.is_empty() {
            bail!("{self} is empty: write the secret into it");
        }
        Ok(text.to_owned())
    }
}

impl Piece {
    fn source(&self) -> Option<&Source> {
        match self {
            Self::Text(_) => None,
            Self::Secret(source) => Some(source),
        }
    }
}

/// The pieces as one text. A comma in a token would begin another header.
async fn joined(pieces: &[Piece], config: &SdkConfig) -> anyhow::Result<String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Secret(source) => {
                let secret = source.read(config).await?;
                if secret.contains(',') && !matches!(source, Source::HeaderFile(_)) {
                    bail!(
                        "the token from {source} has a comma: give the token only, without a \
                         scheme or list"
                    );
                }
                text.push_str(&secret);
            }
        }
    }
    Ok(text)
}

/// From Secrets Manager, in the region that its ARN names.
async fn secret(config: &SdkConfig, arn: &str) -> anyhow::Result<String> {
    let region = Arn::parse(arn)
        .filter(|arn| arn.service == "secretsmanager")
        .with_context(|| format!("`{arn}` is not the ARN of a secret"))?
        .region;
    let config = config
        .to_builder()
        .region(Region::new(region.to_owned()))
        .build();
    let answer = aws_sdk_secretsmanager::Client::new(&config)
        .get_secret_value()
        .secret_id(arn)
        .send()
        .await
        .map_err(|error| Failure::of(&format!("reading the secret {arn}"), &error))?;
    let text = answer.secret_string();
    Ok(text
        .with_context(|| format!("the secret {arn} is binary: store the token as text"))?
        .to_owned())
}

/// A file's text.
pub fn read(path: &Path) -> anyhow::Result<String> {
    files::text(path, files::SMALL)
}

/// An address from a file, or from stdin for `-`.
pub fn address(path: &Path) -> anyhow::Result<String> {
    let source = Source::file(path);
    let text = match &source {
        Source::Stdin => stdin()?,
        _ => read(path)?,
    };
    let text = text.trim();
    if text.is_empty() {
        bail!("{source} is empty: write the address into it");
    }
    Ok(text.to_owned())
}

fn stdin() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    (std::io::stdin().lock().take(files::SMALL))
        .read_to_end(&mut bytes)
        .context("stdin cannot be read")?;
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("stdin is not UTF-8 text"))
}

/// `name: value` lines; empty ones and those that begin with `#` are passed over.
pub fn headers(path: &Path, text: &str) -> Result<Vec<(String, String)>, UsageError> {
    let mut headers = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The line itself may be a secret.
        let (name, value) = line.split_once(':').ok_or_else(|| {
            UsageError(format!(
                "{}, line {number}: write it as `name: value`",
                path.display()
            ))
        })?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(headers)
}

/// As the variable has them, which separates them by commas.
fn pairs(path: &Path, headers: &[(String, String)]) -> anyhow::Result<String> {
    let mut pairs = Vec::new();
    for (name, value) in headers {
        if value.contains(',') {
            bail!(
                "{}: the value of {name} has a comma, which BACKSTOP_PRIMARY_HEADERS cannot carry",
                path.display()
            );
        }
        pairs.push(format!("{name}={value}"));
    }
    Ok(pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_file_has_names_values_and_comments() {
        let path = Path::new("headers");
        let text = "# ours\n\nx-team: a, b\nx-url: https://host\n";
        let found = headers(path, text).expect("they are headers");
        let expected = [("x-team", "a, b"), ("x-url", "https://host")];
        assert_eq!(
            found,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );

        let error = headers(path, "x-team: a\nhunter2").expect_err("no colon");
        assert_eq!(error.0, "headers, line 2: write it as `name: value`");
    }

    #[test]
    fn headers_become_pairs_unless_a_comma_is_in_the_way() {
        let path = Path::new("headers");
        let header = |value: &str| [("x-team".to_owned(), value.to_owned())];
        assert_eq!(
            pairs(path, &header("a=b")).ok().as_deref(),
            Some("x-team=a=b")
        );
        let error = pairs(path, &header("hunter2, b")).expect_err("a comma");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
