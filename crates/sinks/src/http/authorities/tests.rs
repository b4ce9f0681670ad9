//! Files as they come out of secrets managers, JSON and consoles.

use std::io::Write as _;
use std::sync::Mutex;

use tempfile::NamedTempFile;

use super::*;

/// Looked for in every message.
const KEY: &str = "Tm90QVJlYWxLZXlKdXN0VGV4dA==";
const ONLY: &str = "; only the other certificate authorities are trusted until this is fixed";

/// A certificate that webpki takes as an authority.
fn authority(name: &str) -> String {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new([name.to_owned()]).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&key).expect("a certificate").pem()
}

fn key() -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n")
}

/// How many authorities a file of these bytes adds, and what is said of it.
fn added(content: &[u8]) -> (usize, String) {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(content).expect("it is written");
    let path = file.path().display().to_string();
    let mut roots = RootCertStore::empty();
    let said = add(&mut roots, &path).err().unwrap_or_default();
    assert!(
        !said.contains("Tm90") && !said.contains("84, 109"),
        "{said}"
    );
    assert!(said.len() < 300, "{said}");
    (roots.len(), said)
}

#[test]
fn certificates_are_found_however_their_lines_are_broken() {
    let (one, other) = (authority("one"), authority("other"));
    let both = format!("{one}{other}");
    let escaped = both.replace('\n', "\\n");
    let cases = [
        ("as it should be", both.clone()),
        (
            "with words between",
            format!("# one\n{one}\nsubject=other\n{other}"),
        ),
        ("CRLF", both.replace('\n', "\r\n")),
        ("CR", both.replace('\n', "\r")),
        ("escaped", escaped.clone()),
        ("escaped CRLF", both.replace('\n', "\\r\\n")),
        ("escaped, in quotes", format!("\"{escaped}\"")),
        ("in one line", both.replace('\n', " ")),
        ("with a mark in front", format!("\u{feff}{both}")),
        ("indented", both.replace('\n', "\n    ")),
        ("with a key", format!("{}{both}", key())),
        (
            "with an escaped key",
            format!("{}\\n{escaped}", key().replace('\n', "\\n")),
        ),
        ("X509", both.replace(" CERTIFICATE", " X509 CERTIFICATE")),
    ];
    for (case, text) in cases {
        assert_eq!(added(text.as_bytes()), (2, String::new()), "{case}");
    }
}

#[test]
fn one_unusable_section_costs_no_other() {
    let good = authority("good");
    let broken = "-----BEGIN CERTIFICATE-----\n!!Tm90!!\n-----END CERTIFICATE-----\n";
    let cut_off = "-----BEGIN CERTIFICATE-----\nTm90QVJl\n";
    let bad_key = "-----BEGIN PRIVATE KEY-----\n!!Tm90!!\n-----END PRIVATE KEY-----\n";
    let said = |line, others| {
        format!(
            "the certificate that begins in line {line} is cut off or not base64; {others} of the file \
             can be used, and are trusted"
        )
    };
    let last = 1 + newlines(&good);
    let cases = [
        (format!("{broken}{good}"), 1, said(1, "1 other")),
        (format!("{good}{broken}"), 1, said(last, "1 other")),
        (format!("{cut_off}{good}"), 1, said(1, "1 other")),
        (format!("{good}{cut_off}"), 1, said(last, "1 other")),
        (
            format!("{good}{broken}{}", authority("third")),
            2,
            said(last, "2 others"),
        ),
        (format!("{bad_key}{good}"), 1, String::new()),
        (format!("{good}-----BEGIN NOTHING"), 1, String::new()),
    ];
    for (text, count, said) in cases {
        assert_eq!(added(text.as_bytes()), (count, said), "{text}");
    }
}

#[test]
fn what_holds_no_certificate_is_told_by_its_kind_and_never_quoted() {
    let plain_key = key();
    let escaped_key = plain_key.replace('\n', "\\n");
    let cases: [(&[u8], &str); 9] = [
        (b"", "holds no certificate in PEM form"),
        (KEY.as_bytes(), "holds no certificate in PEM form"),
        (
            plain_key.as_bytes(),
            "holds no certificate, but sections of another kind",
        ),
        (
            escaped_key.as_bytes(),
            "holds no certificate, but sections of another kind (its line breaks are written as \\n)",
        ),
        (
            b"\x30\x82\x01\x0a\x02\x82Tm90QVJl",
            "holds no certificate in PEM form",
        ),
        (
            b"-----BEGIN Tm90QVJl",
            "holds no certificate, but sections of another kind",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\nTm90QVJl",
            "the certificate that begins in line 1 is cut off or not base64",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\\nTm90QVJl!\\n-----END CERTIFICATE-----",
            "the certificate that begins in line 1 is cut off or not base64 (its line breaks are \
             written as \\n)",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\nTm90QVJl\n-----END CERTIFICATE-----\n",
            "none of its certificates can be used",
        ),
    ];
    for (content, said) in cases {
        assert_eq!(added(content), (0, format!("{said}{ONLY}")));
    }
    assert_eq!(
        added(&vec![b'x'; 9 << 20]),
        (0, format!("has more than 8 MiB{ONLY}"))
    );
}

#[test]
fn each_file_is_told_of_with_its_variable_and_costs_no_other() {
    let mut good = NamedTempFile::new().expect("a file");
    good.write_all(authority("good").as_bytes())
        .expect("it is written");
    let path = good.path().display().to_string();
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let file = |variable, path: &str| CaFile {
        variable,
        path: path.to_owned(),
    };
    let hidden = |variable: &str| {
        format!(
            "{variable}=(not shown, as it is no path: name the file that has the certificates): No such file or \
             directory (os error 2){ONLY}"
        )
    };
    let files = vec![
        file("SSL_CERT_FILE", "/nonexistent.pem"),
        file("AWS_CA_BUNDLE", "/dev/null"),
        file("SSL_CERT_FILE", &path),
        // The text in place of the file, whole, as one line, and without its lines of dashes.
        file("SSL_CERT_FILE", &key()),
        file("AWS_CA_BUNDLE", &key().replace('\n', "\\n")),
        file("AWS_CA_BUNDLE", &KEY.repeat(4)),
    ];
    let hearing = heard.clone();
    let trusted = Trusted::new(files, move |error| {
        hearing
            .lock()
            .expect("no one panics")
            .push(error.to_string());
    });
    assert!(trusted.tls_config().is_ok());
    let heard = heard.lock().expect("no one panics");
    assert_eq!(
        *heard,
        [
            format!("SSL_CERT_FILE=/nonexistent.pem: No such file or directory (os error 2){ONLY}"),
            format!("AWS_CA_BUNDLE=/dev/null: holds no certificate in PEM form{ONLY}"),
            hidden("SSL_CERT_FILE"),
            hidden("AWS_CA_BUNDLE"),
            hidden("AWS_CA_BUNDLE"),
        ]
    );
}
