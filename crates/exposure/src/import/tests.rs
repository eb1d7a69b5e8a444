//! Files of other engines: what of them is in scope, what is dropped and why; and files that
//! mean harm.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::{Dropped, Format, ImportError, Imported, Options, read};
use crate::scope::range::RangeSet;
use crate::scope::{Asset, Scope};
use crate::testing;
use proptest::prelude::*;

fn at(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// 10.20.0.0/16 without 10.20.9.0/24, some IPv6, loopback, and a public address that is not owned.
fn scope() -> Scope {
    let mut scope = testing::scope();
    let loopback = scope.assets.swap_remove(0);
    let asset = |ranges: &[(&str, &str)]| Asset {
        addresses: RangeSet::new(ranges.iter().map(|(low, high)| (at(low), at(high)))),
        ..loopback.clone()
    };
    let hospital = asset(&[("10.20.0.0", "10.20.255.255"), ("fd00:20::", "fd00:20::ff")]);
    let hospital = Asset { ports: vec![104, 11112], ..hospital };
    scope.assets = vec![hospital, asset(&[("8.8.4.4", "8.8.4.4")]), loopback];
    scope.excluded = RangeSet::new([(at("10.20.9.0"), at("10.20.9.255"))]);
    scope
}

fn import(file: &str) -> Result<Imported, ImportError> {
    import_as(file, Options::default())
}

fn import_as(file: &str, options: Options) -> Result<Imported, ImportError> {
    read(file.as_bytes(), &scope(), options)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/import")
}

/// Reads a fixture; checks what it is, what is kept, how many rows it has, and what is dropped:
/// out of scope, excluded, public, malformed, not open.
fn check(name: &str, format: Format, endpoints: &[&str], rows: u64, dropped: [u64; 5]) {
    let file = std::fs::File::open(folder().join(name)).unwrap();
    let imported = read(file, &scope(), Options::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let [out_of_scope, excluded, public, malformed, not_open] = dropped;
    let dropped = Dropped { out_of_scope, excluded, public, malformed, not_open };
    assert_eq!((imported.format, imported.rows, imported.dropped), (format, rows, dropped), "{name}");
    let endpoints: Vec<SocketAddr> = endpoints.iter().map(|text| text.parse().unwrap()).collect();
    let found: Vec<SocketAddr> = imported.endpoints.into_iter().map(SocketAddr::from).collect();
    assert_eq!(found, endpoints, "{name}");
}

#[test]
fn masscan_is_read_in_all_its_formats() {
    let endpoints = ["10.20.0.5:104", "10.20.0.5:11112", "10.20.0.6:4242"];
    for (name, format) in [
        ("masscan.json", Format::MasscanJson),
        ("masscan.ndjson", Format::MasscanNdjson),
        ("masscan.list", Format::MasscanList),
        ("masscan.xml", Format::MasscanXml),
    ] {
        check(name, format, &endpoints, 8, [1, 1, 1, 0, 1]);
    }
    let older = ["10.20.0.5:104", "10.20.0.6:4242"];
    check("masscan-older.json", Format::MasscanJson, &older, 4, [1, 0, 0, 0, 0]);
}

#[test]
fn nmap_zmap_and_zgrab2_are_read() {
    check("nmap.xml", Format::NmapXml, &["127.0.0.1:18080"], 6, [0, 0, 0, 0, 5]);
    check("nmap-ipv6.xml", Format::NmapXml, &[], 2, [1, 0, 0, 0, 1]);
    check("zmap.csv", Format::ZmapCsv, &["10.20.0.5:104", "10.20.0.7:104"], 4, [1, 0, 0, 0, 1]);
    check("zmap-saddr.csv", Format::ZmapCsv, &["10.20.0.5:104", "10.20.0.5:11112"], 3, [0, 1, 0, 1, 0]);
    let grabbed = ["10.20.0.5:8042", "10.20.0.6:104", "10.20.0.7:104", "10.20.0.7:11112"];
    check("zgrab2.jsonl", Format::Zgrab2, &grabbed, 6, [0, 1, 0, 1, 1]);
}

#[test]
fn exports_of_those_who_scan_the_internet_are_read() {
    check("shodan.jsonl", Format::Shodan, &["10.20.0.5:104", "[fd00:20::5]:11112"], 5, [0, 0, 1, 1, 1]);
    check("censys.json", Format::Censys, &["10.20.0.5:104"], 3, [1, 0, 0, 0, 1]);
    check("censys-platform.json", Format::Censys, &["10.20.0.5:104"], 3, [0, 1, 0, 0, 1]);
}

#[test]
fn lists_and_inventories_are_read() {
    let listed = [
        "10.20.0.5:104",
        "10.20.0.5:11112",
        "10.20.0.6:4242",
        "10.20.0.7:104",
        "10.20.0.7:11112",
        "[fd00:20::5]:11112",
        "[fd00:20::6]:104",
        "[fd00:20::6]:11112",
    ];
    check("list.txt", Format::List, &listed, 8, [0, 0, 1, 2, 0]);
    let kept = ["10.20.0.5:104", "10.20.0.6:104", "10.20.0.6:11112", "10.20.0.7:11112"];
    check("inventory.csv", Format::Csv, &kept, 4, [0, 0, 0, 1, 0]);
    check("inventory-semicolon.csv", Format::Csv, &["10.20.0.5:104"], 3, [0, 1, 0, 1, 0]);
}

#[test]
fn a_port_that_is_told_is_that_of_rows_without_one() {
    let options = Options { port: Some(4242), ..Options::default() };
    let imported = import_as("saddr\n10.20.0.5\n", options).unwrap();
    assert_eq!(imported.endpoints, [(at("10.20.0.5"), 4242)]);
    let row = r#"{"ip":"10.20.0.5","data":{"a":{"status":"success"},"b":{"status":"io-timeout","port":80}}}"#;
    let imported = import_as(row, options).unwrap();
    assert_eq!(imported.endpoints, [(at("10.20.0.5"), 80), (at("10.20.0.5"), 4242)]);
}

#[test]
fn rows_that_are_none_are_counted_and_read_past() {
    let rows = [
        ("[{\"ip\":\"10.20.0.5\",\"ports\":[]},{\"ip\":5},{\"ip\":\"x\",\"ports\":[]},{}]", 3),
        ("[{\"ip\":\"10.20.0.5\",\"ports\":[{\"port\":0,\"proto\":\"tcp\"}]}]", 1),
        ("#masscan\nopen tcp\nopen tcp x 10.20.0.5 1\nopen tcp 104 pacs 1\n", 3),
        (
            "<nmaprun><host><ports><port protocol=\"tcp\" portid=\"104\"><state state=\"open\"/></port></ports></host></nmaprun>",
            1,
        ),
        ("ip,port\n,\n10.20.0.5,-1\n10.20.0.5,65536\n", 3),
    ];
    for (file, malformed) in rows {
        let imported = import(file).unwrap();
        assert_eq!((imported.endpoints.len(), imported.dropped.malformed), (0, malformed), "{file}");
    }
}

#[test]
fn a_bomb_is_refused_where_it_lies() {
    let bomb = "<?xml version=\"1.0\"?>\n<!DOCTYPE a [\n<!ENTITY b \"c\">\n<!ENTITY d \"&b;&b;\">\n]>\n<nmaprun/>";
    assert!(matches!(import(bomb), Err(ImportError::Dtd { line: 5 })));
    let outside = "<!DOCTYPE nmaprun SYSTEM \"http://planted.example/x.dtd\"><nmaprun/>";
    assert!(matches!(import(outside), Err(ImportError::Dtd { line: 1 })));
    let deep = format!("<nmaprun>\n{}", "<host>".repeat(100));
    assert!(matches!(import(&deep), Err(ImportError::TooDeep { line: 2 })));
    let deep = format!("[\n{{\"ip\":{}", "[".repeat(200));
    let options = Options { format: Some(Format::MasscanJson), port: None };
    assert!(matches!(import_as(&deep, options), Err(ImportError::TooDeep { line: 2 })));
}

#[test]
fn what_stops_in_the_middle_or_goes_wrong_is_told_by_its_line() {
    let masscan = Options { format: Some(Format::MasscanJson), port: None };
    assert!(matches!(import_as("[\n{\"ip\": \"10.20", masscan), Err(ImportError::Cut { line: 2 })));
    assert!(matches!(import_as("[\n{},\nmore\n]", masscan), Err(ImportError::Broken { line: 3, .. })));
    assert!(matches!(import("<nmaprun>\n<host>\n"), Err(ImportError::Cut { line: 3 })));
    assert!(matches!(import("<nmaprun>\n<host>\n</port>\n"), Err(ImportError::Broken { line: 3, .. })));
    assert!(matches!(import("hello"), Err(ImportError::NotRecognised)));
    assert!(matches!(import(""), Err(ImportError::NotRecognised)));
    let list = Options { format: Some(Format::List), port: None };
    let bytes: &[u8] = b"10.20.0.5\n\xff\xfe\n";
    assert!(matches!(read(bytes, &scope(), list), Err(ImportError::Broken { line: 2, .. })));
}

/// A file that begins as told and never ends.
struct Endless {
    beginning: io::Cursor<Vec<u8>>,
    given: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.beginning.read(into)?;
        if read > 0 {
            return Ok(read);
        }
        into.fill(b'x');
        self.given += into.len();
        assert!(self.given < 64 << 20, "read on and on");
        Ok(into.len())
    }
}

#[test]
fn a_row_without_end_is_given_up() {
    let beginnings = [
        (Format::MasscanJson, "[\n{\"ip\":\"", 2),
        (Format::Shodan, "\n\n{\"ip_str\":\"", 3),
        (Format::MasscanList, "#masscan\nopen ", 2),
        (Format::List, "10.20.0.5\n", 2),
        (Format::Csv, "ip,port\n10.20.0.5,\"", 2),
        (Format::ZmapCsv, "saddr\n", 2),
        (Format::NmapXml, "<nmaprun>\n<host a=\"", 2),
        (Format::NmapXml, "<nmaprun>\n<host>", 2),
        (Format::NmapXml, "<nmaprun>\n<!--", 2),
    ];
    for (format, beginning, expected) in beginnings {
        let file = Endless { beginning: io::Cursor::new(beginning.as_bytes().to_vec()), given: 0 };
        let told = read(file, &scope(), Options { format: Some(format), port: None });
        let Err(ImportError::TooLong { line, .. }) = told else { panic!("{format}: {told:?}") };
        assert_eq!(line, expected, "{format}");
    }
}

#[test]
fn the_same_endpoint_many_times_over_is_one() {
    for row in [&b"open tcp 104 10.20.0.5 1795340000\n"[..], b"10.20.0.5:104\n", b"10.20.0.5,104,label\n"] {
        let imported = read(&row.repeat(20_000)[..], &scope(), Options::default()).unwrap();
        assert_eq!((imported.endpoints.len(), imported.rows), (1, 20_000));
    }
}

#[test]
fn no_message_holds_what_is_in_a_file() {
    for name in testing::PLANTED {
        for file in [format!("<nmaprun><{name}</x>"), format!("[{{}} {name}"), format!("{name}\n")] {
            for (_, format) in Format::NAMES {
                if let Err(error) = import_as(&file, Options { format: Some(format), port: None }) {
                    assert!(!format!("{error} {error:?}").contains(name), "{error:?}");
                }
            }
        }
    }
}

#[test]
fn a_format_is_its_name() {
    for (name, format) in Format::NAMES {
        assert_eq!(name.parse::<Format>().unwrap(), format);
        assert_eq!(format.to_string(), name);
    }
    let told = "masscan".parse::<Format>().unwrap_err().to_string();
    assert!(told.contains("masscan-json, masscan-ndjson"), "{told}");
}

proptest! {
    #[test]
    fn no_bytes_bring_a_reader_down_or_lead_out_of_the_scope(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        format in any::<prop::sample::Index>(),
        told in any::<bool>(),
    ) {
        let mut names: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        let mut file = std::fs::read(which.get(&names)).unwrap();
        let at = cut.index(file.len());
        let until = (at + bytes.len()).min(file.len());
        file.splice(at..until, bytes);
        let options = Options { format: told.then_some(format.get(&Format::NAMES).1), port: None };
        let scope = scope();
        if let Ok(imported) = read(&file[..], &scope, options) {
            for (address, port) in imported.endpoints {
                prop_assert!(scope.permits(address, testing::NOW).is_ok() && port > 0);
            }
            prop_assert!(imported.dropped.total() <= imported.rows);
        }
    }
}
