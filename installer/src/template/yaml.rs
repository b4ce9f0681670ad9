//! The template as YAML: blocks, and each text that could be read as something else in quotes.

use std::fmt::Write as _;

use serde_json::Value;

const HEAD: &str = "\
# Backstop's archive. Deploy it, and then attach with the values in the stack's outputs:
#   aws cloudformation deploy --stack-name backstop-archive --template-file archive.yaml \\
#       --capabilities CAPABILITY_NAMED_IAM
#   aws cloudformation describe-stacks --stack-name backstop-archive --query 'Stacks[0].Outputs'
";

/// The template, with how to deploy it.
pub fn deployable(template: &Value) -> String {
    let mut text = HEAD.to_owned();
    block(&mut text, template, 0);
    text
}

/// The lines of a mapping or a sequence.
fn block(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                write!(text, "{indent}{}:", scalar(&Value::from(key.as_str()))).ok();
                entry(text, value, depth + 1);
            }
        }
        Value::Array(values) => {
            for value in values {
                write!(text, "{indent}-").ok();
                entry(text, value, depth + 1);
            }
        }
        other => {
            writeln!(text, "{indent}{}", scalar(other)).ok();
        }
    }
}

/// What follows a key or a dash: on its line, or in a block below it.
fn entry(text: &mut String, value: &Value, depth: usize) {
    let is_block = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(values) => !values.is_empty(),
        _ => false,
    };
    if is_block {
        text.push('\n');
        block(text, value, depth);
    } else {
        writeln!(text, " {}", scalar(value)).ok();
    }
}

/// JSON is YAML; a plain word is easier to read.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether no parser, of YAML 1.1 or 1.2, could take it for anything but text.
fn is_plain(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/.".contains(&byte);
    let bytes = text.replace("::", "");
    let ambiguous = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && bytes.bytes().all(is_word)
        && !text.ends_with(':')
        && !ambiguous.contains(&text.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_be_read_as_something_else_is_quoted() {
        let value = json!({
            "AWS::Region": "AWS::S3::Bucket",
            "empty": {},
            "list": [1, true, "true", "2012-10-17", "*", "a: b", "", { "Ref": "x", "y": [["z"]] }],
        });
        let text = deployable(&value);
        let (_, body) = text.split_once("Outputs'\n").expect("there is a head");
        assert_eq!(
            body,
            "\
AWS::Region: AWS::S3::Bucket
empty: {}
list:
  - 1
  - true
  - \"true\"
  - \"2012-10-17\"
  - \"*\"
  - \"a: b\"
  - \"\"
  -
    Ref: x
    \"y\":
      -
        - z
"
        );
    }
}
