//! Scope files, right and wrong.

use std::path::Path;

use super::*;
use crate::signature::{Purpose, SigningKey, beside};
use crate::testing::NOW;

const RIGHT: &str = r#"
format = 1
owner = "Test Hospital"
authorised_by = "Test Officer"
reference = "TEST-1"
valid_from = 2026-11-01
valid_until = 2026-11-30
vantage = "server-vlan"
contacts = ["soc@hospital.example"]
depth = 2
trusted = ["sha256:0101010101010101010101010101010101010101010101010101010101010101"]

[pace]
rate_per_second = 500
spacing_ms = 200
hosts_at_once = 20

[[window]]
days = "mon-fri"
from = "20:00"
until = "06:00"
utc_offset = "+01:00"

[[window]]
days = ["sat", "sun"]
from = "00:00"
until = "24:00"

[[asset]]
label = "archive"
class = "server"
addresses = ["10.0.0.5", "10.0.0.6", "10.1.0.0/16"]
hosts = ["PACS.hospital.example"]
ports = [11112, 104, 104]
expected_ports = [104]
urls = ["https://10.0.0.5/dicom-web"]
share_links = ["https://pacs.hospital.example/share/abc"]
paths = ["/srv/images/"]
called_ae = "ARCHIVE"
known_calling_ae = "CT1"
tls_name = "pacs.hospital.example"
dedicated_vlan = true
trail_saw_us = false
country = "DE"
site = "North"

[[asset]]
label = "ct"
class = "modality"
addresses = ["10.1.2.3"]

[[asset]]
label = "portal"
class = "portal"
addresses = ["8.8.8.8"]
public_owned = true

[[exclude]]
addresses = ["10.1.9.0/24"]
paths = ["/srv/images/private"]
reason = "infusion pumps"
"#;

fn read(text: &str) -> Result<Scope, ScopeFaults> {
    Scope::parse(text.as_bytes(), Path::new("."))
}

fn at(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What is told of the right file with something in it replaced.
fn faults(from: &str, to: &str) -> Vec<String> {
    assert!(RIGHT.contains(from), "{from}");
    let told = read(&RIGHT.replacen(from, to, 1)).expect_err(to);
    told.faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_right_file_says_what_it_says() {
    let scope = read(RIGHT).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(scope.owner, "Test Hospital");
    assert_eq!(scope.validity, Validity { from: NOW - 43_200 - 21 * 86_400, until: NOW - 43_200 + 9 * 86_400 });
    let night = Window { days: 0b001_1111, from_minute: 1200, until_minute: 360, utc_offset_minutes: 60 };
    let weekend = Window { days: 0b110_0000, from_minute: 0, until_minute: 1440, utc_offset_minutes: 0 };
    assert_eq!(scope.windows, [night, weekend]);
    assert_eq!(scope.pace, Pace::new(500, Duration::from_millis(200), 20));
    let [archive, ct, _] = &scope.assets[..] else { panic!() };
    assert_eq!(archive.ports, [104, 11112]);
    assert_eq!(archive.hosts, ["pacs.hospital.example"]);
    assert_eq!(archive.paths, [PathBuf::from("/srv/images")]);
    assert_eq!(archive.labels.country.as_deref(), Some("DE"));
    assert_eq!(archive.trail_saw_us, Some(false));
    assert_eq!(scope.trusted_keys, [[1; 32]]);
    assert_eq!((scope.spacing_of(archive), scope.spacing_of(ct)), (Duration::from_millis(200), Duration::from_secs(1)));
    assert_eq!((scope.depth_of(archive), scope.depth_of(ct)), (Depth::Canary, Depth::Handshake));
}

#[test]
fn services_and_shares_are_named() {
    let from = "expected_ports = [104]\n";
    let with = |line: &str| format!("{from}{line}\n");
    let right = with("services = { 15432 = \"postgresql\", 2121 = \"ftp\" }\nshares = [\"images\"]");
    let scope = read(&RIGHT.replacen(from, &right, 1)).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(scope.assets[0].services, [(2121, Service::Ftp), (15432, Service::Postgresql)]);
    assert_eq!(scope.assets[0].shares, ["images"]);
    for (line, mistake) in [
        ("services = { 15432 = \"postgres\" }", "is no known service"),
        ("services = { 70000 = \"ftp\" }", "is no port"),
        ("services = [21]", "no table of ports"),
        ("shares = [\"images/private\"]", "no name of a share"),
    ] {
        let told = faults(from, &with(line));
        assert!(told.iter().any(|fault| fault.contains(mistake)), "{line}: {told:?}");
    }
}

#[test]
fn a_right_file_permits_what_is_in_it() {
    let scope = read(RIGHT).unwrap_or_else(|faults| panic!("{faults}"));
    // NOW is a Sunday.
    assert_eq!(scope.permits(at("10.0.0.5"), NOW).map(|asset| asset.label.as_str()), Ok("archive"));
    assert_eq!(scope.permits(at("10.1.2.3"), NOW).map(|asset| asset.label.as_str()), Ok("ct"));
    assert_eq!(scope.permits(at("8.8.8.8"), NOW).map(|asset| asset.label.as_str()), Ok("portal"));
    assert_eq!(scope.permits(at("10.1.9.1"), NOW).err(), Some(NotPermitted::Excluded));
    assert_eq!(scope.permits(at("10.0.0.7"), NOW).err(), Some(NotPermitted::OutOfScope));
    assert_eq!(scope.permits(at("10.0.0.5"), NOW + 86_400).err(), Some(NotPermitted::OutsideWindow));
    assert_eq!(scope.permits(at("10.0.0.5"), NOW + 10 * 86_400).err(), Some(NotPermitted::NotValid));
    assert_eq!(scope.holds_at(NOW - 30 * 86_400), Err(NotHolding::NotYet));
    assert_eq!(scope.holds_at(NOW + 30 * 86_400), Err(NotHolding::Expired));
    let targets = scope.targets();
    assert_eq!(targets.all.len(), 2 + 65_536 - 256 + 1);
    assert_eq!(targets.listed.len(), 4);
    assert!(scope.lists(at("10.1.2.3")) && !scope.lists(at("10.1.2.4")));
    assert_eq!(scope.ports_of(&scope.assets[1]), DEFAULT_PORTS);
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_line() {
    let text = r#"format = 1
owner = ""
authorized_by = "Officer"
valid_from = "soon"
valid_until = 2026-11-30
vantage = "sever-vlan"
depth = 5
[[asset]]
label = "a"
class = "server"
adresses = ["10.0.0.5"]
paths = ["images"]
[[asset]]
label = "a"
class = "server"
addresses = ["10.0.0.0/7", "8.8.8.8", "10.0.0.5/24", 5]
urls = ["ftp://x/", "http://u:p@x/", "http://10.9.9.9/"]
"#;
    let told = read(text).unwrap_err();
    let told: Vec<String> = told.faults.iter().map(ToString::to_string).collect();
    let expected = [
        "line 1: authorised_by is missing: write who authorised the audit",
        "line 1: contacts are missing: ",
        "line 1: reference is missing: ",
        "line 2: owner is blank: write whose systems these are",
        "line 3: \"authorized_by\" is not known: did you mean authorised_by?",
        "line 4: valid_from is no date: write a date as 2026-11-22",
        "line 6: \"sever-vlan\" is no vantage: did you mean \"server-vlan\"?",
        "line 7: depth is no whole number from 0 to 4: ",
        "line 11: \"adresses\" is not known in [[asset]]: did you mean addresses?",
        "line 12: \"images\" is no absolute path: ",
        "line 13: two assets are called \"a\": ",
        "line 16: \"10.0.0.0/7\" is wider than a /8 (or an IPv6 /104): ",
        "line 16: \"10.0.0.5/24\" names a network by an address inside of it: ",
        "line 16: \"8.8.8.8\" is public, and the asset does not say that it is yours: ",
        "line 16: addresses holds no text but a value of type integer: ",
        "line 17: a URL leads to an address that is not in the scope: ",
        "line 17: a URL of urls carries a name or password: remove",
        "line 17: a URL of urls is neither http nor https: ",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} / {expected}");
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let cases = [
        ("10.1.0.0/16", "0.0.0.0/0", "\"0.0.0.0/0\" is the whole internet"),
        ("10.1.0.0/16", "::/0", "\"::/0\" is the whole internet"),
        ("10.1.0.0/16", "10.0.0.0-11.0.0.0", "is wider than a /8"),
        ("\"8.8.8.8\"", "\"8.8.0.0/16\"", "holds more than 256 public addresses"),
        ("public_owned = true", "", "is public, and the asset does not say that it is yours"),
        ("10.1.0.0/16", "fd00::/104\", \"fd00::100:0/104", "networks side by side come to more than a /8"),
        ("2026-11-30", "2027-12-30", "more than 400 days"),
        ("2026-11-30", "2026-10-30", "valid_until is not after valid_from"),
        ("depth = 2", "depth = 3", "without depth_reason"),
        ("depth = 2", "depth = 4\ndepth_reason = \"as agreed\"", "a depth of 4 without credential tries"),
        ("[pace]", "[credentials]\ntry_blank = true\nlockout = 5\n[pace]", "and no depth is 4"),
        ("[pace]", "[credentials]\ntry_blank = true\n[pace]", "lockout is missing"),
        ("= 500", "= 2001", "rate_per_second is no whole number from 1 to 2000"),
        ("10.1.9.0/24", "0.0.0.0/0", "every address is excluded"),
        ("10.1.9.0/24", "10.0.0.5", "a URL leads to an address that is not in the scope"),
        ("\"10.1.2.3\"", "\"10.1.0.0/16\"", "10.1.0.0-10.1.255.255 are in \"archive\" as well"),
        ("/srv/images/", "/srv/../etc", "is no absolute path"),
        ("format = 1", "format = 2", "format is no whole number from 1 to 1"),
        ("format = 1", "", "format is missing"),
        ("\"20:00\"", "\"25:00\"", "from is no hour"),
        ("\"+01:00\"", "\"+15:00\"", "utc_offset is no distance"),
        ("label = \"ct\"", "label = \"\"", "label is blank"),
        ("label = \"ct\"", "label = \"a\\u001b[31m\"", "label holds control characters"),
        ("\"sha256:01", "\"sha256:0", "is no SHA-256"),
        ("\"sha256:01", "\"absent.pem\", \"sha256:01", "cannot be opened"),
        ("owner =", "owner = = ", "not TOML"),
        ("[[exclude]]", "[exclude]", "begin each with [[exclude]] in double brackets"),
        ("reason = \"infusion pumps\"", "", "reason is missing in [[exclude]]"),
    ];
    for (from, to, expected) in cases {
        let told = faults(from, to);
        assert!(told.iter().any(|told| told.contains(expected)), "{to}: {told:#?}");
    }
}

#[test]
fn what_is_opted_in_is_allowed() {
    let deep = RIGHT.replace("depth = 2", "depth = 4\ndepth_reason = \"as agreed with the owner\"");
    let deep = deep.replace("[pace]", "[credentials]\ntry_blank = true\nlockout = 5\n[pace]");
    let fast = deep.replace("= 500", "= 20000").replace("depth = 4", "firewall_exempt = true\ndepth = 4");
    let scope = read(&fast).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(scope.credentials, Some(CredentialOptIn { try_blank: true, try_default: false, lockout: 5 }));
    assert_eq!(scope.pace.rate_per_second, 20_000);
}

#[test]
fn the_signature_beside_a_file_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scope.toml");
    std::fs::write(&path, RIGHT).unwrap();
    assert_eq!(Scope::read(&path).unwrap().signed_by, None);
    let key = SigningKey::generate(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
    std::fs::write(beside(&path), key.sign(Purpose::Scope, RIGHT.as_bytes())).unwrap();
    assert_eq!(Scope::read(&path).unwrap().signed_by, Some(key.public()));
    std::fs::write(&path, RIGHT.replace("10.0.0.6", "10.0.0.7")).unwrap();
    assert!(Scope::read(&path).unwrap_err().to_string().contains("the signature does not hold"));
    std::fs::write(beside(&path), key.sign(Purpose::Report, RIGHT.as_bytes())).unwrap();
    std::fs::write(&path, RIGHT).unwrap();
    assert!(Scope::read(&path).unwrap_err().to_string().contains("the signature does not hold"));
}

#[test]
fn a_certificate_is_known_by_itself_and_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["pacs.hospital.example".to_owned()]).unwrap();
    std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
    let text = RIGHT.replace("\"sha256:", "\"ca.pem\", \"sha256:");
    let scope = Scope::parse(text.as_bytes(), folder.path()).unwrap_or_else(|faults| panic!("{faults}"));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, made.cert.der());
    assert_eq!(scope.trusted_keys.len(), 3);
    assert!(scope.trusted_keys.iter().any(|key| key == digest.as_ref()));
}

#[test]
fn a_new_file_names_its_blanks_and_passes_once_they_are_filled() {
    let told = read(template()).unwrap_err().to_string();
    let blanks = ["owner", "authorised_by", "reference", "valid_from", "valid_until", "vantage", "contacts"];
    for blank in blanks.iter().chain(&["label", "class", "addresses"]) {
        assert!(
            told.contains(&format!("{blank} is blank")) || told.contains(&format!("{blank} holds a blank")),
            "{told}"
        );
    }
    assert_eq!(told.lines().count(), 1 + 10, "{told}");
    let filled = [
        ("owner = \"\"", "owner = \"H\""),
        ("authorised_by = \"\"", "authorised_by = \"O\""),
        ("reference = \"\"", "reference = \"R\""),
        ("valid_from = \"\"", "valid_from = \"2026-11-22\""),
        ("valid_until = \"\"", "valid_until = 2026-11-23"),
        ("vantage = \"\"", "vantage = \"host\""),
        ("contacts = [\"\"]", "contacts = [\"C\"]"),
        ("label = \"\" ", "label = \"l\" "),
        ("class = \"\" ", "class = \"server\" "),
        ("addresses = [\"\"] ", "addresses = [\"10.0.0.5\"] "),
    ];
    let text = filled.iter().fold(template().to_owned(), |text, (blank, filled)| text.replacen(blank, filled, 1));
    let scope = read(&text).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(scope.pace, Pace::default());
}

#[test]
fn what_a_new_file_has_commented_out_is_right_as_well() {
    let key = |line: &&str| line.starts_with('[') || line.split(' ').nth(1) == Some("=");
    let lines = template().lines().map(|line| line.strip_prefix("# ").filter(key).unwrap_or(line));
    let text: String = lines.filter(|line| !line.starts_with("trusted")).map(|line| format!("{line}\n")).collect();
    let text = text.replace("depth = 2", "depth = 4").replace("valid_from = \"\"", "valid_from = 2026-11-22");
    let text =
        text.replace("valid_until = \"\"", "valid_until = 2026-11-22").replace("vantage = \"\"", "vantage = \"host\"");
    let text =
        text.replace("class = \"\"", "class = \"server\"").replace("[\"\"]", "[\"10.0.0.5\"]").replace("\"\"", "\"x\"");
    let scope = read(&text).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(scope.credentials.is_some() && scope.depth_reason.is_some() && scope.windows.len() == 1);
    assert!(scope.assets[0].called_ae.is_some() && !scope.excluded.is_empty());
}

#[test]
fn a_summary_counts_what_would_be_looked_at() {
    let scope = read(RIGHT).unwrap_or_else(|faults| panic!("{faults}"));
    let summary = Summary::of(&scope);
    let shares: Vec<u128> = summary.assets.iter().map(|asset| asset.addresses).collect();
    assert_eq!(shares, [2 + 65_536 - 256 - 1, 1, 1]);
    assert_eq!(summary.addresses(), scope.targets().all.len());
    assert_eq!(summary.probes(), shares[0] * 2 + 11 + 11);
    assert_eq!(summary.deepest(), Depth::Canary);
    assert_eq!(summary.sweep(), Duration::from_secs(((65_281 * 2 + 22) / 500) as u64));
    assert_eq!(summary.listed_hosts(), Duration::from_secs(30));
    let text = summary.to_string();
    for line in [
        "holds       2026-11-01 00:00 UTC to 2026-12-01 00:00 UTC",
        "hours       mon tue wed thu fri 20:00 to 06:00 (UTC+01:00)",
        "asset       archive: Server, to depth 2, 65281 addresses at 2 ports, 1 names, 2 URLs, 1 file trees",
        "signed by   nobody",
    ] {
        assert!(text.contains(line), "{text}");
    }
}
