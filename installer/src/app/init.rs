//! The command `init`.

use std::io::BufRead as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::has_terminal;
use crate::cli::{InitArgs, UsageError};
use crate::files::{self, Readers};
use crate::init::{self, Answers, Ask, Primary, Written};
use crate::output::Output;

/// The person at the terminal.
struct Terminal(Output);

impl Ask for Terminal {
    fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        Output::prompt(question)?;
        let mut answer = String::new();
        let read = (std::io::stdin().lock())
            .read_line(&mut answer)
            .context("cannot read the answer")?;
        if read == 0 {
            bail!("the input ended before all questions were answered: nothing was written");
        }
        Ok(answer.trim().to_owned())
    }

    fn say(&mut self, problem: &str) {
        self.0.progress(problem);
    }
}

pub(super) fn run(args: InitArgs, output: Output) -> anyhow::Result<ExitCode> {
    let file = args.file.clone();
    if !args.force && file.try_exists().unwrap_or(true) {
        let problem = format!(
            "{} is there already: give --force to replace it, or --file to write another",
            file.display()
        );
        return Err(UsageError(problem).into());
    }
    let mut answers = answers(args);
    if has_terminal() {
        init::complete(&mut answers, &mut Terminal(output))?;
    }
    let text = answers
        .text()
        .map_err(|problems| UsageError(problems.join("\n")))?;
    files::put(&file, text.as_bytes(), Readers::All)
        .with_context(|| format!("cannot write {}", file.display()))?;
    output.result(&Written {
        missing: missing(&answers, files::parent(&file)),
        next: answers.next(),
        file,
    })?;
    Ok(ExitCode::SUCCESS)
}

fn answers(args: InitArgs) -> Answers {
    let primary = match (args.backend, args.url, args.url_file) {
        (Some(name), ..) => Some(Primary::Backend {
            name,
            options: args.backend_option.into_iter().collect(),
        }),
        (None, None, None) => None,
        (None, url, url_file) => Some(Primary::Address {
            url,
            url_file,
            format: args.format,
        }),
    };
    Answers {
        primary,
        token_file: args.token_file,
        regions: args.regions,
        functions: args.function,
        tags: args.tag,
        firehose_stream: args.firehose_stream,
        s3_bucket: args.s3_bucket,
        s3_region: args.s3_region,
    }
}

/// What the next commands would stop at.
fn missing(answers: &Answers, directory: &std::path::Path) -> Vec<String> {
    let mut missing = Vec::new();
    let token = answers.token_file.as_ref();
    if let Some(path) = token.filter(|path| !directory.join(path).exists()) {
        missing.push(format!("the token, in the file {}", path.display()));
    }
    if answers.functions.is_empty() && answers.tags.is_empty() {
        missing.push("the functions, in [select]".to_owned());
    }
    if answers.firehose_stream.is_none() && answers.s3_bucket.is_none() {
        missing.push("a fallback, in [settings]".to_owned());
    }
    missing
}
