//! The tables over the archive are the same in Terraform, in the CDK library and in docs/replay.md.

use std::collections::BTreeSet;
use std::fs;

use crate::repository;

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).expect("the file is there")
}

/// The values between these two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    let parts = text.split(before).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(after)?.0))
        .collect()
}

/// The columns, as `name type`.
fn columns(text: &str, name: &str, kind: &str, quote: &str) -> Vec<String> {
    let names = between(text, name, quote).into_iter();
    names
        .filter_map(|name| {
            let (_, rest) = text.split_once(&format!("{quote}{name}{quote}, {kind}{quote}"))?;
            Some(format!("{name} {}", rest.split_once(quote)?.0))
        })
        .collect()
}

#[test]
fn the_statements_create_the_tables_that_terraform_and_cdk_do() {
    let terraform = read("terraform/modules/archive/athena.tf");
    let cdk = read("cdk/src/archive-tables.ts");
    let documented = read("docs/replay.md");
    let expected = columns(&terraform, "{ name = \"", "type = ", "\"");
    assert_eq!(expected.len(), 9, "{expected:?}");
    assert_eq!(columns(&cdk, "{ name: '", "type: ", "'"), expected);
    let (_, table) = documented
        .split_once("CREATE EXTERNAL TABLE direct (\n")
        .expect("it is there");
    let (table, _) = table.split_once("\n)").expect("it ends");
    let stated: Vec<String> = (table.lines())
        .map(|line| line.trim().trim_end_matches(',').replace('`', ""))
        .collect();
    assert_eq!(stated, expected);

    // Each property that Terraform sets, with its value where that is not of the deployment.
    let mut count = 0;
    for line in terraform.lines() {
        let Some((property, value)) = line.trim().split_once('=') else {
            continue;
        };
        let property = property.trim().trim_matches('"');
        let is_property = ["projection.", "storage.", "ignore.", "case."]
            .iter()
            .any(|it| property.starts_with(it))
            || ["classification", "compressionType"].contains(&property);
        if !is_property {
            continue;
        }
        count += 1;
        assert!(
            cdk.contains(&format!("'{property}'")) || cdk.contains(property),
            "{property}"
        );
        let value = value.trim().trim_matches('"');
        let is_fixed =
            !value.contains(['$', '(', '.']) || property.split('.').next_back() == Some("range");
        let stated = if is_fixed && !value.contains("try(") {
            format!("'{property}' = '{value}'")
        } else {
            format!("'{property}' = '")
        };
        assert!(
            documented.contains(&stated),
            "docs/replay.md does not have {stated}"
        );
    }
    assert!(count > 15, "{count} properties");
    let templates: BTreeSet<&str> = between(&documented, "/v1/account=$", "'")
        .into_iter()
        .collect();
    let cdk_template = between(&cdk, "/account=\\$", "`")[0].replace("\\$", "$");
    assert!(
        templates.contains(cdk_template.as_str()),
        "{templates:?} {cdk_template}"
    );
}
