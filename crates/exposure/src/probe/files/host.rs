//! What the host says of the place where a tree lies: how it is mounted, whether it is
//! exported, whether the volume under it is encrypted. Read from its own configuration; no
//! text of it leaves.
//!
//! Deliberately absent: running programs to ask, so the encryption of a ZFS dataset is unknown, as
//! is that of a disk that encrypts by itself.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::exports::{self, Exported, unescape};

/// Bytes of one configuration file at most.
const MOST_CONFIGURATION: u64 = 1 << 20;
/// Files of one folder of configuration at most.
const MOST_FILES: usize = 1024;
/// Devices under a device at most: RAID over LUKS over partitions.
const MOST_DEVICES: usize = 32;

/// Where the host's own files are: `/`, and elsewhere in tests.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
}

/// How the volume of a tree is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtRest {
    /// By this mechanism.
    Encrypted(&'static str),
    /// Not.
    Plain,
    /// It lies on another host.
    Network,
    /// It cannot be told from here; why.
    Unknown(&'static str),
}

/// By what a tree is reached from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exports {
    /// Kinds of exports that hold the tree or a part of it.
    pub kinds: BTreeSet<&'static str>,
    /// Configuration files that exist and could not be read.
    pub unread: u64,
    /// The exports of NFS among them, by exports(5).
    pub nfs: Exported,
}

/// A line of `/proc/self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    device: String,
    point: PathBuf,
    kind: String,
    source: String,
}

impl Default for Host {
    fn default() -> Host {
        Host { root: PathBuf::from("/") }
    }
}

impl Host {
    /// A host whose `/proc`, `/sys` and `/etc` lie under a folder.
    pub fn at(root: impl Into<PathBuf>) -> Host {
        Host { root: root.into() }
    }

    /// Under what exports a folder lies, or which lie in it. `folder` is absolute, without links.
    pub(super) fn exports(&self, folder: &Path) -> Exports {
        let mut exports = Exports::default();
        match self.mount_of(folder) {
            Some(mount) if is_network(&mount.kind) => {
                exports.kinds.insert("network-mount");
            }
            Some(_) => {}
            None => exports.unread += 1,
        }
        for (kind, files, paths) in CONFIGURATIONS {
            for file in files.iter().flat_map(|file| self.files(file)) {
                match self.read(&file) {
                    Ok(text) => {
                        let holds = |path: &Path| path.starts_with(folder) || folder.starts_with(path);
                        if paths(&text).iter().any(|path| holds(path)) {
                            exports.kinds.insert(kind);
                        }
                        if kind == "nfs" {
                            let of_folder = exports::read(&text).into_iter().filter(|one| holds(&resolved(&one.path)));
                            of_folder.for_each(|export| exports.nfs.add_export(&export));
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(_) => exports.unread += 1,
                }
            }
        }
        exports
    }

    /// How the volume of a folder is encrypted. `file_system_encrypts` is what `statx` says of it.
    pub(super) fn at_rest(&self, folder: &Path, file_system_encrypts: bool) -> AtRest {
        if file_system_encrypts {
            return AtRest::Encrypted("fscrypt");
        }
        match self.beneath(folder) {
            Ok(device) => self.device_at_rest(device),
            Err(told) => told,
        }
    }

    /// The block device under a folder, or what the kind of its mount tells already.
    fn beneath(&self, folder: &Path) -> Result<PathBuf, AtRest> {
        let Some(mount) = self.mount_of(folder) else { return Err(AtRest::Unknown("unknown")) };
        if let Some(told) = by_kind(&mount.kind) {
            return Err(told);
        }
        let by_number = self.root.join("sys/dev/block").join(&mount.device);
        if by_number.exists() {
            return Ok(by_number);
        }
        // btrfs and others show a number of their own; the source names a device.
        let device = fs::canonicalize(self.root.join(mount.source.trim_start_matches('/'))).ok();
        let name = device.as_deref().and_then(Path::file_name).filter(|_| mount.source.starts_with("/dev/"));
        name.map(|name| self.root.join("sys/class/block").join(name)).ok_or(AtRest::Unknown("unknown"))
    }

    /// Whether files there show ACLs of Windows.
    pub(super) fn shows_windows_acls(&self, folder: &Path) -> bool {
        let mount = self.mount_of(folder);
        mount.is_some_and(|mount| matches!(mount.kind.as_str(), "ntfs" | "ntfs3" | "fuseblk" | "cifs" | "smb3"))
    }

    /// Follows a block device down, through files that loop devices are made of: encrypted when
    /// it is, or all below it are.
    fn device_at_rest(&self, device: PathBuf) -> AtRest {
        let (mut left, mut seen, mut mechanism) = (vec![device], 0, "dm-crypt");
        while let Some(device) = left.pop() {
            seen += 1;
            if seen > MOST_DEVICES || !device.exists() {
                return AtRest::Unknown("unknown");
            }
            if let Some(by) = fs::read(device.join("dm/uuid")).ok().and_then(|uuid| encrypting(&uuid)) {
                mechanism = by;
                continue;
            }
            if let Ok(file) = self.read(&device.join("loop/backing_file")) {
                match self.beneath(Path::new(file.trim_end_matches('\n'))) {
                    Ok(device) => left.push(device),
                    Err(AtRest::Encrypted(by)) => mechanism = by,
                    Err(told) => return told,
                }
                continue;
            }
            let below = fs::read_dir(device.join("slaves"))
                .map(|entries| entries.take(MOST_DEVICES).flatten().map(|entry| entry.path()).collect::<Vec<_>>());
            match below {
                Ok(below) if !below.is_empty() => left.extend(below),
                _ => return AtRest::Plain,
            }
        }
        AtRest::Encrypted(mechanism)
    }

    /// The innermost mount that holds a folder.
    fn mount_of(&self, folder: &Path) -> Option<Mount> {
        let text = self.read(&self.root.join("proc/self/mountinfo")).ok()?;
        let mounts = text.lines().filter_map(parse_mount).filter(|mount| folder.starts_with(&mount.point));
        // Of two at one point the later one is on top.
        mounts.enumerate().max_by_key(|(at, mount)| (mount.point.components().count(), *at)).map(|(_, mount)| mount)
    }

    /// A file, or all files of a folder when the name ends in `/`.
    fn files(&self, name: &str) -> Vec<PathBuf> {
        let path = self.root.join(name);
        if !name.ends_with('/') {
            return vec![path];
        }
        let entries = fs::read_dir(&path).map(|entries| entries.take(MOST_FILES).flatten().map(|entry| entry.path()));
        let mut files: Vec<PathBuf> = entries.map(Iterator::collect).unwrap_or_default();
        files.retain(|file| file.is_file());
        files.sort();
        files
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(MOST_CONFIGURATION).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

type Paths = fn(&str) -> Vec<PathBuf>;

/// What exports files, in which configuration, and how its paths are found.
const CONFIGURATIONS: [(&str, &[&str], Paths); 6] = [
    ("nfs", &["etc/exports", "etc/exports.d/"], nfs_exports),
    ("smb", &["etc/samba/smb.conf"], |text| assigned(text, &["path", "directory"])),
    ("web", &["etc/nginx/nginx.conf", "etc/nginx/conf.d/", "etc/nginx/sites-enabled/"], nginx_roots),
    (
        "web",
        &[
            "etc/apache2/apache2.conf",
            "etc/apache2/sites-enabled/",
            "etc/apache2/conf-enabled/",
            "etc/httpd/conf/httpd.conf",
            "etc/httpd/conf.d/",
        ],
        apache_roots,
    ),
    ("ftp", &["etc/vsftpd.conf", "etc/vsftpd/vsftpd.conf"], |text| assigned(text, &["anon_root", "local_root"])),
    ("rsync", &["etc/rsyncd.conf"], |text| assigned(text, &["path"])),
];

/// The paths of exports(5).
fn nfs_exports(text: &str) -> Vec<PathBuf> {
    exports::read(text).iter().map(|export| resolved(&export.path)).collect()
}

/// `name = value` of smb.conf(5), vsftpd.conf(5), rsyncd.conf(5).
fn assigned(text: &str, names: &[&str]) -> Vec<PathBuf> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let values = lines.filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        names.iter().any(|known| name.trim().eq_ignore_ascii_case(known)).then(|| value.trim().trim_matches('"'))
    });
    values.filter(|value| value.starts_with('/')).map(resolved).collect()
}

/// `root …;` and `alias …;`.
fn nginx_roots(text: &str) -> Vec<PathBuf> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let text: String = lines.flat_map(|line| [line, " "]).collect();
    let statements = text.split([';', '{', '}']).map(str::split_whitespace);
    let paths = statements.filter_map(|mut words| match words.next() {
        Some("root" | "alias") => words.next(),
        _ => None,
    });
    paths.map(|path| path.trim_matches(['"', '\''])).filter(|path| path.starts_with('/')).map(resolved).collect()
}

/// `DocumentRoot …` and `Alias url …`.
fn apache_roots(text: &str) -> Vec<PathBuf> {
    let paths = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        match words.next()?.to_ascii_lowercase().as_str() {
            "documentroot" => words.next(),
            "alias" => words.nth(1),
            _ => None,
        }
    });
    paths.map(|path| path.trim_matches('"')).filter(|path| path.starts_with('/')).map(resolved).collect()
}

/// Without links when it exists, as written otherwise.
fn resolved(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// A line of mountinfo, proc(5): fields up to a lone hyphen, then kind and source.
fn parse_mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(2);
    let (device, _, point) = (fields.next()?, fields.next()?, fields.next()?);
    let mut after = after.split(' ');
    Some(Mount {
        device: device.to_owned(),
        point: PathBuf::from(unescape(point)),
        kind: after.next()?.to_owned(),
        source: unescape(after.next()?),
    })
}

/// What the kind of a mount tells by itself.
fn by_kind(kind: &str) -> Option<AtRest> {
    Some(match kind {
        "ecryptfs" => AtRest::Encrypted("ecryptfs"),
        "fuse.gocryptfs" | "fuse.encfs" | "fuse.cryfs" | "fuse.securefs" => AtRest::Encrypted("encrypting-mount"),
        // BitLocker, opened by dislocker: its volume, or the file that it shows to a loop device.
        "fuse.dislocker" | "fuse.dislocker-fuse" => AtRest::Encrypted("bitlocker"),
        // Only ZFS's own tools tell whether a dataset is encrypted; /proc/spl has counters alone.
        "zfs" => AtRest::Unknown("zfs"),
        kind if is_network(kind) => AtRest::Network,
        _ => return None,
    })
}

/// The mechanism that a mapping of cryptsetup's encrypts with, by its UUID. Not all encrypt:
/// `CRYPT-VERITY-` and `CRYPT-INTEGRITY-` do not.
fn encrypting(uuid: &[u8]) -> Option<&'static str> {
    let kind = uuid.strip_prefix(b"CRYPT-")?.split(|byte| *byte == b'-').next()?;
    match kind {
        b"LUKS1" | b"LUKS2" | b"PLAIN" | b"LOOPAES" | b"TCRYPT" => Some("dm-crypt"),
        b"BITLK" => Some("bitlocker"),
        b"FVAULT2" => Some("filevault"),
        _ => None,
    }
}

fn is_network(kind: &str) -> bool {
    matches!(
        kind,
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "9p" | "ceph" | "glusterfs" | "lustre" | "afs" | "davfs"
    ) || ["fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.glusterfs", "fuse.davfs"].contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let host = Host::at(root.path());
        (root, host)
    }

    const MOUNTS: &str = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n\
                          30 22 253:0 / /srv/my\\040images rw - xfs /dev/mapper/images rw\n\
                          31 22 0:50 / /mnt/share rw - cifs //server/share rw\n\
                          32 22 0:60 / /mnt/tank rw - zfs tank/images rw\n";

    #[test]
    fn an_encrypted_device_is_found_under_others() {
        let (_root, host) = host(&[
            ("proc/self/mountinfo", MOUNTS),
            ("sys/dev/block/8:1/size", "1"),
            ("sys/dev/block/253:0/dm/uuid", "LVM-abc"),
            ("sys/dev/block/253:0/slaves/dm-1/dm/uuid", "CRYPT-LUKS2-abc"),
        ]);
        assert_eq!(host.at_rest(Path::new("/srv/my images/ct"), false), AtRest::Encrypted("dm-crypt"));
        assert_eq!(host.at_rest(Path::new("/srv/other"), false), AtRest::Plain);
        assert_eq!(host.at_rest(Path::new("/srv/other"), true), AtRest::Encrypted("fscrypt"));
        assert_eq!(host.at_rest(Path::new("/mnt/share/ct"), false), AtRest::Network);
        assert_eq!(host.at_rest(Path::new("/mnt/tank/ct"), false), AtRest::Unknown("zfs"));
    }

    #[test]
    fn what_lies_under_a_loop_device_counts() {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                      40 22 7:0 / /mnt/in rw - ext4 /dev/loop0 rw\n\
                      41 22 7:1 / /mnt/out rw - ext4 /dev/loop1 rw\n\
                      42 22 0:70 / /run/bitlocker rw - fuse.dislocker dislocker rw\n\
                      43 22 7:2 / /mnt/windows rw - ntfs3 /dev/loop2 rw\n\
                      44 22 0:71 / /mnt/vault rw - fuse.gocryptfs /srv/vault rw\n\
                      45 22 254:3 / /mnt/verity rw - ext4 /dev/dm-3 rw\n\
                      46 22 254:4 / /srv/locked rw - xfs /dev/dm-4 rw\n\
                      47 22 254:5 / /mnt/bitlk rw - ntfs3 /dev/dm-5 rw\n";
        let (_root, host) = host(&[
            ("proc/self/mountinfo", mounts),
            ("sys/dev/block/8:1/size", "1"),
            ("sys/dev/block/7:0/loop/backing_file", "/srv/locked/images.img\n"),
            ("sys/dev/block/7:1/loop/backing_file", "/srv/images.img\n"),
            ("sys/dev/block/7:2/loop/backing_file", "/run/bitlocker/dislocker-file\n"),
            ("sys/dev/block/254:3/dm/uuid", "CRYPT-VERITY-abc"),
            ("sys/dev/block/254:4/dm/uuid", "CRYPT-LUKS2-abc"),
            ("sys/dev/block/254:5/dm/uuid", "CRYPT-BITLK-abc"),
        ]);
        let at_rest = |folder: &str| host.at_rest(Path::new(folder), false);
        assert_eq!(at_rest("/mnt/in/ct"), AtRest::Encrypted("dm-crypt"));
        assert_eq!(at_rest("/mnt/out/ct"), AtRest::Plain);
        assert_eq!(at_rest("/mnt/windows"), AtRest::Encrypted("bitlocker"));
        assert_eq!(at_rest("/mnt/bitlk"), AtRest::Encrypted("bitlocker"));
        assert_eq!(at_rest("/mnt/vault/ct"), AtRest::Encrypted("encrypting-mount"));
        assert_eq!(at_rest("/mnt/verity"), AtRest::Plain);
    }

    #[test]
    fn the_clients_of_the_trees_own_exports_are_counted() {
        let (_root, host) = host(&[
            ("proc/self/mountinfo", MOUNTS),
            ("etc/exports", "/srv/pacs *(rw,no_root_squash)\n/srv/other 10.0.0.7(ro)\n"),
        ]);
        let of = |folder: &str| host.exports(Path::new(folder)).nfs;
        assert!(of("/srv/pacs/ct").to_everyone() && of("/srv/pacs/ct").no_root_squash == 1);
        assert!(!of("/srv/other").to_everyone() && of("/srv/other").exports == 1);
        assert_eq!(of("/srv/third").exports, 0);
    }

    #[test]
    fn exports_above_and_below_are_found() {
        let (_root, host) = host(&[
            ("proc/self/mountinfo", MOUNTS),
            ("etc/exports", "# /srv/commented *(ro)\n/srv/pacs 10.0.0.0/8(rw)\n\"/srv/my images\" *(ro)\n"),
            ("etc/samba/smb.conf", "[global]\n[images]\n  Path = /srv/pacs/ct\n; path = /srv/old\n"),
            ("etc/nginx/sites-enabled/viewer", "server { root /srv/www; location /i { alias /srv/web-images/; } }"),
            ("etc/apache2/sites-enabled/000", "DocumentRoot \"/srv/apache\"\nAlias /images /srv/aliased\n"),
            ("etc/vsftpd.conf", "anon_root=/srv/ftp\n"),
            ("etc/rsyncd.conf", "[m]\npath = /srv/rsync\n"),
        ]);
        let kinds = |folder: &str| host.exports(Path::new(folder)).kinds.into_iter().collect::<Vec<_>>();
        assert_eq!(kinds("/srv/pacs/ct/2019"), ["nfs", "smb"]);
        assert_eq!(kinds("/srv/pacs"), ["nfs", "smb"]);
        assert_eq!(kinds("/srv/my images/a"), ["nfs"]);
        assert_eq!(kinds("/srv/web-images/a"), ["web"]);
        assert_eq!(kinds("/srv/aliased"), ["web"]);
        assert_eq!(kinds("/srv/ftp"), ["ftp"]);
        assert_eq!(kinds("/srv/rsync"), ["rsync"]);
        assert_eq!(kinds("/mnt/share/x"), ["network-mount"]);
        assert!(kinds("/srv/old").is_empty() && kinds("/srv/commented").is_empty());
        assert!(kinds("/srv/pacs2").is_empty(), "a longer name is another folder");
    }

    #[test]
    fn what_cannot_be_read_is_counted() {
        let (root, host) = host(&[("proc/self/mountinfo", MOUNTS)]);
        fs::create_dir_all(root.path().join("etc/exports")).unwrap();
        assert_eq!(host.exports(Path::new("/srv/x")).unread, 1);
    }
}
