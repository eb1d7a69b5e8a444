//! Who is in the estate: kinds, countries, counters, and what an audit must say of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::{DICOM, DICOM_TLS, ORTHANC, WEB, address};

/// How a system answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An open archive: DICOM serves anyone, its REST interface too.
    Orthanc,
    /// An open archive: DICOMweb serves anyone, a counter tells how many studies.
    Dcm4chee,
    /// The same with a viewer in clear text.
    Viewer,
    /// A web server that lists a folder of images.
    Listing,
    /// Rejects unknown callers, 1/1/3.
    CallingUnknown,
    /// Rejects a wrong called title, 1/1/7.
    CalledUnknown,
    /// Demands a client certificate.
    Certificate,
    /// Answers 401 to everything.
    Password,
    /// Nothing listens.
    Closed,
    /// Rejects for the moment, 2/3/1.
    Congested,
}

/// One system.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub address: Ipv4Addr,
    pub kind: Kind,
    pub country: &'static str,
    pub studies: u64,
}

/// How many of each kind; the first four are open, 590 together.
const KINDS: [(Kind, u16); 10] = [
    (Kind::Orthanc, 300),
    (Kind::Dcm4chee, 247),
    (Kind::Viewer, 39),
    (Kind::Listing, 4),
    (Kind::CallingUnknown, 500),
    (Kind::CalledUnknown, 400),
    (Kind::Certificate, 200),
    (Kind::Password, 400),
    (Kind::Closed, 150),
    (Kind::Congested, 60),
];
/// Open systems and their studies by country: the figures that were published, the rest spread.
const OPEN: [(&str, u16, u64); 10] = [
    ("US", 187, 13_700_000),
    ("TR", 36, 4_924_141),
    ("BR", 34, 1_300_000),
    ("IN", 30, 627_000),
    ("IT", 10, 102_893),
    ("FR", 8, 47_500),
    ("AU", 7, 50_000),
    ("DE", 5, 15_000),
    ("CH", 2, 1_571),
    ("ZZ", 271, 3_531_895),
];
/// 52 countries in all: the ten above, of which ZZ stands for none, and 43 more.
const OTHERS: [&str; 43] = [
    "ZA", "ES", "GB", "CA", "MX", "AR", "CL", "CO", "PE", "EC", "VE", "CR", "GT", "DO", "PT", "NL", "BE", "LU", "AT",
    "CZ", "SK", "PL", "HU", "RO", "BG", "GR", "RS", "HR", "UA", "RU", "GE", "KZ", "IR", "IQ", "SA", "AE", "EG", "MA",
    "PK", "TH", "ID", "PH", "KR",
];

impl Kind {
    /// Where it listens.
    pub fn ports(self) -> &'static [u16] {
        match self {
            Kind::Orthanc => &[DICOM, ORTHANC],
            Kind::Dcm4chee | Kind::Viewer | Kind::Listing | Kind::Password => &[WEB],
            Kind::CallingUnknown | Kind::CalledUnknown | Kind::Congested => &[DICOM],
            Kind::Certificate => &[DICOM_TLS],
            Kind::Closed => &[],
        }
    }

    fn is_open(self) -> bool {
        matches!(self, Kind::Orthanc | Kind::Dcm4chee | Kind::Viewer | Kind::Listing)
    }
}

/// All 2,300.
pub fn endpoints() -> Vec<Endpoint> {
    let kinds = KINDS.iter().flat_map(|(kind, count)| std::iter::repeat_n(*kind, usize::from(*count)));
    let mut open = open_systems().into_iter();
    let mut countries = OTHERS.iter().chain(OPEN[..9].iter().map(|(country, _, _)| country)).copied().cycle();
    let endpoint = |(number, kind): (usize, Kind)| {
        let (country, studies) = match kind.is_open() {
            true => open.next().unwrap_or(("US", 0)),
            false => (countries.next().unwrap_or("US"), 0),
        };
        Endpoint { address: address(number as u16), kind, country, studies }
    };
    kinds.enumerate().map(endpoint).collect()
}

/// Country and studies of the 590. The four listings, which have no counter, come last.
fn open_systems() -> Vec<(&'static str, u64)> {
    let mut systems = Vec::new();
    for (country, count, studies) in OPEN {
        let counters = if country == "ZZ" { count - 4 } else { count };
        let shares = split(studies, u64::from(counters));
        let named = |at: usize| if country == "ZZ" { OTHERS[at % OTHERS.len()] } else { country };
        systems.extend(shares.into_iter().enumerate().map(|(at, share)| (named(at), share)));
    }
    systems.extend([("ZA", 0), ("BR", 0), ("BR", 0), ("IN", 0)]);
    systems
}

/// A sum cut into parts, the first the largest, none lost.
fn split(sum: u64, parts: u64) -> Vec<u64> {
    let weights: u64 = (1..=parts).sum();
    let mut shares: Vec<u64> = (1..=parts).rev().map(|weight| sum * weight / weights).collect();
    let given: u64 = shares.iter().sum();
    shares[0] += sum - given;
    shares
}

/// The scope file that lists all of them.
pub fn scope_file(endpoints: &[Endpoint]) -> String {
    let mut text = String::from(
        "format = 1\nowner = \"Estate of the tests\"\nauthorised_by = \"The tests\"\nreference = \"ESTATE-1\"\n\
         valid_from = VALID_FROM\nvalid_until = VALID_UNTIL\nvantage = \"server-vlan\"\ncontacts = [\"soc@estate.example\"]\n\
         depth = 2\n\n[pace]\nspacing_ms = 0\nhosts_at_once = 200\nrate_per_second = 2000\n",
    );
    for (number, endpoint) in endpoints.iter().enumerate() {
        let Endpoint { address, country, .. } = endpoint;
        let _ = write!(
            text,
            "\n[[asset]]\nlabel = \"system-{number:04}\"\nclass = \"server\"\naddresses = [\"{address}\"]\n\
             ports = [{DICOM}, {DICOM_TLS}, {ORTHANC}, {WEB}]\ncountry = \"{country}\"\n",
        );
    }
    text
}

/// What an audit must say, as JSON.
pub fn manifest(endpoints: &[Endpoint]) -> String {
    let open = endpoints.iter().filter(|endpoint| endpoint.kind.is_open());
    let mut countries: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for endpoint in endpoints {
        let row = countries.entry(endpoint.country).or_default();
        row.0 += 1;
        row.1 += u64::from(endpoint.kind.is_open());
        row.2 += endpoint.studies;
    }
    let rows: BTreeMap<_, _> = countries
        .into_iter()
        .map(|(country, (checked, open, studies))| {
            (country, serde_json::json!({ "checked": checked, "open": open, "studies": studies }))
        })
        .collect();
    let kinds: BTreeMap<_, _> = KINDS.iter().map(|(kind, count)| (format!("{kind:?}"), *count)).collect();
    let manifest = serde_json::json!({
        "checked": endpoints.len(),
        "open": open.count(),
        "studies": endpoints.iter().map(|endpoint| endpoint.studies).sum::<u64>(),
        "kinds": kinds,
        "countries": rows,
    });
    format!("{manifest:#}\n")
}
