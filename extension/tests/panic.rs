//! What a panic says. The hook belongs to the whole process, so a process of its own panics; and this
//! is a test binary of its own, because a fork would hold the file locks of other tests for a moment.

use std::process::Command;

const CHILD: &str = "BACKSTOP_TEST_IS_CHILD";

#[test]
fn a_panic_says_where_it_was_and_nothing_of_what_it_was_about() {
    if std::env::var_os(CHILD).is_some() {
        backstop_extension::install_panic_hook();
        let panicked = std::thread::spawn(|| panic!("canary-{}", "hunter2")).join();
        assert!(panicked.is_err());
        return;
    }
    let name = "a_panic_says_where_it_was_and_nothing_of_what_it_was_about";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr) + String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}");
    assert!(
        said.contains(r#"{"backstop":{"at":"extension/tests/panic.rs:"#),
        "{said}"
    );
    assert!(!said.contains("canary"), "{said}");
}
