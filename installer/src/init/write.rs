//! The text of the file.
//!
//! A basic string of TOML is written as a string of JSON: what that escapes, TOML reads.

use std::fmt::Write as _;

use backstop_config::Backend;

use super::{Answers, Primary};

/// The whole file.
pub(super) fn file(answers: &Answers, primary: &Primary) -> String {
    let mut text = String::from(
        "# What `backstop` works with in this directory. An option on the command line overrides a\n\
         # value here. docs/installer.md lists all keys.\n",
    );
    targets(&mut text, answers);
    select(&mut text, answers);
    text.push_str(
        "\n[layer]\n# `backstop layer publish` writes it, and the other commands read it.\n\
         manifest = \"layers.json\"\n",
    );
    if let Primary::Backend { name, options } = primary {
        text.push_str("\n[primary]\n");
        if let Ok(backend) = Backend::named(name) {
            writeln!(text, "# {}: docs/backends.md", backend.title).ok();
        }
        writeln!(text, "backend = {}", quoted(name)).ok();
        option_lines(&mut text, name, options);
    }
    settings(&mut text, answers, primary);
    secrets(&mut text, answers, primary);
    text
}

fn targets(text: &mut String, answers: &Answers) {
    text.push_str(
        "\n[targets]\n# Where the functions are; without regions, that of the profile.\n",
    );
    if answers.regions.is_empty() {
        text.push_str("# regions = [\"eu-west-1\"]\n");
    } else {
        writeln!(text, "regions = {}", quoted_list(&answers.regions)).ok();
    }
    text.push_str(
        "# Other accounts, each with this role:\n\
         # accounts = [\"111122223333\"]\n\
         # role = \"BackstopInstaller\"\n",
    );
}

fn select(text: &mut String, answers: &Answers) {
    text.push_str("\n[select]\n# Which functions. A function must meet all conditions.\n");
    if answers.functions.is_empty() && answers.tags.is_empty() {
        text.push_str("# functions = [\"orders-*\"]\n# tags = { team = \"payments\" }\n");
        return;
    }
    if !answers.functions.is_empty() {
        let functions: Vec<String> = (answers.functions.iter())
            .map(ToString::to_string)
            .collect();
        writeln!(text, "functions = {}", quoted_list(&functions)).ok();
    }
    if !answers.tags.is_empty() {
        let mut tags: Vec<(&String, Vec<String>)> = Vec::new();
        for (key, value) in &answers.tags {
            match tags.iter_mut().find(|(known, _)| *known == key) {
                Some((_, values)) => values.push(value.clone()),
                None => tags.push((key, vec![value.clone()])),
            }
        }
        let tags: Vec<String> = (tags.iter())
            .map(|(key, values)| match values.as_slice() {
                [value] => format!("{} = {}", quoted(key), quoted(value)),
                values => format!("{} = {}", quoted(key), quoted_list(values)),
            })
            .collect();
        writeln!(text, "tags = {{ {} }}", tags.join(", ")).ok();
    }
}

fn option_lines(
    text: &mut String,
    name: &str,
    options: &std::collections::BTreeMap<String, String>,
) {
    let known = Backend::named(name).map_or(&[][..], |backend| backend.options);
    for option in known {
        writeln!(text, "# {}: {}", option.name, option.meaning).ok();
        match (options.get(option.name), option.default) {
            (Some(value), _) => writeln!(text, "{} = {}", option.name, quoted(value)).ok(),
            (None, Some(default)) => writeln!(text, "# {} = {}", option.name, quoted(default)).ok(),
            (None, None) => writeln!(text, "# {} = \"\"", option.name).ok(),
        };
    }
}

fn settings(text: &mut String, answers: &Answers, primary: &Primary) {
    text.push_str("\n[settings]\n");
    if let Primary::Address { url, format, .. } = primary {
        text.push_str("# Where records go, and in which format: docs/backends.md\n");
        if let Some(url) = url {
            writeln!(text, "BACKSTOP_PRIMARY_URL = {}", quoted(url)).ok();
        }
        if let Some(format) = format {
            writeln!(
                text,
                "BACKSTOP_PRIMARY_FORMAT = {}",
                quoted(format.as_str())
            )
            .ok();
        }
    }
    text.push_str(
        "# Where records go while the primary fails, in this order. Without a fallback they are lost.\n",
    );
    for (name, value, example) in [
        (
            "BACKSTOP_FIREHOSE_STREAM",
            &answers.firehose_stream,
            "backstop",
        ),
        ("BACKSTOP_S3_BUCKET", &answers.s3_bucket, "my-archive"),
        ("BACKSTOP_S3_REGION", &answers.s3_region, "eu-west-1"),
    ] {
        match value {
            Some(value) => writeln!(text, "{name} = {}", quoted(value)).ok(),
            None => writeln!(text, "# {name} = {}", quoted(example)).ok(),
        };
    }
    text.push_str(
        "# Milliseconds that sending may add to an invocation. docs/configuration.md has all settings.\n\
         # BACKSTOP_MAX_ADDED_MS = 500\n",
    );
}

fn secrets(text: &mut String, answers: &Answers, primary: &Primary) {
    text.push_str(
        "\n[secrets]\n# Files that hold one secret each. Keep them out of version control.\n",
    );
    match &answers.token_file {
        Some(path) => writeln!(text, "token_file = {}", quoted(&path.display().to_string())).ok(),
        None => writeln!(text, "# token_file = \"token\"").ok(),
    };
    if let Primary::Address {
        url_file: Some(path),
        ..
    } = primary
    {
        writeln!(text, "url_file = {}", quoted(&path.display().to_string())).ok();
    }
}

/// As a basic string of TOML.
fn quoted(text: &str) -> String {
    // JSON leaves this one as it is, and TOML does not take it.
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

fn quoted_list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}
