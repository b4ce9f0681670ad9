//! Archive v1: where objects are, and how a line is read back.
//!
//! The extension writes `{prefix}/v1/account=…/region=…/function=…/dt=YYYY-MM-DD/hour=HH/{batch id}.ndjson.gz`;
//! a Firehose stream delivers under `{prefix}/v1/stream=NAME/dt=…/hour=…/`. Both hold the same lines.
//! An old archive stays readable for ever: what is written here may grow members, never lose one.

use backstop_delivery::{Civil, Wall};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Resource;

/// The folder of this version, below the prefix.
pub const VERSION: &str = "v1";

/// The key of a batch's object.
pub fn object_key(prefix: &str, resource: &Resource, created: Wall, batch_id: &str) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
    } = created.civil();
    let slash = if prefix.is_empty() { "" } else { "/" };
    let account = if resource.account_id.is_empty() {
        "unknown"
    } else {
        &resource.account_id
    };
    let account = percent_encoded(account);
    let region = percent_encoded(&resource.region);
    let function = percent_encoded(&resource.function_name);
    format!(
        "{prefix}{slash}{VERSION}/account={account}/region={region}/function={function}\
         /dt={year:04}-{month:02}-{day:02}/hour={hour:02}/{batch_id}.ndjson.gz"
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

/// A line of the archive, which goes on as it came.
#[derive(Debug, Clone)]
pub struct ArchivedLine<'a> {
    text: &'a str,
    id: &'a RawValue,
    resource: Option<&'a RawValue>,
    /// Where the reason is in the text.
    reason: Option<&'a RawValue>,
    /// Why the record is here and not at the primary.
    pub diverted: Option<ArchivedReason>,
}

/// What a line has to have, and what is read of it. Members of later versions are no mistake.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow, rename = "time")]
    _time: &'a RawValue,
    #[serde(borrow, rename = "type")]
    _kind: &'a RawValue,
    #[serde(borrow, rename = "record")]
    _record: &'a RawValue,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    diverted: Option<&'a RawValue>,
}

/// Why a record was diverted.
#[derive(Debug, Clone, Deserialize)]
pub struct ArchivedReason {
    /// The reason's name.
    pub reason: String,
    /// The sink that did not take it.
    #[serde(default)]
    pub sink: String,
    /// The status it answered.
    #[serde(default)]
    pub status: Option<u16>,
}

impl<'a> ArchivedLine<'a> {
    /// Reads a line.
    pub fn parse(line: &'a str) -> serde_json::Result<Self> {
        let members: Members<'a> = serde_json::from_str(line)?;
        let diverted = members.diverted.map(|it| serde_json::from_str(it.get()));
        Ok(Self {
            text: line,
            id: members.id,
            resource: members.resource,
            reason: members.diverted,
            diverted: diverted.transpose()?.flatten(),
        })
    }

    /// The record's id, without quotes.
    pub fn id(&self) -> &'a str {
        self.id.get().trim_matches('"')
    }

    /// The name of the function that emitted it, where the resource tells.
    pub fn function_name(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Name {
            #[serde(rename = "faas.name")]
            name: Option<String>,
        }
        serde_json::from_str::<Name>(self.resource?.get())
            .ok()?
            .name
    }

    /// The line as the primary would have been sent it: without the reason it was not, and otherwise to
    /// the byte as it is.
    pub fn without_reason(&self) -> String {
        let text = self.text.trim_matches([' ', '\t', '\r', '\n']);
        let Some((before, after)) = self.reason.and_then(|reason| around(text, reason)) else {
            return text.to_owned();
        };
        // One of the commas beside it goes with it.
        let rest = after.trim_ascii_start();
        match (
            before.trim_ascii_end().strip_suffix(','),
            rest.strip_prefix(','),
        ) {
            (Some(before), _) => format!("{before}{after}"),
            (None, Some(after)) => format!("{before}{}", after.trim_ascii_start()),
            (None, None) => format!("{before}{after}"),
        }
    }
}

/// What is before the member of that value and what is after it; the value is a part of the text.
fn around<'a>(text: &'a str, value: &RawValue) -> Option<(&'a str, &'a str)> {
    let start = (value.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let after = text.get(start.checked_add(value.get().len())?..)?;
    let before = text.get(..start)?.trim_ascii_end().strip_suffix(':')?;
    // The name may be written with escapes, of which none is a quote.
    let (before, _) = before
        .trim_ascii_end()
        .strip_suffix('"')?
        .rsplit_once('"')?;
    Some((before, after))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn wall(seconds: u64) -> Wall {
        Wall(Duration::from_secs(seconds))
    }

    #[test]
    fn keys_follow_the_contract_and_values_never_make_folders() {
        let resource = Resource {
            function_name: "my/odd fn".to_owned(),
            region: "eu-west-1".to_owned(),
            account_id: "123456789012".to_owned(),
            ..Resource::default()
        };
        assert_eq!(
            object_key("backstop", &resource, wall(1_666_361_103), "e-1-2"),
            "backstop/v1/account=123456789012/region=eu-west-1/function=my%2Fodd%20fn/dt=2022-10-21/hour=14/e-1-2.ndjson.gz"
        );
        let key = object_key("", &Resource::default(), wall(0), "b");
        assert_eq!(
            key,
            "v1/account=unknown/region=/function=/dt=1970-01-01/hour=00/b.ndjson.gz"
        );
    }

    #[test]
    fn a_line_comes_back_as_the_primary_would_have_got_it() {
        let sent = r#"{"id":"e-1","time":"t","type":"function","record":{"b":1, "a":[2]},"resource":{"faas.name":"f"}}"#;
        let archived = sent.replace("}}", r#"},"diverted":{"reason":"timeout","sink":"https"}}"#);
        let line = ArchivedLine::parse(&archived).expect("it is a line");
        assert_eq!(line.without_reason(), sent);
        assert_eq!(line.id(), "e-1");
        assert_eq!(line.function_name().as_deref(), Some("f"));
        assert_eq!(line.diverted.expect("it was").reason, "timeout");
        assert!(ArchivedLine::parse("{}").is_err());
    }

    #[test]
    fn but_for_the_reason_a_line_goes_on_to_the_byte() {
        let reason = r#""diverted" : {"reason":"timeout", "sink":"https"}"#;
        for (archived, sent) in [
            // Members of a later version, an order and a layout of somebody else's, no resource.
            (
                r#"{"new":[1, 2],"type":"x" ,"record":"\u0041","time":1,"id":"1",REASON}"#,
                r#"{"new":[1, 2],"type":"x" ,"record":"\u0041","time":1,"id":"1"}"#,
            ),
            (
                r#" {REASON , "id":"1","time":"t","type":"x","record":{"diverted":1}} "#,
                r#"{"id":"1","time":"t","type":"x","record":{"diverted":1}}"#,
            ),
            (
                r#"{"id":"1", REASON, "time":"t","type":"x","record":1}"#,
                r#"{"id":"1", "time":"t","type":"x","record":1}"#,
            ),
            (
                r#"{"id":"1","time":"t","type":"x","record":"\"diverted\":{}","d\u0069verted":{"reason":"r"}}"#,
                r#"{"id":"1","time":"t","type":"x","record":"\"diverted\":{}"}"#,
            ),
            (
                r#"{"id":"1","time":"t","type":"x","record":1,"resource":null}"#,
                r#"{"id":"1","time":"t","type":"x","record":1,"resource":null}"#,
            ),
        ] {
            let archived = archived.replace("REASON", reason);
            let line = ArchivedLine::parse(&archived).expect("it is a line");
            assert_eq!(line.without_reason(), sent);
        }
        let twice = r#"{"id":1,"time":1,"type":1,"record":1,"diverted":null,"diverted":null}"#;
        assert!(ArchivedLine::parse(twice).is_err());
    }
}
