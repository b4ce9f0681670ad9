//! What the libraries advise, in the options of this command line.
//!
//! The libraries know no options: a function prints the same in its log. Must not: change anything else that
//! they say.

/// What a library says, and what it is here. An earlier line may hold the words of a later one.
const WORDS: [(&str, &str); 31] = [
    (
        "check the token and the headers",
        "check the token (--token-file or BACKSTOP_PRIMARY_TOKEN) and --header-file",
    ),
    ("then replay again", "then run the same command again"),
    (
        "replay again when the primary is healthy",
        "run the same command again when the primary is healthy",
    ),
    ("give its new address", "give its new address with --to"),
    (
        "check the address, the format and the headers",
        "check the address in --to, --format and --header-file",
    ),
    ("check the path of the address", "check the path in --to"),
    (
        "with `index` in BACKSTOP_PRIMARY_OPTIONS",
        "with --format-options index=NAME",
    ),
    ("in BACKSTOP_PRIMARY_OPTIONS", "in --format-options"),
    (
        "replay with fewer records in one request",
        "run the same command with a smaller --batch-records",
    ),
    (
        "give its own key or prefix",
        "give its own key or prefix with --from",
    ),
    ("leave objects unmarked", "give --after keep"),
    ("no record has the function", "no record has --function"),
    ("no record has the reason", "no record has --reason"),
    (
        "name another file for rejected records",
        "give another with --dead-letters-file",
    ),
    (
        "then resume the replay",
        "then run the same command with --resume",
    ),
    ("name another checkpoint", "give another --checkpoint"),
    (
        "begin one, or name",
        "leave out --resume to begin one, or name",
    ),
    (
        "name the checkpoint of the one",
        "give the --checkpoint of the one",
    ),
    (
        "resume it to send what is left",
        "give --resume to send what is left",
    ),
    (
        "restart it to send everything again",
        "--restart to send everything again",
    ),
    (
        "the region and the AWS endpoint URL",
        "--region and --endpoint-url",
    ),
    ("the AWS endpoint URL", "--endpoint-url"),
    (
        "use the bucket's own region",
        "give the bucket's own region with --region",
    ),
    ("the account of the credentials", "the account of --profile"),
    (
        "if an owner of the bucket is expected",
        "if you give --expected-bucket-owner",
    ),
    (
        "needs a reader that pays",
        "needs --request-payer requester",
    ),
    (
        "give credentials: those of a profile (AWS_PROFILE), or of a function's role",
        "give credentials: set AWS_PROFILE or --profile, or sign in with `aws sso login`",
    ),
    (
        "check the credentials, and that",
        "sign in again, give --profile, or check that",
    ),
    (
        "renew the credentials: they have expired",
        "the credentials have expired: sign in again, for an SSO profile with `aws sso login`",
    ),
    ("lower the rate of calls", "give a lower --rate"),
    ("or name its path", "or give its path with --extension"),
];

/// A message with the options that it means.
pub fn with_options(text: &str) -> String {
    let mut text = text.to_owned();
    for (said, here) in WORDS {
        if text.contains(said) {
            text = text.replace(said, here);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sources(directory: &Path, text: &mut String) {
        for entry in std::fs::read_dir(directory).expect("it is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                sources(&path, text);
            } else {
                text.push_str(&std::fs::read_to_string(&path).expect("it is a source"));
            }
        }
    }

    #[test]
    fn the_libraries_say_each_of_these_words_and_no_option() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
        let mut text = String::new();
        for library in ["common", "replay", "sinks"] {
            sources(&crates.join(library).join("src"), &mut text);
        }
        // A literal may be broken in two lines.
        let mut joined = String::new();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|it| !it.starts_with("//"))
        {
            joined.push_str(line.strip_suffix('\\').unwrap_or(line));
        }
        for (said, _) in WORDS {
            // The noun comes from a table.
            let said = said.strip_prefix("no record has the ").unwrap_or(said);
            assert!(joined.contains(said), "nothing says: {said}");
        }
        let named: Vec<&str> = joined.split([' ', '"', '`', '(']).collect();
        let is_option = |word: &&&str| {
            let name = word.strip_prefix("--").unwrap_or_default();
            // The frame of a certificate is of hyphens alone.
            name.len() > 1
                && !name.starts_with('-')
                && name.bytes().all(|it| it.is_ascii_lowercase() || it == b'-')
        };
        let known = ["--bucket", "--key", "--restore-request"];
        let options: Vec<_> = named.iter().filter(is_option).collect();
        let foreign: Vec<_> = options.iter().filter(|it| !known.contains(**it)).collect();
        assert!(foreign.is_empty(), "options in the libraries: {foreign:?}");
    }

    #[test]
    fn an_advice_names_its_option_once() {
        for (said, here) in [
            (
                "check the network, the region and the AWS endpoint URL",
                "check the network, --region and --endpoint-url",
            ),
            (
                "check the proxy, the network and the AWS endpoint URL",
                "check the proxy, the network and --endpoint-url",
            ),
        ] {
            assert_eq!(with_options(said), here);
            assert_eq!(with_options(here), here, "it has its options");
        }
    }
}
