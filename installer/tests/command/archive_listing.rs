//! What is listed, and what is not: counted in requests.

use crate::replay::lines;
use crate::support::{Stage, line, run};

fn folder(account: u32, function: &str, hour: &str) -> String {
    format!(
        "backstop/v1/account={account}/region=eu-west-1/function={function}/dt=2026-01-31/hour={hour}"
    )
}

/// The prefixes that were listed.
fn listed(stage: &Stage) -> Vec<String> {
    let prefix = |asked: &String| {
        let (_, query) = asked.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let prefix = pairs.find(|(name, _)| *name == "prefix")?.1;
        let prefix = prefix
            .replace("%2F", "/")
            .replace("%3D", "=")
            .replace("%25", "%");
        Some(prefix)
    };
    let asked = stage.s3.asked();
    asked.iter().filter_map(prefix).collect()
}

#[tokio::test]
async fn folders_in_which_nothing_is_wanted_are_never_listed() {
    let stage = Stage::set().await;
    for account in 1..4 {
        for function in ["checkout", "pay", "ship"] {
            for hour in ["07", "08", "09", "13"] {
                let at = format!("{}/b.ndjson", folder(account, function, hour));
                let id = format!("{account}-{function}-{hour}");
                let time = format!("2026-01-31T{hour}:30:00Z");
                let text = line(&id, "one")
                    .replace("checkout", function)
                    .replace("2026-01-31T08:15:00.000Z", &time);
                stage.put(&at, text.as_bytes());
            }
        }
    }
    let filter = [
        "--function-account",
        "2",
        "--function",
        "pay",
        "--since",
        "2026-01-31T09:00:00Z",
    ];
    let finished = run(stage.archive("cat", "backstop").args(filter)).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let ids: Vec<&str> = (finished.stdout.lines())
        .filter_map(|line| line.split('"').nth(3))
        .collect();
    assert_eq!(ids, ["2-pay-09", "2-pay-13"]);
    let pay = "backstop/v1/account=2/region=eu-west-1/function=pay/";
    assert_eq!(
        listed(&stage),
        [
            "backstop/v1/",
            "backstop/v1/account=2/",
            "backstop/v1/account=2/region=eu-west-1/",
            pay,
            &format!("{pay}dt=2026-01-31/"),
            // The hours from 08 on, with one request: clocks differ by an hour at most.
            &format!("{pay}dt=2026-01-31/"),
        ]
    );
    let objects = stage
        .s3
        .asked()
        .iter()
        .filter(|asked| !asked.contains("list-type"))
        .count();
    assert_eq!(objects, 3, "{:?}", stage.s3.asked());
}

#[tokio::test]
async fn a_listing_of_many_pages_is_divided_and_complete_and_in_order() {
    let stage = Stage::set().await;
    let mut keys = Vec::new();
    for function in 0..9 {
        for number in 0..400 {
            let key = format!("{}/b{number:03}", folder(1, &format!("f{function}"), "08"));
            stage.put(&key, b"{}");
            keys.push(key);
        }
    }
    // Beside the folders, and not of the archive.
    stage.put("backstop/v1/account=1/region=eu-west-1/loose", b"{}");
    stage.put("backstop/v1/zzz/x", b"{}");
    keys.push("backstop/v1/account=1/region=eu-west-1/loose".to_owned());
    let finished = run(stage.archive("ls", "backstop").args(["--output", "json"])).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let listed = finished.json();
    let found = listed["objects"].as_array().cloned().unwrap_or_default();
    let found: Vec<String> = (found.iter())
        .filter_map(|it| Some(it["key"].as_str()?.to_owned()))
        .collect();
    assert!(found == keys, "{} of {}", found.len(), keys.len());
    assert_eq!(listed["objectsOutside"], 1);
    let requests = stage.s3.asked().len();
    assert!(requests <= 20, "{requests} requests for 3,602 objects");
}

#[tokio::test]
async fn a_part_of_an_archive_that_was_typed_is_judged_by_all_of_its_folders() {
    let stage = Stage::set().await;
    let at = folder(1, "checkout", "08");
    stage.put_lines(&format!("{at}/b.gz"), &lines(0..2, "one"));
    for (option, value, count) in [
        ("--function", "checkout", 2),
        ("--function", "pay", 0),
        ("--function-account", "2", 0),
        ("--until", "2026-01-01", 0),
    ] {
        let finished = run(stage.archive("cat", &at).args([option, value])).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(finished.stdout.lines().count(), count, "{option} {value}");
    }
}

/// What small objects cost: requests that are counted, and memory that does not grow with them.
#[tokio::test]
async fn two_thousand_small_objects_take_a_request_each_and_bounded_memory() {
    const OBJECTS: u32 = 2_000;
    const RECORDS: u32 = 5;
    let stage = Stage::set().await;
    for number in 0..OBJECTS {
        let folder = folder(
            1,
            &format!("f{}", number % 4),
            &format!("{:02}", number % 5),
        );
        let ids = number * RECORDS..(number + 1) * RECORDS;
        stage.put_lines(&format!("{folder}/b{number:04}.gz"), &lines(ids, "one"));
    }
    let command = stage.replay();
    let words: Vec<_> = (command.as_std().get_args())
        .map(ToOwned::to_owned)
        .collect();
    let mut limited = tokio::process::Command::new("sh");
    // In kilobytes, of what is reserved: what is used is less.
    limited
        .args(["-c", "ulimit -d 196608; exec \"$@\"", "sh"])
        .arg(command.as_std().get_program())
        .args(words)
        .env_clear()
        .envs((command.as_std().get_envs()).filter_map(|(name, value)| Some((name, value?))));
    let finished = run(&mut limited).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let sent = u64::from(OBJECTS * RECORDS);
    assert_eq!(finished.json()["sent"], sent, "{finished:?}");
    assert_eq!(finished.json()["objectsMarked"], OBJECTS, "{finished:?}");
    let asked = stage.s3.asked();
    let count = |part: &str| asked.iter().filter(|it| it.contains(part)).count();
    let lists = count("list-type");
    // A folder for each level, and two pages: the hours of a function are listed together.
    assert!(lists <= 24, "{lists} listings");
    // An object without tags is not asked for them.
    assert_eq!(count("tagging"), 0);
    assert_eq!(asked.len() - lists, OBJECTS as usize);
    assert_eq!(stage.s3.tags().len(), OBJECTS as usize);
    // Their records share requests.
    let requests: u64 = stage.intake.requests().values().sum();
    assert!(requests <= 40, "{requests} requests for {sent} records");
}
