//! The settings: the environment's variables, over those of a file in the function's package. A parameter is
//! read later, in [`crate::parameter`].
//!
//! Invariants: init never fails for a file, and never waits for one; all mistakes are one list. Must not:
//! quote what is in the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use backstop_config::file::{self, Layered};
use backstop_config::parameter::SCHEME;
use backstop_config::{ConfigError, Settings, Strings};

/// The variable that names the file.
const CONFIG: &str = "BACKSTOP_CONFIG";
/// Where Lambda unpacks the function's package.
const PACKAGE: &str = "/var/task";
/// More than any file of settings has.
const MOST_BYTES: u64 = 64 * 1024;
/// What the extension does without the file.
const EFFECT: &str = "the file is left out";

/// All settings that are valid, and every mistake.
pub(crate) fn resolve(environment: &impl Strings) -> (Settings, Vec<ConfigError>) {
    let path = environment.get(CONFIG).map(|path| path.trim().to_owned());
    let is_path = |path: &String| !path.is_empty() && !path.starts_with(SCHEME);
    let (file, mut errors) = match path.filter(is_path) {
        Some(path) => match text(&path) {
            Ok(text) => file::parse(&text),
            Err(problem) => {
                let error = ConfigError::of_file(problem).with_effect(EFFECT);
                (BTreeMap::new(), vec![error])
            }
        },
        None => (BTreeMap::new(), Vec::new()),
    };
    let (settings, more) = Settings::resolve(&Layered {
        environment,
        file: &file,
    });
    errors.extend(more);
    (settings, errors)
}

fn text(path: &str) -> Result<String, String> {
    // A path from the root stays as it is.
    let path = Path::new(PACKAGE).join(path);
    let unreadable = |error: &std::io::Error| {
        format!(
            "names a file that cannot be read ({}): give its path in the package, or ssm:NAME for a parameter",
            error.kind()
        )
    };
    let kind = path.metadata().map_err(|error| unreadable(&error))?;
    if !kind.is_file() {
        return Err("names something that is not a file: give the path of a file".to_owned());
    }
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    if read.map_err(|error| unreadable(&error))? as u64 > MOST_BYTES {
        return Err(format!(
            "names a file larger than {MOST_BYTES} bytes: check that it is the right file"
        ));
    }
    String::from_utf8(bytes).map_err(|_| "names a file that is not UTF-8 text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
        let variables: BTreeMap<String, String> = (variables.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let (settings, errors) = resolve(&variables);
        let errors = errors.iter().map(ToString::to_string).collect();
        (settings, errors)
    }

    #[test]
    fn a_file_is_read_under_the_environment_and_all_mistakes_are_one_list() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backstop.env");
        let text = "BACKSTOP_S3_BUCKET=archive\nBACKSTOP_MIN_LEVEL=warn\nBACKSTOP_TAGS=a=file\n\
                    BACKSTOP_FILTER=\n  drop type=x\n  nonsense\nBACKSTOP_FLTER=hunter2\nhunter2\n";
        std::fs::write(&path, text).unwrap();
        let shown = path.display().to_string();
        let (settings, errors) = resolved(&[(CONFIG, &shown), ("BACKSTOP_TAGS", "a=environment")]);
        assert_eq!(settings.fallbacks.len(), 1);
        assert_eq!(settings.transforms.filter.len(), 1);
        assert!(settings.transforms.min_level.is_some());
        assert_eq!(settings.tags, [("a".to_owned(), "environment".to_owned())]);
        let all = errors.join("\n");
        assert_eq!(errors.len(), 3, "{all}");
        for part in ["(line 8)", "did you mean BACKSTOP_FILTER", "(rule 2)"] {
            assert!(all.contains(part), "{all}");
        }
        assert!(!all.contains("hunter2"), "{all}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_and_costs_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let large = directory.path().join("large");
        std::fs::write(&large, vec![b'#'; 70_000]).unwrap();
        let odd = directory.path().join("odd");
        std::fs::write(&odd, b"\xff").unwrap();
        for (path, words) in [
            (
                directory.path().join("none"),
                "cannot be read (entity not found)",
            ),
            (directory.path().to_owned(), "is not a file"),
            (large, "larger than 65536 bytes"),
            (odd, "not UTF-8"),
            ("backstop.env".into(), "in the package"),
        ] {
            let path = path.display().to_string();
            let (settings, errors) =
                resolved(&[(CONFIG, &path), ("BACKSTOP_S3_BUCKET", "archive")]);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].contains(words), "{errors:?}");
            assert!(errors[0].ends_with(EFFECT), "{errors:?}");
            assert_eq!(settings.fallbacks.len(), 1);
        }
    }
}
