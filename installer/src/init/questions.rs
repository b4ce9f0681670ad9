//! Asks for what the options leave open, one line a question, in the order of the file.

use std::collections::BTreeMap;

use backstop_config::backends::{BackendOption, Rule};
use backstop_config::{BACKENDS, Backend, Format};

use super::{Answers, Primary};

/// Somebody who answers.
pub trait Ask {
    /// One line, without spaces around it.
    fn ask(&mut self, question: &str) -> anyhow::Result<String>;
    /// Why an answer is asked for again.
    fn say(&mut self, problem: &str);
}

/// Asks until everything is known.
pub fn complete(answers: &mut Answers, ask: &mut impl Ask) -> anyhow::Result<()> {
    if answers.primary.is_none() {
        answers.primary = Some(primary(ask)?);
    }
    if answers.token_file.is_none() {
        let is_needed = answers.primary.as_ref().and_then(Primary::needs_token);
        answers.token_file = token_file(ask, is_needed == Some(true))?;
    }
    if answers.regions.is_empty() {
        let question = "Regions of the functions, separated by commas [the profile's]: ";
        answers.regions = list(&ask.ask(question)?);
    }
    if answers.functions.is_empty() && answers.tags.is_empty() {
        functions(answers, ask)?;
    }
    if answers.firehose_stream.is_none() && answers.s3_bucket.is_none() {
        answers.firehose_stream = optional(ask, "Delivery stream, the first fallback [none]: ")?;
        answers.s3_bucket = optional(ask, "Bucket, the next fallback [none]: ")?;
        if answers.s3_bucket.is_some() {
            let question = "Region of the bucket [the function's]: ";
            answers.s3_region = optional(ask, question)?;
        }
    }
    Ok(())
}

fn primary(ask: &mut impl Ask) -> anyhow::Result<Primary> {
    let names: Vec<&str> = BACKENDS.iter().map(|backend| backend.name).collect();
    ask.say(&format!("Backends: {}", names.join(", ")));
    loop {
        let answer = ask.ask("Backend by its name, or the address of another one: ")?;
        let primary = if answer.starts_with("http") {
            let format = format(ask)?;
            Primary::Address {
                url: Some(answer),
                url_file: None,
                format: Some(format),
            }
        } else {
            match Backend::named(&answer) {
                Ok(backend) => Primary::Backend {
                    name: answer,
                    options: options(backend, ask)?,
                },
                Err(problem) => {
                    ask.say(&problem);
                    continue;
                }
            }
        };
        match primary.check() {
            Ok(()) => return Ok(primary),
            Err(problems) => problems.iter().for_each(|problem| ask.say(problem)),
        }
    }
}

fn format(ask: &mut impl Ask) -> anyhow::Result<Format> {
    let names: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
    let names = names.join(", ");
    loop {
        let answer = ask.ask(&format!("Format: {names} [ndjson]: "))?;
        if answer.is_empty() {
            return Ok(Format::Ndjson);
        }
        match Format::ALL.iter().find(|format| format.as_str() == answer) {
            Some(format) => return Ok(*format),
            None => ask.say(&format!("there is no format of this name: use {names}")),
        }
    }
}

/// The options that differ from their defaults.
fn options(backend: &Backend, ask: &mut impl Ask) -> anyhow::Result<BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    for option in backend.options {
        let answer = ask.ask(&question(option))?;
        if !answer.is_empty() {
            options.insert(option.name.to_owned(), answer);
        }
    }
    Ok(options)
}

fn question(option: &BackendOption) -> String {
    let otherwise = match option.default {
        Some(default) => format!(" [{default}]"),
        None if option.is_required => String::new(),
        None => " [none]".to_owned(),
    };
    let words = match option.rule {
        Rule::Words(words) => {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            format!(" ({})", words.join(", "))
        }
        _ => String::new(),
    };
    format!("{}, {}{words}{otherwise}: ", option.name, option.meaning)
}

fn token_file(ask: &mut impl Ask, is_needed: bool) -> anyhow::Result<Option<std::path::PathBuf>> {
    if is_needed {
        let answer = ask.ask("File with the token, which you can write later [token]: ")?;
        let name = if answer.is_empty() { "token" } else { &answer };
        return Ok(Some(name.into()));
    }
    Ok(optional(
        ask,
        "File with the token, if the server asks for one [none]: ",
    )?
    .map(Into::into))
}

fn functions(answers: &mut Answers, ask: &mut impl Ask) -> anyhow::Result<()> {
    const QUESTION: &str = "Functions: names, patterns such as orders-*, or tags such as \
        team=payments [later]: ";
    'again: loop {
        answers.functions.clear();
        answers.tags.clear();
        for word in list(&ask.ask(QUESTION)?) {
            // A regular expression may have an equals sign.
            if let Some((key, value)) = word.split_once('=').filter(|_| !word.starts_with('/')) {
                answers.tags.push((key.to_owned(), value.to_owned()));
                continue;
            }
            match word.parse() {
                Ok(pattern) => answers.functions.push(pattern),
                Err(problem) => {
                    ask.say(&problem);
                    continue 'again;
                }
            }
        }
        return Ok(());
    }
}

fn optional(ask: &mut impl Ask, question: &str) -> anyhow::Result<Option<String>> {
    let answer = ask.ask(question)?;
    Ok((!answer.is_empty()).then_some(answer))
}

fn list(text: &str) -> Vec<String> {
    let words = text.split(',').map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}
