//! The command on a real terminal: its width, its colours, its bars.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::thread;

use backstop_fake_aws::{FunctionSpec, Place};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::stage::{ACCOUNT, Stage, here};

/// A terminal that is 80 characters wide: what reads from it, and what the command writes to.
pub(crate) fn terminal() -> (File, File) {
    let reader = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&reader).unwrap();
    unlockpt(&reader).unwrap();
    let size = Winsize {
        ws_row: 40,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&reader, size).unwrap();
    let name = ptsname(&reader, Vec::new()).unwrap();
    let path = std::ffi::OsStr::from_bytes(name.to_bytes());
    let writer = OpenOptions::new().read(true).write(true).open(path);
    (File::from(reader), writer.unwrap())
}

/// All that a terminal gets from `backstop attach`: stdout, and stderr with its bars.
async fn attached(stage: &Stage, more: &[(&str, &str)]) -> String {
    let (mut reader, writer) = terminal();
    let mut all = vec!["attach", "orders-*", "--yes", "--rate", "50"];
    all.extend([
        "--set",
        "BACKSTOP_PRIMARY_URL=https://intake.example.com/v1",
    ]);
    all.extend(["--regions", "eu-west-1,us-east-1"]);
    all.extend(stage.layers.values().flat_map(|arn| ["--layer", arn]));
    let mut command = stage.backstop(&all);
    command
        .env("TERM", "xterm")
        .envs(more.iter().copied())
        .stdout(writer.try_clone().unwrap())
        .stderr(writer);
    let mut child = command.spawn().unwrap();
    // Only the command has the other end now.
    drop(command);
    let read = thread::spawn(move || {
        let mut bytes = Vec::new();
        // Linux ends it with an error, once nobody writes any more.
        reader.read_to_end(&mut bytes).ok();
        bytes
    });
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let bytes = read.join().unwrap();
    String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_gets_colours_lines_that_fit_and_bars_that_tell_the_truth() {
    let idle = Place::new(ACCOUNT, "us-east-1");
    for (more, is_coloured) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let stage = Stage::in_places(&[here(), idle.clone()]).await;
        stage.add(&here(), "orders", 40, &FunctionSpec::default());
        let shown = attached(&stage, more).await;
        for part in [
            "\u{1b}[1;32m40 functions attached\u{1b}[0m\n",
            "    \u{1b}[32m+\u{1b}[0m layer ",
            "    \u{1b}[1;33m!\u{1b}[0m no fallback",
        ] {
            assert_eq!(shown.contains(part), is_coloured, "{part:?}: {shown:?}");
        }
        // A note of the plan is wrapped where the terminal ends.
        assert!(
            shown.contains(" are lost; set\n      BACKSTOP_S3_BUCKET"),
            "{shown:?}"
        );
        assert!(
            shown.contains("\nTo see the functions: backstop status\n"),
            "{shown:?}"
        );
        // Where nothing is to be done there is no bar, and none says what it cannot know.
        assert!(shown.contains("111122223333 eu-west-1 "), "{shown:?}");
        for part in ["us-east-1 ", " 0s left", " 0 seconds left", "41/40", "/0 "] {
            assert!(!shown.contains(part), "{part:?}: {shown:?}");
        }
    }
}

/// What `backstop status --full` shows on a terminal of 40 rows, with this pager.
async fn paged(stage: &Stage, pager: &str) -> String {
    let (mut reader, writer) = terminal();
    let mut command = stage.backstop(&["status", "--full", "--quiet"]);
    command
        .env("TERM", "xterm")
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("PAGER", pager)
        .stdout(writer.try_clone().unwrap())
        .stderr(writer);
    let mut child = command.spawn().unwrap();
    drop(command);
    let read = thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).ok();
        bytes
    });
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    String::from_utf8_lossy(&read.join().unwrap()).replace("\r\n", "\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_longer_than_the_terminal_goes_through_the_pager() {
    let stage = Stage::set().await;
    let marked = "sed 's/^/paged: /'";
    stage.add(&here(), "orders", 3, &FunctionSpec::default());
    let short = paged(&stage, marked).await;
    assert!(!short.contains("paged: "), "{short}");
    stage.add(&here(), "invoices", 400, &FunctionSpec::default());
    let long = paged(&stage, marked).await;
    assert!(long.lines().count() > 40, "{long}");
    assert!(
        long.lines().all(|line| line.starts_with("paged: ")),
        "{long}"
    );
    // Without the pager the result is the same.
    let plain = long.replace("paged: ", "");
    assert_eq!(paged(&stage, "cat").await, plain);
    let missing = paged(&stage, "/nonexistent/pager").await;
    assert!(missing.ends_with(&plain), "{missing}");
}
