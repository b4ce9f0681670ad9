//! `backstop layer build`, on executables that the system's C compiler makes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Finished, backstop, run};

/// What the machine's own compiler compiles for.
const HERE: &str = if cfg!(target_arch = "x86_64") {
    "x86_64"
} else {
    "arm64"
};
const HARDENED: [&str; 4] = ["-pie", "-fPIE", "-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack"];

struct Bench(TempDir);

impl Bench {
    fn set() -> Self {
        Self(TempDir::new().expect("there is room for a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Compiles a program with these options.
    async fn compile(&self, name: &str, options: &[&str]) -> PathBuf {
        let (source, path) = (self.path("program.c"), self.path(name));
        fs::write(&source, "int main(void) { return 0; }\n").expect("the directory is ours");
        let status = Command::new("cc")
            .args(options)
            .arg("-o")
            .args([&path, &source])
            .stderr(Stdio::inherit())
            .status()
            .await
            .expect("there is a C compiler");
        assert!(status.success());
        path
    }

    async fn build(&self, binaries: &[(&str, &Path)], more: &[&str]) -> Finished {
        let mut command = backstop();
        command
            .args(["layer", "build", "--quiet", "--directory"])
            .arg(self.path("dist"))
            .env("COLUMNS", "80");
        for (target, path) in binaries {
            command.arg(format!("--binary={target}={}", path.display()));
        }
        run(command.args(more)).await
    }

    /// The artefacts and their contents; none where there is no directory.
    fn artefacts(&self) -> BTreeMap<String, Vec<u8>> {
        let Ok(directory) = fs::read_dir(self.path("dist")) else {
            return BTreeMap::new();
        };
        directory
            .map(|entry| entry.expect("the directory is ours").path())
            .map(|path| {
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                (name, fs::read(&path).expect("the file is ours"))
            })
            .collect()
    }
}

/// glibc of this machine, which the programs here need: far newer than what is shipped may need.
const ANY_GLIBC: [&str; 2] = ["--glibc", "2.99"];

#[tokio::test]
async fn the_same_binary_gives_the_same_bytes_whenever_and_wherever() {
    let (bench, elsewhere) = (Bench::set(), Bench::set());
    let binary = bench.compile("program", &HARDENED).await;
    let moved = elsewhere.path("moved");
    fs::copy(&binary, &moved).expect("the directory is ours");
    let first = bench.build(&[(HERE, &binary)], &ANY_GLIBC).await;
    let second = elsewhere.build(&[(HERE, &moved)], &ANY_GLIBC).await;
    assert_eq!(
        (first.code, second.code),
        (Some(0), Some(0)),
        "{first:?} {second:?}"
    );
    assert_eq!(first.stdout, second.stdout);
    let artefacts = bench.artefacts();
    assert_eq!(artefacts, elsewhere.artefacts());
    let names: Vec<_> = artefacts.keys().map(String::as_str).collect();
    let (zip, tar) = (
        format!("extension-{HERE}.zip"),
        format!("extension-{HERE}.tar.gz"),
    );
    assert_eq!(
        names,
        [
            &tar,
            &format!("{tar}.sha256"),
            &zip,
            &format!("{zip}.sha256")
        ]
    );

    // What others make of it: the directory and the file, as they were, for everybody to execute.
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&artefacts[&zip])).expect("a zip file");
    let mut unpacked = Vec::new();
    let mut file = zip
        .by_name("extensions/backstop-extension")
        .expect("the extension");
    file.read_to_end(&mut unpacked).expect("it is whole");
    assert_eq!(file.unix_mode(), Some(0o100_755));
    assert_eq!(unpacked, fs::read(&binary).expect("the file is ours"));
    let checked = Command::new("sha256sum")
        .args(["--check", "--strict", &format!("{tar}.sha256")])
        .current_dir(bench.path("dist"))
        .output()
        .await
        .expect("there is sha256sum");
    assert!(checked.status.success(), "{checked:?}");
    let listed = Command::new("tar")
        .args(["--list", "--verbose", "--numeric-owner", "--file", &tar])
        .current_dir(bench.path("dist"))
        .output()
        .await
        .expect("there is tar");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let modes: Vec<_> = listed.lines().map(|line| &line[..14]).collect();
    assert_eq!(modes, ["drwxr-xr-x 0/0", "-rwxr-xr-x 0/0"], "{listed}");
}

#[tokio::test]
async fn what_was_packed_is_listed_with_its_modes() {
    let bench = Bench::set();
    let binary = bench.compile("program", &HARDENED).await;
    let still = bench
        .compile("static", &["-static-pie", "-fPIE", "-Wl,-z,relro,-z,now"])
        .await;
    let musl = format!("{HERE}-musl");
    let finished = bench
        .build(&[(HERE, &binary), (&musl, &still)], &ANY_GLIBC)
        .await;
    insta::with_settings!({filters => vec![
        (r"x86_64|arm64", "[arch]"),
        (r"sha256 [0-9a-f]{64}", "sha256 [digits]"),
        (r"[0-9,]+ bytes", "[n] bytes"),
        (r"backstop-extension  [0-9,]+", "backstop-extension  [n]"),
        (r"glibc 2\.[0-9]+", "glibc 2.[n]"),
    ]}, {
        insta::assert_snapshot!("layer_build", finished.snapshot());
    });
    let is_narrow = |line: &str| line.chars().count() <= 80;
    assert!(finished.stdout.lines().all(is_narrow), "{finished:?}");
    let json = bench
        .build(
            &[(HERE, &binary)],
            &[&ANY_GLIBC[..], &["--output", "json"]].concat(),
        )
        .await
        .json();
    assert_eq!(json["schemaVersion"], 1);
    let packed = &json["packed"][0];
    assert_eq!(
        (&packed["target"], &packed["binary"]["architecture"]),
        (&HERE.into(), &HERE.into())
    );
    assert_eq!(packed["binary"]["libraries"][0], "libc.so.6");
    let entry = &packed["artefacts"][0]["entries"][1];
    assert_eq!(
        (&entry["path"], &entry["mode"]),
        (&"extensions/backstop-extension".into(), &"0755".into())
    );
}

#[tokio::test]
async fn what_lambda_could_not_load_is_refused_and_nothing_is_written() {
    let bench = Bench::set();
    let good = bench.compile("good", &HARDENED).await;
    let still = bench
        .compile("static", &["-static-pie", "-fPIE", "-Wl,-z,relro,-z,now"])
        .await;
    let (pie, full) = (["-pie", "-fPIE"], "-Wl,-z,relro,-z,now");
    let lazy = bench
        .compile("lazy", &[&pie[..], &["-Wl,-z,relro,-z,lazy"]].concat())
        .await;
    let bare = bench
        .compile("bare", &[&pie[..], &["-Wl,-z,norelro,-z,now"]].concat())
        .await;
    let fixed = bench.compile("fixed", &["-no-pie", full]).await;
    let stack = bench
        .compile("stack", &[&pie[..], &[full, "-Wl,-z,execstack"]].concat())
        .await;
    let text = bench.path("text");
    fs::write(&text, "#!/bin/sh\n").expect("the directory is ours");
    let absent = bench.path("absent");
    let other = if HERE == "arm64" { "x86_64" } else { "arm64" };
    let musl = format!("{HERE}-musl");
    let no_more: &[&str] = &[];
    for (target, path, more, problem) in [
        (HERE, &good, no_more, "it needs glibc 2."),
        (HERE, &lazy, &ANY_GLIBC, "its relocations stay writable"),
        (HERE, &bare, &ANY_GLIBC, "its relocations stay writable"),
        (HERE, &fixed, &ANY_GLIBC, "it is not position-independent"),
        (
            HERE,
            &stack,
            &ANY_GLIBC,
            "its stack is executable: link it with a non-executable stack",
        ),
        (HERE, &still, &ANY_GLIBC, "it is static: give it as"),
        (
            &musl,
            &good,
            &ANY_GLIBC,
            "it is not static: link it statically",
        ),
        (other, &good, &ANY_GLIBC, "it is built for"),
        (HERE, &text, &ANY_GLIBC, "it is not a 64-bit ELF executable"),
        (HERE, &absent, &ANY_GLIBC, "cannot be read: No such file"),
    ] {
        // Beside one that is well, which must not be packed either.
        let beside = if target == musl { HERE } else { &musl };
        let fine = if beside == HERE { &good } else { &still };
        let finished = bench.build(&[(beside, fine), (target, path)], more).await;
        assert_eq!(finished.code, Some(1), "{problem}: {finished:?}");
        assert!(finished.stderr.contains(problem), "{problem}: {finished:?}");
        assert!(
            finished.stderr.contains(&path.display().to_string()),
            "{finished:?}"
        );
        assert_eq!(bench.artefacts(), BTreeMap::new(), "{problem}");
    }
}

#[tokio::test]
async fn a_binary_that_cannot_be_meant_is_a_usage_error() {
    let bench = Bench::set();
    let path = bench.path("program");
    let twice = bench.build(&[(HERE, &path), (HERE, &path)], &[]).await;
    assert_eq!(twice.code, Some(2), "{twice:?}");
    assert!(
        twice.stderr.contains("--binary is given twice for"),
        "{twice:?}"
    );
    for (arguments, problem) in [
        (&["layer", "build"][..], "--binary <TARGET=PATH>"),
        (
            &["layer", "build", "--binary", "program"],
            "write it as TARGET=PATH",
        ),
        (
            &["layer", "build", "--binary", "riscv64=program"],
            "the target is one of",
        ),
        (
            &[
                "layer",
                "build",
                "--binary",
                "arm64=program",
                "--glibc",
                "new",
            ],
            "not a glibc version",
        ),
    ] {
        let finished = run(backstop().args(arguments)).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.stderr.contains(problem), "{problem}: {finished:?}");
    }
}
