//! What a binary needs of the machine it is loaded on, read from its ELF headers.
//!
//! Invariant: it reads, and runs nothing. Must not: trust the file; any bytes give facts or an error.

use std::str::FromStr;

use anyhow::{Context as _, bail};
use object::Endianness;
use object::elf::{
    DF_1_NOW, DF_BIND_NOW, DT_BIND_NOW, DT_FLAGS, DT_FLAGS_1, DT_NEEDED, EM_AARCH64, EM_X86_64,
    ET_DYN, PF_X, PT_GNU_RELRO, PT_GNU_STACK, PT_INTERP,
};
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use serde::{Deserialize, Serialize, Serializer};

use super::Target;

/// As Lambda names it in `CompatibleArchitectures`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    Arm64,
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        })
    }
}

/// A version of glibc. Amazon Linux 2 has 2.26, Amazon Linux 2023 has 2.34.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlibcVersion(u32, u32);

impl FromStr for GlibcVersion {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A third number never made a symbol of its own since 2.4.
        let mut numbers = text.splitn(3, '.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self(major, minor)),
            _ => Err("not a glibc version: write it as 2.26"),
        }
    }
}

impl std::fmt::Display for GlibcVersion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

impl Serialize for GlibcVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What matters of a binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Facts {
    pub bytes: u64,
    /// What it was compiled for.
    pub architecture: Architecture,
    /// The newest glibc among its symbols; none where it uses none.
    pub glibc: Option<GlibcVersion>,
    /// The shared libraries it needs.
    pub libraries: Vec<String>,
    /// It is loaded at an address that nobody can guess.
    pub position_independent: bool,
    /// Its relocations are read-only before it runs.
    pub relro: bool,
    /// Its stack cannot be executed.
    pub no_executable_stack: bool,
    /// It needs no loader.
    pub is_static: bool,
}

impl Facts {
    pub fn read(contents: &[u8]) -> anyhow::Result<Self> {
        let file = ElfFile64::<Endianness>::parse(contents)
            .context("it is not a 64-bit ELF executable: build it for Linux on x86_64 or arm64")?;
        let (endian, header) = (file.endian(), file.elf_header());
        let architecture = match header.e_machine(endian) {
            EM_X86_64 => Architecture::X86_64,
            EM_AARCH64 => Architecture::Arm64,
            _ => bail!(
                "it is built for a machine that Lambda does not have: build it for x86_64 or \
                 arm64"
            ),
        };
        let segments = file.elf_program_headers();
        let segment = |kind| {
            segments
                .iter()
                .find(|segment| segment.p_type(endian) == kind)
        };

        let (mut binds_now, mut libraries) = (false, Vec::new());
        // A binary without a dynamic section is static.
        if let Ok(dynamic) = file.elf_dynamic_table() {
            for entry in &dynamic {
                match entry.tag {
                    DT_NEEDED => {
                        let name = dynamic.string(entry)?;
                        libraries.push(String::from_utf8_lossy(name).into_owned());
                    }
                    DT_BIND_NOW => binds_now = true,
                    DT_FLAGS => binds_now |= entry.val & DF_BIND_NOW.0 != 0,
                    DT_FLAGS_1 => binds_now |= entry.val & DF_1_NOW.0 != 0,
                    _ => {}
                }
            }
        }
        Ok(Self {
            bytes: contents.len() as u64,
            architecture,
            glibc: glibc(&file)?,
            libraries,
            position_independent: header.e_type(endian) == ET_DYN,
            // Without immediate binding the table of functions stays writable. A static binary has none.
            relro: segment(PT_GNU_RELRO).is_some() && (binds_now || segment(PT_INTERP).is_none()),
            no_executable_stack: segment(PT_GNU_STACK)
                .is_some_and(|stack| stack.p_flags(endian).0 & PF_X.0 == 0),
            is_static: segment(PT_INTERP).is_none(),
        })
    }

    /// Why it must not be shipped for `target`, where no newer glibc than `newest` can be counted on.
    pub fn problems(&self, target: Target, newest: GlibcVersion) -> Vec<String> {
        let mut problems = Vec::new();
        if self.architecture != target.architecture {
            problems.push(format!(
                "it is built for {}: give it as that target",
                self.architecture
            ));
        }
        if target.musl && !self.is_static {
            problems.push("it is not static: link it statically".to_owned());
        }
        if !target.musl && self.is_static {
            problems.push(format!(
                "it is static: give it as {}-musl",
                self.architecture
            ));
        }
        if let Some(needed) = self.glibc.filter(|needed| *needed > newest) {
            problems.push(format!(
                "it needs glibc {needed}, but --glibc allows {newest}: build it with \
                 scripts/package, or give --glibc {needed} if no older system runs it"
            ));
        }
        for (holds, what) in [
            (
                self.position_independent,
                "it is not position-independent (PIE)",
            ),
            (
                self.relro,
                "its relocations stay writable: link it with full RELRO",
            ),
            (
                self.no_executable_stack,
                "its stack is executable: link it with a non-executable stack",
            ),
        ] {
            if !holds {
                problems.push(what.to_owned());
            }
        }
        problems
    }
}

/// The newest version that a symbol asks for.
fn glibc(file: &ElfFile64<'_, Endianness>) -> anyhow::Result<Option<GlibcVersion>> {
    let (endian, data) = (file.endian(), file.data());
    let sections = file.elf_section_table();
    let mut newest = None;
    let Some((mut needs, strings)) = sections.gnu_verneed(endian, data)? else {
        return Ok(newest);
    };
    let strings = sections.strings(endian, data, strings)?;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            let name = String::from_utf8_lossy(version.name(endian, strings)?);
            let version = name
                .strip_prefix("GLIBC_")
                .and_then(|text| text.parse().ok());
            newest = newest.max(version);
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test, which is a real executable.
    fn executable() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_real_executable_is_read() {
        let facts = Facts::read(&executable()).unwrap();
        let here = if cfg!(target_arch = "x86_64") {
            Architecture::X86_64
        } else {
            Architecture::Arm64
        };
        assert_eq!(facts.architecture, here);
        assert!(facts.position_independent && facts.relro && facts.no_executable_stack);
        assert!(!facts.is_static && facts.libraries.contains(&"libc.so.6".to_owned()));
        assert!(facts.glibc >= Some(GlibcVersion(2, 17)), "{facts:?}");
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let whole = executable();
        let head = &whole[..whole.len().min(1 << 16)];
        for length in (0..4096).chain([head.len()]) {
            Facts::read(&head[..length.min(head.len())]).ok();
        }
        let mut broken = whole.clone();
        for at in 0..2048 {
            let byte = broken[at];
            broken[at] = !byte;
            Facts::read(&broken).ok();
            broken[at] = byte;
        }
    }

    #[test]
    fn versions_of_glibc_are_compared_by_number() {
        let version = |text: &str| text.parse::<GlibcVersion>();
        assert!(version("2.4") < version("2.26") && version("2.26") < version("2.34"));
        assert_eq!(version("2.2.5"), Ok(GlibcVersion(2, 2)));
        assert!(version("2").is_err() && version("PRIVATE").is_err());
    }
}
