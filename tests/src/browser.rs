//! A page as a browser shows it: headless Chromium, if the machine has it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Names the browser; `scripts/test` finds or fetches it.
const CHROMIUM: &str = "BACKSTOP_CHROMIUM";
/// Written into a copy of the page: it measures what a test cannot see in the source.
const MEASURE: &str = r"<script>
const box = (it) => it.getBoundingClientRect();
const visible = (it) => it.checkVisibility() && box(it).width > 0;
parent.document.body.dataset.measured = JSON.stringify({
  width: document.documentElement.clientWidth,
  scrollWidth: document.documentElement.scrollWidth,
  background: getComputedStyle(document.body).backgroundColor,
  color: getComputedStyle(document.body).color,
  height: document.documentElement.scrollHeight,
  cells: [...document.querySelectorAll('[data-path]')].filter(visible)
    .map((it) => [it.dataset.path, it.innerText, box(it).right]),
});
</script></body>";

/// A page at one width, in one of its two schemes.
#[derive(Debug)]
pub struct Seen {
    /// `rgb(…)` of the page and of its text.
    pub colours: (String, String),
    /// The path and the text of each number that can be seen.
    pub cells: Vec<(String, String)>,
    /// The screenshot, as PNG.
    pub picture: Vec<u8>,
}

/// The browser, if the machine has one; says so if not.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os(CHROMIUM).map(PathBuf::from);
    let usual = PathBuf::from("/usr/bin/chromium");
    let found = named.or_else(|| usual.exists().then_some(usual));
    let found = found.filter(|path| !path.as_os_str().is_empty());
    if found.is_none() {
        eprintln!("{CHROMIUM} names no browser: the look at the page is left out");
    }
    found
}

/// Shows a page, `width` pixels wide.
pub fn look(chromium: &Path, page: &str, width: u32, is_dark: bool) -> Seen {
    let directory = tempfile::TempDir::new().expect("a directory can be made");
    let file = directory.path().join("page.html");
    let picture = directory.path().join("page.png");
    std::fs::write(&file, page).expect("the page can be written");
    // A window has a least width, and a frame none.
    let framed = page
        .replace("</body>", MEASURE)
        .replace('&', "&amp;")
        .replace('"', "&quot;");
    let frame = directory.path().join("frame.html");
    let text = format!(
        "<!doctype html><meta name=\"color-scheme\" content=\"light dark\"><body><iframe \
         style=\"border:0;width:{width}px;height:1400px\" srcdoc=\"{framed}\"></iframe></body>"
    );
    std::fs::write(&frame, text).expect("the frame can be written");
    let run = |what: &str, file: &Path| {
        let mut command = Command::new(chromium);
        command
            // As root, a container's user, there is no sandbox to have.
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
            ])
            .args(["--disable-background-networking", "--no-first-run"])
            .arg(format!(
                "--user-data-dir={}",
                directory.path().join("profile").display()
            ))
            .arg(format!("--window-size={width},1400"))
            .arg(what);
        if is_dark {
            command.arg("--blink-settings=preferredColorScheme=0");
        }
        command.arg(format!("file://{}", file.display()));
        let output = command
            .stdin(Stdio::null())
            .output()
            .expect("Chromium starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("the page is text")
    };
    let dom = run("--dump-dom", &frame);
    run(&format!("--screenshot={}", picture.display()), &file);
    let measured = dom
        .split("data-measured=\"")
        .nth(1)
        .and_then(|it| it.split('"').next());
    let measured = measured
        .expect("the page was measured")
        .replace("&quot;", "\"");
    let measured: Value = serde_json::from_str(&measured).expect("it is JSON");
    let number = |name: &str| measured[name].as_f64().unwrap_or_default();
    let text = |name: &str| measured[name].as_str().unwrap_or_default().to_owned();
    assert!(
        (number("width") - f64::from(width)).abs() < 0.5,
        "{measured}"
    );
    assert!(
        number("scrollWidth") <= number("width"),
        "it is wider than the window: {measured}"
    );
    let mut cells = Vec::new();
    for cell in measured["cells"].as_array().into_iter().flatten() {
        let right = cell[2].as_f64().unwrap_or(f64::INFINITY);
        assert!(right <= f64::from(width), "a number is cut off: {cell}");
        let part = |at: usize| cell[at].as_str().unwrap_or_default().to_owned();
        cells.push((part(0), part(1)));
    }
    Seen {
        colours: (text("background"), text("color")),
        cells,
        picture: std::fs::read(picture).expect("there is a screenshot"),
    }
}

/// Shows a page at both widths and in both schemes, and compares every number with the JSON.
pub fn assert_shows(chromium: &Path, page: &str, json: &Value) {
    for (width, is_dark) in [(1200, false), (1200, true), (400, false), (400, true)] {
        let seen = look(chromium, page, width, is_dark);
        assert!(seen.cells.len() > 10, "{seen:?}");
        for (path, shown) in &seen.cells {
            let number: Option<f64> = shown.replace(',', "").parse().ok();
            let meant = json.pointer(path).and_then(Value::as_f64);
            assert!(
                number.is_some() && number == meant,
                "{path}: {shown} is not {meant:?}"
            );
        }
        let expected = if is_dark {
            ("rgb(13, 17, 23)", "rgb(230, 237, 243)")
        } else {
            ("rgb(255, 255, 255)", "rgb(31, 35, 40)")
        };
        let (back, text) = &seen.colours;
        assert_eq!(
            (back.as_str(), text.as_str()),
            expected,
            "{width} {is_dark}"
        );
        // Its width, big endian, behind the signature and the name of the first chunk.
        assert_eq!(seen.picture.get(16..20), Some(&width.to_be_bytes()[..]));
    }
}
