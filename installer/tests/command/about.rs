//! Completions and the manual.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{backstop, run};

#[tokio::test]
async fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let finished = run(backstop().args(["completions", shell])).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        for word in ["doctor", "detailed-exitcode"] {
            assert!(finished.stdout.contains(word), "{shell}: {word}");
        }
    }
    let finished = run(backstop().args(["completions", "ksh"])).await;
    assert_eq!(finished.code, Some(2), "{finished:?}");
}

#[tokio::test]
async fn bash_can_load_its_completions() {
    let script = run(backstop().args(["completions", "bash"])).await.stdout;
    let complete = "\nCOMP_WORDS=(backstop doc); COMP_CWORD=1; _backstop backstop doc backstop; echo \"${COMPREPLY[@]}\"";
    for (options, input, expected) in [
        (&["-n"][..], script.clone(), ""),
        (&["--norc"], script + complete, "doctor\n"),
    ] {
        let mut bash = Command::new("bash")
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("there is a bash");
        let mut stdin = bash.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).expect("bash reads");
        drop(stdin);
        let output = bash.wait_with_output().expect("bash ends");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{output:?}"
        );
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

/// What the last plan named is offered, and nothing else that is in its file: a shell would run it.
#[tokio::test]
async fn bash_completes_functions_of_the_last_plan() {
    let home = tempfile::TempDir::new().expect("there is room for a directory");
    let state = home.path().join(".local/state/backstop");
    std::fs::create_dir_all(&state).expect("the directory is ours");
    let names = "orders-api\norders-export\ninvoices\norders-$(touch pwned)\n`touch pwned`\n";
    std::fs::write(state.join("functions.txt"), names).expect("the directory is ours");
    let mut script = run(backstop().args(["completions", "bash"])).await.stdout;
    for words in [
        "status ord",
        "drill --yes=1 ord",
        "status --full",
        "runs ord",
    ] {
        write!(
            script,
            "\nCOMP_WORDS=(backstop {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); COMPREPLY=(); \
             _backstop_with_functions backstop \"${{COMP_WORDS[-1]}}\" x; echo \"${{COMPREPLY[@]}}\""
        )
        .expect("a text takes anything");
    }
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_backstop"));
    let folder = binary.parent().expect("it is in one").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["--norc", "-c", &script])
        .env_remove("XDG_STATE_HOME")
        .env("HOME", home.path())
        .env("PATH", format!("{folder}:{path}"))
        .current_dir(home.path())
        .output()
        .expect("there is a bash");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = shown.lines().collect();
    let names = "orders-api orders-export";
    assert_eq!(lines.first(), Some(&names), "{output:?}");
    assert!(
        lines.get(2).is_some_and(|it| it.contains("--full")),
        "{output:?}"
    );
    assert!(
        lines.get(3).is_some_and(|it| !it.contains("orders")),
        "{output:?}"
    );
    assert!(!home.path().join("pwned").exists());
}

#[tokio::test]
async fn zsh_and_fish_ask_for_functions_too() {
    let zsh = run(backstop().args(["completions", "zsh"])).await.stdout;
    assert!(
        zsh.matches(":_backstop_function_names'").count() >= 6,
        "{zsh}"
    );
    assert!(!zsh.contains("functions -- Names, ARNs, globs such as `orders-*`, or regular expressions such as `/^orders-/`:_default"));
    let (before, after) = zsh
        .split_once("_backstop_function_names() {")
        .expect("it is defined");
    assert!(
        before.contains("_backstop() {") && after.contains("funcstack"),
        "{zsh}"
    );
    let fish = run(backstop().args(["completions", "fish"])).await.stdout;
    assert!(fish.contains("backstop completions --functions"), "{fish}");
}

#[tokio::test]
async fn the_manual_has_a_page_for_each_command() {
    let finished = run(backstop().arg("man")).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SUBCOMMANDS"] {
        assert!(
            finished.stdout.contains(&format!("\n.SH {heading}\n")),
            "{heading}"
        );
    }
    let directory = tempfile::TempDir::new().expect("there is room for a directory");
    let pages = directory.path().join("man1");
    let finished = run(backstop().arg("man").arg("--directory").arg(&pages)).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let mut names: Vec<String> = std::fs::read_dir(&pages)
        .expect("it was made")
        .map(|entry| {
            entry
                .expect("it can be read")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort_unstable();
    for name in [
        "backstop.1",
        "backstop-doctor.1",
        "backstop-layer-build.1",
        "backstop-status.1",
    ] {
        assert!(names.iter().any(|it| it == name), "{name}: {names:?}");
    }
    for name in &names {
        let page = std::fs::read_to_string(pages.join(name)).expect("it was written");
        for heading in ["NAME", "SYNOPSIS", "OPTIONS"] {
            assert!(
                page.contains(&format!("\n.SH {heading}\n")),
                "{name}: {heading}"
            );
        }
    }
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("the directory is ours");
    let finished = run(backstop().arg("man").arg("--directory").arg(&file)).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("cannot write to"), "{finished:?}");
}
