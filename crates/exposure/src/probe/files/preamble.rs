//! What the 128 bytes before `DICM` are, PS3.10 7.1 and 7.5: zero, a TIFF header, or something
//! that another program would run, open or show (CVE-2019-11687).

use crate::finding::Severity;

/// Bytes of the preamble.
pub(super) const PREAMBLE: usize = 128;

/// Kinds of preambles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Preamble {
    /// All zero.
    Zero,
    /// The header of a dual-personality TIFF, which PS3.10 7.1 allows.
    Tiff,
    /// A Windows executable.
    Pe,
    /// `MZ`, without the new header.
    Dos,
    /// A Unix executable.
    Elf,
    /// A macOS executable.
    MachO,
    /// `#!`.
    Script,
    /// A ZIP archive.
    Zip,
    /// A PDF document.
    Pdf,
    /// A page with markup.
    Html,
    /// Something else.
    Unknown,
}

impl Preamble {
    /// Tells the kind. `file` is what was read of the file from its beginning.
    pub(super) fn of(file: &[u8]) -> Preamble {
        let preamble = file.get(..PREAMBLE).unwrap_or(file);
        if preamble.iter().all(|byte| *byte == 0) {
            return Preamble::Zero;
        }
        match preamble {
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] | [b'I', b'I', 43, 0, ..] | [b'M', b'M', 0, 43, ..] => {
                Preamble::Tiff
            }
            [b'M', b'Z', ..] if has_new_header(file) => Preamble::Pe,
            [b'M', b'Z', ..] => Preamble::Dos,
            [0x7F, b'E', b'L', b'F', ..] => Preamble::Elf,
            [0xFE, 0xED, 0xFA, 0xCE | 0xCF, ..]
            | [0xCE | 0xCF, 0xFA, 0xED, 0xFE, ..]
            | [0xCA, 0xFE, 0xBA, 0xBE | 0xBF, ..] => Preamble::MachO,
            [b'#', b'!', ..] => Preamble::Script,
            [b'P', b'K', 3, 4, ..] => Preamble::Zip,
            [b'%', b'P', b'D', b'F', ..] => Preamble::Pdf,
            _ if has_markup(preamble) => Preamble::Html,
            _ => Preamble::Unknown,
        }
    }

    /// The kind's name in the catalogue.
    pub(super) fn name(self) -> &'static str {
        match self {
            Preamble::Zero => "zero",
            Preamble::Tiff => "tiff",
            Preamble::Pe => "pe-executable",
            Preamble::Dos => "dos-executable",
            Preamble::Elf => "elf-executable",
            Preamble::MachO => "mach-o-executable",
            Preamble::Script => "script",
            Preamble::Zip => "zip-archive",
            Preamble::Pdf => "pdf-document",
            Preamble::Html => "html-page",
            Preamble::Unknown => "not-known",
        }
    }

    /// How bad it is, when it is.
    pub(super) fn severity(self) -> Option<Severity> {
        match self {
            Preamble::Zero | Preamble::Tiff => None,
            Preamble::Unknown => Some(Severity::Low),
            _ => Some(Severity::Critical),
        }
    }
}

/// Where `MZ` says that the new header is, if that is within what was read. When it is not, the
/// benefit of the doubt goes to danger.
fn has_new_header(file: &[u8]) -> bool {
    let Some(offset) = file.get(60..64).and_then(<[u8]>::first_chunk::<4>) else { return false };
    let offset = u32::from_le_bytes(*offset) as usize;
    match offset.checked_add(4).and_then(|end| file.get(offset..end)) {
        Some(magic) => magic == b"PE\0\0",
        None => offset >= file.len(),
    }
}

fn has_markup(preamble: &[u8]) -> bool {
    const MARKUP: [&[u8]; 5] = [b"<script", b"<html", b"<!doctype", b"<svg", b"<?php"];
    let starts = |at: usize, mark: &[u8]| {
        preamble.get(at..at + mark.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(mark))
    };
    (0..preamble.len()).any(|at| preamble[at] == b'<' && MARKUP.iter().any(|mark| starts(at, mark)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(start: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 1024];
        file[..start.len()].copy_from_slice(start);
        file[128..132].copy_from_slice(b"DICM");
        file
    }

    #[test]
    fn executables_are_told_from_pictures() {
        assert_eq!(Preamble::of(&file(b"")), Preamble::Zero);
        assert_eq!(Preamble::of(&file(b"II*\0\x08\0\0\0")), Preamble::Tiff);
        assert_eq!(Preamble::of(&file(b"\x7fELF")), Preamble::Elf);
        assert_eq!(Preamble::of(&file(b"\xcf\xfa\xed\xfe")), Preamble::MachO);
        assert_eq!(Preamble::of(&file(b"#!/bin/sh\n")), Preamble::Script);
        assert_eq!(Preamble::of(&file(b"PK\x03\x04")), Preamble::Zip);
        assert_eq!(Preamble::of(&file(b"%PDF-1.7")), Preamble::Pdf);
        assert_eq!(Preamble::of(&file(b"x <ScRiPt src=")), Preamble::Html);
        assert_eq!(Preamble::of(&file(b"PLANTED^JANE")), Preamble::Unknown);
    }

    #[test]
    fn a_windows_executable_has_a_new_header() {
        let mut pe = file(b"MZ");
        assert_eq!(Preamble::of(&pe), Preamble::Dos);
        pe[60..64].copy_from_slice(&512_u32.to_le_bytes());
        pe[512..516].copy_from_slice(b"PE\0\0");
        assert_eq!(Preamble::of(&pe), Preamble::Pe);
        pe[60..64].copy_from_slice(&0xFFFF_FFFF_u32.to_le_bytes());
        assert_eq!(Preamble::of(&pe), Preamble::Pe, "beyond what was read");
    }
}
