//! A log line with a bound: whatever its details hold, it stays valid JSON and short.
//!
//! Details are added by name while there is room; a text that is too long is cut, anything else
//! that is too long becomes a cut text. Sizes are those of the JSON, in which a control character takes
//! six bytes.

use serde_json::{Map, Value, json};

/// The most that a line takes. Lambda takes lines of up to 256 KiB, and each one costs money.
pub(super) const MOST_LINE_BYTES: usize = 16 * 1024;
/// The most that one detail takes.
const MOST_DETAIL_BYTES: usize = 8 * 1024;
/// Room for the marker, the braces, and a few members that follow a long one.
const FRAME_BYTES: usize = 512;
const CUT: char = '…';

/// The line for a level, a message and the members of `details`.
pub(super) fn line(level: &str, message: &str, details: &Value) -> String {
    let mut members = Map::new();
    members.insert("level".to_owned(), level.into());
    members.insert("message".to_owned(), message.into());
    let mut room = MOST_LINE_BYTES - FRAME_BYTES - level.len() - size(&message.into());
    for (name, value) in details.as_object().into_iter().flatten() {
        // Quotes, a colon and a comma.
        let overhead = name.len() + 4;
        let value = cut(value, MOST_DETAIL_BYTES.min(room.saturating_sub(overhead)));
        let Some(left) = room.checked_sub(overhead + size(&value)) else {
            continue;
        };
        room = left;
        members.insert(name.clone(), value);
    }
    json!({ "backstop": members }).to_string()
}

/// The value, or as much of it as fits.
fn cut(value: &Value, most: usize) -> Value {
    if size(value) <= most {
        return value.clone();
    }
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut room = most.saturating_sub(2 + CUT.len_utf8());
    let mut kept = String::new();
    for character in text.chars() {
        let Some(left) = room.checked_sub(size(&character.to_string().into()) - 2) else {
            break;
        };
        room = left;
        kept.push(character);
    }
    kept.push(CUT);
    kept.into()
}

fn size(value: &Value) -> usize {
    value.to_string().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader finds in the line.
    fn read(details: &Value) -> Value {
        let line = line("WARN", "Something failed", details);
        assert!(line.len() <= MOST_LINE_BYTES, "{} bytes", line.len());
        assert!(line.starts_with(r#"{"backstop":{"#) && !line.contains('\n'));
        serde_json::from_str(&line).expect("it is JSON")
    }

    #[test]
    fn a_short_line_is_as_it_was_written() {
        let details = json!({"sink": "s3", "status": 403, "list": [1, "a"], "none": null});
        let mut expected = details.clone();
        expected["level"] = "WARN".into();
        expected["message"] = "Something failed".into();
        assert_eq!(read(&details), json!({ "backstop": expected }));
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_the_line_stays_json() {
        for piece in [
            "x",
            "é",
            "😀",
            "\u{0}",
            "\"",
            "\\",
            "\n",
            "\u{7f}",
            "a\u{1}😀\"",
        ] {
            for times in [8 * 1024, 100_000] {
                let read = read(&json!({"error": piece.repeat(times), "status": 403}));
                let line = &read["backstop"];
                let error = line["error"].as_str().expect("it is a text");
                assert!(error.ends_with(CUT), "{piece:?}");
                assert!(error.starts_with(piece) && error.len() > 1_000, "{piece:?}");
                assert_eq!(line["status"], 403, "{piece:?}: and what follows is there");
                assert_eq!(line["message"], "Something failed");
            }
        }
    }

    #[test]
    fn many_details_do_not_make_a_line_longer_than_it_may_be() {
        let many: Map<String, Value> = (0..2_000)
            .map(|index| (format!("member-{index}"), Value::from("y".repeat(100))))
            .collect();
        let read = read(&Value::Object(many));
        assert!(
            read["backstop"]
                .as_object()
                .is_some_and(|line| line.len() > 50)
        );
        let list: Vec<&str> = vec!["z"; 20_000];
        let text = "y".repeat(20_000);
        let read = super::tests::read(&json!({"a": list, "b": text, "c": text}));
        for name in ["a", "b"] {
            let text = read["backstop"][name].as_str();
            assert!(text.is_some_and(|text| text.ends_with(CUT)), "{name}");
        }
    }
}
