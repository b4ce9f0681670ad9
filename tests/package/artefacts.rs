//! What is in them.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use backstop::layer::{Facts, GlibcVersion};
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::{ARCHITECTURES, read, unzipped};

/// Amazon Linux 2 has this one.
const GLIBC: &str = "2.26";
const BINARY_BYTES: usize = 5_000_000;
const LAYER_BYTES: usize = 2_400_000;

#[test]
fn they_are_small_and_hold_the_extension_and_nothing_else() {
    for architecture in ARCHITECTURES {
        let entries = unzipped(architecture);
        let listed: Vec<_> = (entries.iter())
            .map(|(path, mode, _)| (path.as_str(), *mode))
            .collect();
        let expected = [
            ("extensions/", 0o40_755),
            ("extensions/backstop-extension", 0o100_755),
        ];
        assert_eq!(listed, expected, "{architecture}");
        let binary = &entries[1].2;
        let layer = read(&format!("extension-{architecture}.zip"));
        println!(
            "{architecture}: binary {} bytes, layer {}",
            binary.len(),
            layer.len()
        );
        assert!(
            binary.len() <= BINARY_BYTES,
            "{architecture}: {}",
            binary.len()
        );
        assert!(
            layer.len() <= LAYER_BYTES,
            "{architecture}: {}",
            layer.len()
        );

        // The same for container images.
        let mut tar = Vec::new();
        let gzipped = read(&format!("extension-{architecture}.tar.gz"));
        GzDecoder::new(gzipped.as_slice())
            .read_to_end(&mut tar)
            .unwrap();
        let mut tar = tar::Archive::new(tar.as_slice());
        let unpacked: Vec<_> = (tar.entries().unwrap())
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut contents = Vec::new();
                entry.read_to_end(&mut contents).unwrap();
                let header = entry.header();
                let ids = (header.uid().unwrap(), header.gid().unwrap());
                assert_eq!(ids, (0, 0));
                let path = entry.path().unwrap().display().to_string();
                (path, header.mode().unwrap(), contents)
            })
            .collect();
        let same = entries.iter().zip(&unpacked).all(|(zipped, tarred)| {
            (&zipped.0, zipped.1 & 0o777, &zipped.2) == (&tarred.0, tarred.1, &tarred.2)
        });
        assert!(same && unpacked.len() == entries.len(), "{architecture}");
    }
}

#[test]
fn each_binary_loads_on_amazon_linux_2_and_is_hardened() {
    for architecture in ARCHITECTURES {
        let facts = Facts::read(&unzipped(architecture)[1].2).unwrap();
        println!("{facts:?}");
        assert_eq!(facts.architecture.to_string(), architecture);
        let newest: GlibcVersion = GLIBC.parse().unwrap();
        assert!(
            facts.glibc.unwrap() <= newest,
            "{architecture}: {:?}",
            facts.glibc
        );
        assert!(facts.position_independent && facts.relro && facts.no_executable_stack);
        // All of them are parts of glibc or beside it in every image of Lambda's.
        let known = BTreeSet::from([
            "libc.so.6",
            "libm.so.6",
            "libpthread.so.0",
            "libdl.so.2",
            "librt.so.1",
            "libgcc_s.so.1",
            "ld-linux-x86-64.so.2",
            "ld-linux-aarch64.so.1",
        ]);
        let unknown: Vec<_> = (facts.libraries.iter())
            .filter(|library| !known.contains(library.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{architecture}: {unknown:?}");
    }
}

#[test]
fn each_has_its_bill_of_materials() {
    for architecture in ARCHITECTURES {
        let text = read(&format!("extension-{architecture}.cdx.json"));
        let sbom: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(sbom["bomFormat"], "CycloneDX");
        assert_eq!(
            sbom["metadata"]["component"]["version"],
            env!("CARGO_PKG_VERSION")
        );
        let components = sbom["components"].as_array().unwrap();
        let named = |name: &str| components.iter().any(|component| component["name"] == name);
        for part in ["aws-sdk-s3", "aws-sdk-firehose", "hyper", "ring", "tokio"] {
            assert!(named(part), "{architecture}: {part}");
        }
        // Of the tests and the command line there is nothing in it.
        for other in ["clap", "proptest", "aws-config", "reqwest"] {
            assert!(!named(other), "{architecture}: {other}");
        }
        // Ours are in no registry, with those that stand in for a package of the same name; all others are.
        for component in components {
            let name = component["name"].as_str().unwrap();
            let has_address = component["purl"].is_string() && component["hashes"].is_array();
            let stands_in = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../crates")
                .join(name);
            let is_ours = name.starts_with("backstop-") || stands_in.is_dir();
            assert_ne!(has_address, is_ours, "{name}");
        }
    }
}
