//! Where an object of the archive is.
//!
//! The extension writes `{prefix}/v1/account=…/region=…/function=…/dt=YYYY-MM-DD/hour=HH/{batch id}.ndjson.gz`;
//! what is for the archive only as `{batch id}.mirrored.ndjson.gz`; a Firehose stream delivers under `{prefix}/v1/stream=NAME/dt=…/hour=…/`.
//!
//! Invariants: the same batch always has the same key; a value never makes a folder of its own.

use backstop_delivery::{Civil, Wall};

/// The folder of this version, below the prefix.
pub const VERSION: &str = "v1";

/// The function whose records an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// The function's account; empty where the platform does not tell.
    pub account: &'a str,
    /// The function's region.
    pub region: &'a str,
    /// The function's name.
    pub function: &'a str,
}

/// The folder below which the archive of a prefix is, with its slash.
pub fn root(prefix: &str) -> String {
    let slash = if prefix.is_empty() { "" } else { "/" };
    format!("{prefix}{slash}{VERSION}/")
}

/// What comes before the extensions in the name of an object that the primary is not to get.
const MIRRORED: &str = ".mirrored";
const EXTENSIONS: &str = ".ndjson.gz";

/// The name of a batch in its object's key, where it is for the archive only. The records of it that are
/// diverted as well may make a batch of the same id.
pub fn mirrored_name(batch_id: &str) -> String {
    format!("{batch_id}{MIRRORED}")
}

/// Whether a key says that all in the object is for the archive only.
#[cfg(any(test, feature = "read"))]
pub(crate) fn is_mirrored(key: &str) -> bool {
    let name = key.strip_suffix(EXTENSIONS);
    name.is_some_and(|name| name.ends_with(MIRRORED))
}

/// The key of an object: `name` is the batch's id, or [`mirrored_name`].
pub fn object_key(prefix: &str, source: &Source<'_>, created: Wall, name: &str) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
    } = created.civil();
    let account = if source.account.is_empty() {
        "unknown"
    } else {
        source.account
    };
    let root = root(prefix);
    let account = percent_encoded(account);
    let region = percent_encoded(source.region);
    let function = percent_encoded(source.function);
    format!(
        "{root}account={account}/region={region}/function={function}\
         /dt={year:04}-{month:02}-{day:02}/hour={hour:02}/{name}{EXTENSIONS}"
    )
}

/// All but RFC 3986's unreserved characters as `%XX`, so that a value never makes a folder of its own.
fn percent_encoded(value: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    value.bytes().map(encode).collect()
}

/// The function that the key names.
pub fn function_of(key: &str) -> Option<String> {
    let name = partition(key, "function").map(percent_decoded)?;
    (!name.is_empty()).then_some(name)
}

/// The value of `name=` in a key.
pub(crate) fn partition<'a>(key: &'a str, name: &str) -> Option<&'a str> {
    key.split('/')
        .filter_map(|folder| folder.split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// Undoes percent-encoding; what is not encoded stays as it is.
pub fn percent_decoded(value: &str) -> String {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let encoded = match (first, after) {
            (b'%', [high, low, ..]) => digit(*high)
                .zip(digit(*low))
                .and_then(|(high, low)| u8::try_from(high * 16 + low).ok()),
            _ => None,
        };
        bytes.push(encoded.unwrap_or(*first));
        rest = if encoded.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn wall(seconds: u64) -> Wall {
        Wall(Duration::from_secs(seconds))
    }

    fn key_of(name: &str) -> String {
        let source = Source {
            account: "",
            region: "",
            function: "",
        };
        object_key("", &source, wall(0), name)
    }

    #[test]
    fn keys_follow_the_contract_and_values_never_make_folders() {
        let source = Source {
            account: "123456789012",
            region: "eu-west-1",
            function: "my/odd fn",
        };
        assert_eq!(
            object_key("backstop", &source, wall(1_666_361_103), "e-1-2"),
            "backstop/v1/account=123456789012/region=eu-west-1/function=my%2Fodd%20fn/dt=2022-10-21/hour=14/e-1-2.ndjson.gz"
        );
        let mirrored = object_key("", &source, wall(0), &mirrored_name("e-1-2"));
        assert!(mirrored.ends_with("/e-1-2.mirrored.ndjson.gz"));
        assert!(is_mirrored(&mirrored));
        for other in [&key_of("e-1-2"), "a.mirrored", "mirrored.ndjson.gz"] {
            assert!(!is_mirrored(other), "{other}");
        }
        let unknown = Source {
            account: "",
            region: "",
            function: "",
        };
        let key = object_key("", &unknown, wall(0), "b");
        assert_eq!(
            key,
            "v1/account=unknown/region=/function=/dt=1970-01-01/hour=00/b.ndjson.gz"
        );
    }

    #[test]
    fn percent_encoding_is_undone_and_stray_percents_stay() {
        assert_eq!(percent_decoded("a%2Fb%20c"), "a/b c");
        assert_eq!(percent_decoded("50%"), "50%");
        assert_eq!(percent_decoded("%zz"), "%zz");
        assert_eq!(percent_decoded("%+f%4"), "%+f%4", "a sign is no digit");
    }
}
