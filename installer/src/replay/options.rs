//! What replay's summary and mistakes in its variables are called in the options of this command line.

use backstop_replay::{Problem, Summary};

use crate::options::with_options;

/// What a mistake in a variable is one of, where the address was typed or read from a file.
pub const TYPED: [(&str, &str); 3] = [
    ("BACKSTOP_PRIMARY_URL", "--to"),
    ("BACKSTOP_PRIMARY_HEADERS", "--header-file"),
    ("BACKSTOP_PRIMARY_TOKEN", "the token"),
];
/// The same of an address that is in a file.
pub const FROM_FILE: [(&str, &str); 3] = [
    ("BACKSTOP_PRIMARY_URL", "the address in --url-file"),
    ("BACKSTOP_PRIMARY_HEADERS", "--header-file"),
    ("BACKSTOP_PRIMARY_TOKEN", "the token"),
];

/// A summary with the options that its messages mean.
pub fn summary_with_options(summary: &mut Summary) {
    let Summary {
        problems,
        unmatched,
        halted,
        failure,
        ..
    } = summary;
    let problems = problems.iter_mut().map(|Problem { problem, .. }| problem);
    for text in problems.chain(unmatched).chain(halted).chain(failure) {
        *text = with_options(text);
    }
}
