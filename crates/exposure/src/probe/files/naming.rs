//! What names of files and folders tell without opening anything: fixed lists, compared and dropped.

/// What a file's name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// Likely DICOM: its header is read at once.
    Dicom,
    /// Nothing: its first bytes are looked at.
    Nothing,
    /// An archive, backup or disc image: its magic is looked at.
    Container,
    /// Something that runs. Its first bytes are looked at all the same: a name is no promise.
    Program(&'static str),
    /// Passwords or keys: it is never opened, unless [`Configuration::Orthanc`] holds them.
    Secret(&'static str),
    /// Maybe a configuration that answers a check; its first bytes are looked at like any other's.
    Configuration(Configuration),
}

/// Configurations that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Configuration {
    /// Orthanc's, or somebody else's JSON.
    Orthanc,
    /// exports(5).
    Exports,
}

/// Kinds of folders in which copies go astray.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stray {
    /// Backups.
    Backup,
    /// Temporary files.
    Temporary,
    /// What was thrown away.
    Recycled,
    /// Trees of CDs and DVDs for patients.
    ExportDisc,
    /// Research and teaching.
    Research,
    /// `old`, `copy of`.
    OldCopy,
}

impl Stray {
    /// All, in the order of their names in tallies.
    pub(super) const ALL: [Stray; 6] =
        [Stray::Backup, Stray::Temporary, Stray::Recycled, Stray::ExportDisc, Stray::Research, Stray::OldCopy];

    /// The kind's name in the catalogue.
    pub(super) fn name(self) -> &'static str {
        match self {
            Stray::Backup => "backup",
            Stray::Temporary => "temporary",
            Stray::Recycled => "recycled",
            Stray::ExportDisc => "export-disc",
            Stray::Research => "research",
            Stray::OldCopy => "old-copy",
        }
    }

    /// The kind of a folder, told by the words of its name.
    pub(super) fn of(folder: &[u8]) -> Option<Stray> {
        let lower = Lower::<64>::of(folder)?;
        let name = lower.bytes();
        let whole = match name {
            b"$recycle.bin" | b"#recycle" | b"@recycle" | b"recycler" | b"lost+found" => Some(Stray::Recycled),
            b"ihe_pdi" => Some(Stray::ExportDisc),
            _ if name.starts_with(b".trash") => Some(Stray::Recycled),
            _ => None,
        };
        whole.or_else(|| name.split(|byte| !byte.is_ascii_alphabetic()).find_map(Stray::of_word))
    }

    fn of_word(word: &[u8]) -> Option<Stray> {
        match word {
            b"backup" | b"backups" | b"bak" | b"bkp" | b"sicherung" | b"snapshot" | b"snapshots" => Some(Stray::Backup),
            b"tmp" | b"temp" | b"temporary" | b"cache" | b"spool" | b"scratch" => Some(Stray::Temporary),
            b"trash" | b"recycle" | b"recycled" | b"deleted" => Some(Stray::Recycled),
            b"cd" | b"cds" | b"dvd" | b"dvds" | b"export" | b"exports" | b"cdexport" | b"cdrom" | b"burn" => {
                Some(Stray::ExportDisc)
            }
            b"research" | b"forschung" | b"teaching" | b"phd" | b"dataset" | b"datasets" => Some(Stray::Research),
            b"old" | b"copy" | b"kopie" | b"copies" => Some(Stray::OldCopy),
            _ => None,
        }
    }
}

/// What the name of a file tells.
pub(super) fn promise(file: &[u8]) -> Promise {
    if let Some(secret) = secret(file) {
        return Promise::Secret(secret);
    }
    if file == b"exports" {
        return Promise::Configuration(Configuration::Exports);
    }
    let Some(dot) = file.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0) else {
        return Promise::Nothing;
    };
    let Some(lower) = Lower::<12>::of(&file[dot + 1..]) else { return Promise::Nothing };
    let extension = lower.bytes();
    if extension.iter().all(u8::is_ascii_digit) {
        // Named after its UID.
        return Promise::Dicom;
    }
    match extension {
        b"dcm" | b"dicom" | b"dic" | b"ima" | b"dc3" | b"dcm30" => Promise::Dicom,
        b"zip" | b"gz" | b"tgz" | b"tar" | b"iso" | b"7z" | b"rar" | b"bz2" | b"xz" | b"zst" | b"bak" | b"dump"
        | b"e2e" | b"vhd" | b"vhdx" | b"vmdk" | b"qcow2" | b"img" | b"backup" => Promise::Container,
        b"json" => Promise::Configuration(Configuration::Orthanc),
        b"exports" => Promise::Configuration(Configuration::Exports),
        _ => program(extension).map_or(Promise::Nothing, Promise::Program),
    }
}

fn program(extension: &[u8]) -> Option<&'static str> {
    Some(match extension {
        b"php" | b"php5" | b"phtml" | b"phar" => "php",
        b"jsp" | b"jspx" | b"war" => "jsp",
        b"asp" | b"aspx" | b"ashx" => "aspx",
        b"exe" | b"com" | b"scr" | b"msi" => "exe",
        b"dll" => "dll",
        b"ps1" | b"psm1" => "ps1",
        b"bat" | b"cmd" => "bat",
        b"vbs" | b"vbe" | b"wsf" => "vbs",
        b"js" | b"jse" => "js",
        b"sh" | b"bash" => "sh",
        b"py" | b"pl" | b"rb" | b"cgi" => "py",
        b"lnk" | b"url" => "lnk",
        b"hta" => "hta",
        b"jar" => "jar",
        _ => return None,
    })
}

fn secret(file: &[u8]) -> Option<&'static str> {
    let lower = Lower::<64>::of(file)?;
    let name = lower.bytes();
    Some(match name {
        b"orthanc.json" => "orthanc-configuration",
        b"dcmqrscp.cfg" => "dcmqrscp-configuration",
        b".pgpass" | b"pgpass.conf" => "pgpass",
        b".my.cnf" | b"my.cnf" => "my-cnf",
        b".htpasswd" | b"htpasswd" => "htpasswd",
        b".env" => "environment-file",
        b"id_rsa" | b"id_dsa" | b"id_ecdsa" | b"id_ed25519" => "private-key",
        _ if name.ends_with(b".ldif") => "ldif",
        _ if name.ends_with(b".key") || name.ends_with(b"key.pem") || name.ends_with(b".ppk") => "private-key",
        _ if [&b".pfx"[..], b".p12", b".jks", b".keystore"].iter().any(|end| name.ends_with(end)) => "key-store",
        _ if name.ends_with(b".kdbx") || name.ends_with(b".kdb") => "password-store",
        _ => return None,
    })
}

/// A short name in lower case, on the stack; longer names are in no list.
struct Lower<const N: usize>([u8; N], usize);

impl<const N: usize> Lower<N> {
    fn of(name: &[u8]) -> Option<Lower<N>> {
        let mut lower = [0; N];
        lower.get_mut(..name.len())?.copy_from_slice(name);
        lower.make_ascii_lowercase();
        Some(Lower(lower, name.len()))
    }

    fn bytes(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        assert_eq!(promise(b"IM000001.DCM"), Promise::Dicom);
        assert_eq!(promise(b"1.2.840.113619.2.55"), Promise::Dicom);
        assert_eq!(promise(b"IM000001"), Promise::Nothing);
        assert_eq!(promise(b"PLANTED^JANE.JPG"), Promise::Nothing);
        assert_eq!(promise(b"study.tar.gz"), Promise::Container);
        assert_eq!(promise(b"shell.PHP"), Promise::Program("php"));
        assert_eq!(promise(b"Orthanc.json"), Promise::Secret("orthanc-configuration"));
        assert_eq!(promise(b"dicom.JSON"), Promise::Configuration(Configuration::Orthanc));
        assert_eq!(promise(b"exports"), Promise::Configuration(Configuration::Exports));
        assert_eq!(promise(b"pacs.exports"), Promise::Configuration(Configuration::Exports));
        assert_eq!(promise(b"server.key"), Promise::Secret("private-key"));
        assert_eq!(promise(b".hidden"), Promise::Nothing);
    }

    #[test]
    fn names_of_folders() {
        assert_eq!(Stray::of(b"Backup_2019"), Some(Stray::Backup));
        assert_eq!(Stray::of(b"$RECYCLE.BIN"), Some(Stray::Recycled));
        assert_eq!(Stray::of(b"CD-Export"), Some(Stray::ExportDisc));
        assert_eq!(Stray::of(b"images.old"), Some(Stray::OldCopy));
        assert_eq!(Stray::of(b"template"), None);
        assert_eq!(Stray::of(b"PLANTED^JANE"), None);
    }
}
