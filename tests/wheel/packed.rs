//! What `scripts/wheel` packs, and what it refuses.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The layers that `scripts/package` left.
fn layers() -> PathBuf {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let dist = dist.canonicalize().unwrap_or_default();
    assert!(
        dist.join("extension-x86_64.zip").exists(),
        "there is no layer in dist/: run scripts/package"
    );
    dist
}

/// Runs Python; what it printed.
pub(crate) fn python(arguments: &[&str]) -> String {
    let output = Command::new("python3").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// `scripts/wheel` over these files.
fn pack(program: &Path, extension: &Path, layers: &Path, output: &Path, more: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/wheel");
    Command::new(script)
        .arg("--binary")
        .arg(program)
        .arg("--extension")
        .arg(extension)
        .arg("--layers")
        .arg(layers)
        .arg("--output")
        .arg(output)
        .args(more)
        .output()
        .unwrap()
}

/// The paths that it printed.
fn paths(output: &Output) -> Vec<PathBuf> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(PathBuf::from).collect()
}

/// A wheel for this machine.
pub(crate) fn wheel(program: &Path, extension: &Path, output: &Path) -> PathBuf {
    let packed = pack(program, extension, &layers(), output, &[]);
    paths(&packed).pop().unwrap()
}

/// What nothing but a header makes an executable: ELF for `x86_64`, and some text.
fn elf(text: &str) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(18, 0);
    bytes.extend([0x3e, 0]);
    bytes.resize(64, 0);
    bytes.extend(text.as_bytes());
    bytes
}

/// Files of a few bytes to pack, in a directory of their own.
fn small(text: &str) -> tempfile::TempDir {
    let directory = tempfile::TempDir::new().unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(directory.path().join(name), bytes);
    write("backstop", elf(text)).unwrap();
    write("backstop-extension", elf("extension")).unwrap();
    for architecture in ["x86_64", "arm64"] {
        write(
            &format!("extension-{architecture}.zip"),
            architecture.into(),
        )
        .unwrap();
        write(&format!("extension-{architecture}.cdx.json"), "{}".into()).unwrap();
    }
    directory
}

fn pack_small(files: &tempfile::TempDir, output: &Path, more: &[&str]) -> Output {
    let at = |name: &str| files.path().join(name);
    let (program, extension) = (at("backstop"), at("backstop-extension"));
    pack(&program, &extension, files.path(), output, more)
}

const TARGETS: [(&str, &str); 2] = [
    (
        "x86_64-unknown-linux-gnu",
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
    ),
    ("x86_64-unknown-linux-musl", "musllinux_1_1_x86_64"),
];

#[test]
fn the_same_files_make_the_same_bytes_whenever_and_from_wherever_they_are_packed() {
    for (target, tags) in TARGETS {
        let options = ["--target", target, "--archive"];
        let mut all = Vec::new();
        for _ in 0..2 {
            let files = small("static");
            let output = tempfile::TempDir::new().unwrap();
            let packed = pack_small(&files, output.path(), &options);
            let contents: Vec<(String, Vec<u8>)> = paths(&packed)
                .iter()
                .map(|path| {
                    let name = path.file_name().unwrap().to_string_lossy().into_owned();
                    (name, std::fs::read(path).unwrap())
                })
                .collect();
            all.push(contents);
        }
        assert_eq!(all[0], all[1]);
        let names: Vec<&str> = all[0].iter().map(|(name, _)| name.as_str()).collect();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            names,
            [
                format!("backstop_cli-{version}-py3-none-{tags}.whl"),
                format!("backstop-{target}.tar.gz"),
            ]
        );
    }
}

/// As the specification of wheels says it, by another program than the one that packed it.
#[test]
fn the_record_lists_each_file_with_its_checksum() {
    const CHECK: &str = "
import base64, csv, hashlib, io, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
assert wheel.testzip() is None
names = wheel.namelist()
record = [name for name in names if name.endswith('.dist-info/RECORD')]
assert len(record) == 1 and record[0] == names[-1], names
rows = list(csv.reader(io.StringIO(wheel.read(record[0]).decode())))
assert [row[0] for row in rows] == names, rows
for name, checksum, size in rows[:-1]:
    content = wheel.read(name)
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()
    assert (checksum, size) == ('sha256=' + digest, str(len(content))), name
assert rows[-1][1:] == ['', ''], rows[-1]
for name in names:
    mode = wheel.getinfo(name).external_attr >> 16
    assert mode == (0o100755 if '.data/scripts/' in name else 0o100644), (name, oct(mode))
print(len(rows))
";
    let (files, output) = (small("static"), tempfile::TempDir::new().unwrap());
    let packed = paths(&pack_small(&files, output.path(), &[]))
        .pop()
        .unwrap();
    let rows = python(&["-c", CHECK, &packed.display().to_string()]);
    // Two programs, two layers with their bills of materials, and four files about the package.
    assert_eq!(rows.trim(), "10");
}

#[test]
fn the_archive_holds_the_layers_beside_the_command() {
    let (files, output) = (small("static"), tempfile::TempDir::new().unwrap());
    let target = "x86_64-unknown-linux-musl";
    let options = ["--target", target, "--archive"];
    let archive = paths(&pack_small(&files, output.path(), &options)).pop();
    let bytes = std::fs::read(archive.unwrap()).unwrap();
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
    let mut entries: Vec<(String, u32)> = (tar.entries().unwrap())
        .map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            (path, entry.header().mode().unwrap())
        })
        .collect();
    entries.sort_unstable();
    let expected = [
        ("LICENSE", 0o644),
        ("backstop", 0o755),
        ("backstop-extension", 0o755),
        ("extension-arm64.cdx.json", 0o644),
        ("extension-arm64.zip", 0o644),
        ("extension-x86_64.cdx.json", 0o644),
        ("extension-x86_64.zip", 0o644),
    ];
    let expected = expected.map(|(name, mode)| (format!("backstop-{target}/{name}"), mode));
    assert_eq!(entries, expected);
}

#[test]
fn a_wheel_that_would_not_run_where_it_says_is_refused() {
    for (text, target, problem) in [
        (
            "\0GLIBC_2.17\0GLIBC_2.18\0",
            "x86_64-unknown-linux-gnu",
            "needs glibc 2.18; manylinux allows 2.17",
        ),
        (
            "/lib64/ld-linux-x86-64.so.2\0",
            "x86_64-unknown-linux-musl",
            "is not static",
        ),
        (
            "",
            "aarch64-unknown-linux-musl",
            "is not built for aarch64-unknown-linux-musl",
        ),
        (
            "",
            "aarch64-apple-darwin",
            "is not built for aarch64-apple-darwin",
        ),
    ] {
        let (files, output) = (small(text), tempfile::TempDir::new().unwrap());
        let packed = pack_small(&files, output.path(), &["--target", target]);
        let stderr = String::from_utf8_lossy(&packed.stderr);
        assert!(!packed.status.success(), "{target}");
        assert!(stderr.contains(problem), "{target}: {stderr}");
        assert_eq!(std::fs::read_dir(output.path()).unwrap().count(), 0);
    }
}

#[test]
fn without_layers_nothing_is_packed() {
    let (files, output) = (small(""), tempfile::TempDir::new().unwrap());
    std::fs::remove_file(files.path().join("extension-arm64.zip")).unwrap();
    let packed = pack_small(&files, output.path(), &[]);
    let stderr = String::from_utf8_lossy(&packed.stderr);
    assert!(
        stderr.contains("has no extension-arm64.zip: run scripts/package"),
        "{stderr}"
    );
    assert_eq!(std::fs::read_dir(output.path()).unwrap().count(), 0);
}
