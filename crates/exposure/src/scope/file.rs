//! The scope file: TOML, read whole, all mistakes told at once.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use toml::de::DeTable;

use super::address::{WIDEST, Written};
use super::draft::{self, Draft};
use super::faults::{Faults, ScopeFaults, nearest};
use super::range::RangeSet;
use super::section::{At, Section};
use super::{CredentialOptIn, Pace, Scope, trusted, when};
use crate::catalogue::Depth;
use crate::signature::{self, Purpose};

/// The version of the file's form.
pub const FORMAT: u32 = 1;
/// Largest scope file that is read, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Connects a second above which a firewall's table of connections may fill up.
pub(super) const CEILING: u32 = 2_000;

/// What `depth_reason` is for.
const DEPTH_REASON: &str = "depth 3 counts records and depth 4 tries one or two log-ins; \
     say in one sentence why the owner wants that";

impl Scope {
    /// Reads a scope file, the certificates it names, and the signature beside it when there is
    /// one. Whether it holds at this hour is another question: [`Scope::holds_at`].
    pub fn read(path: &Path) -> Result<Scope, ScopeFaults> {
        let bytes = read_bounded(path)?;
        let mut scope = Scope::parse(&bytes, path.parent().unwrap_or(Path::new(".")))?;
        scope.signed_by = signature::verify_beside(Purpose::Scope, path, &bytes).map_err(|error| {
            ScopeFaults::of_file(error.to_string(), "sign it again with `leadglass exposure scope sign`")
        })?;
        Ok(scope)
    }

    /// Reads a scope from the bytes of a file; certificates are looked for from `folder`.
    pub fn parse(bytes: &[u8], folder: &Path) -> Result<Scope, ScopeFaults> {
        let text =
            std::str::from_utf8(bytes).map_err(|_| ScopeFaults::of_file("it is not UTF-8 text", "save it as UTF-8"))?;
        let faults = Faults::new(text);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let offset = error.span().map_or(0, |span| span.start);
            faults.at(offset, format!("not TOML: {}", error.message().replace('\n', ", ")), "mend the line");
        }
        // Half a file read would only bring mistakes that are none.
        let scope = if errors.is_empty() {
            let section = Section::new("", document.get_ref(), 0, &faults);
            from_file(section, folder, digest_of(bytes))
        } else {
            None
        };
        faults.into_result()?;
        scope.ok_or_else(|| ScopeFaults::of_file("it is not complete", "begin with `leadglass exposure scope new`"))
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, ScopeFaults> {
    let unreadable =
        |error: std::io::Error| ScopeFaults::of_file(format!("it cannot be read ({error})"), "check its path and mode");
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ScopeFaults::of_file("it is larger than 16 MiB", "write networks instead of single addresses"));
    }
    Ok(bytes)
}

fn digest_of(bytes: &[u8]) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sha256
}

/// Reads everything before it gives up, so that every mistake is told.
fn from_file(file: Section<'_>, folder: &Path, sha256: [u8; 32]) -> Option<Scope> {
    let format_mend = "write format = 1, or use the leadglass that wrote the file";
    // In another format the rest may mean something else.
    file.required_number("format", FORMAT..=FORMAT, format_mend)?;
    let owner = file.required("owner", "write whose systems these are");
    let authorised_by = file.required("authorised_by", "write who authorised the audit, name and office");
    let reference = file.required("reference", "write where the authorisation can be looked up: a ticket, a letter");
    let contacts = contacts(&file);
    let validity = when::validity(&file);
    let windows = file.tables("window", "[[window]]").into_iter().filter_map(when::window).collect();
    let vantage = draft::vantage(&file);
    let credentials = file.table("credentials", "[credentials]").and_then(credentials);
    let firewall_exempt = file.flag("firewall_exempt").unwrap_or(false);
    let pace = pace(file.table("pace", "[pace]"), firewall_exempt);
    let trusted_keys = trusted::read(&file, folder);
    let (excluded, excluded_paths) = excludes(&file);
    let depth = draft::depth(&file, "depth");
    let drafts: Vec<Draft> = file.tables("asset", "[[asset]]").into_iter().map(draft::asset).collect();
    let depth_reason = file.text("depth_reason", DEPTH_REASON).map(|reason| reason.value.to_owned());
    check_depths(&file, depth.as_ref(), &drafts, depth_reason.is_some(), credentials.as_ref());
    draft::check_together(&drafts, &excluded, &file);
    check_width(&drafts, &file);
    file.finish();
    Some(Scope {
        owner: owner?.value.to_owned(),
        authorised_by: authorised_by?.value.to_owned(),
        reference: reference?.value.to_owned(),
        validity: validity?,
        windows,
        vantage: vantage?,
        contacts,
        depth: depth.map_or(Depth::Canary, |depth| depth.value),
        depth_reason,
        firewall_exempt,
        credentials,
        pace,
        assets: drafts.into_iter().map(|draft| draft.asset).collect(),
        excluded,
        excluded_paths,
        trusted_keys,
        signed_by: None,
        sha256,
    })
}

fn contacts(file: &Section<'_>) -> Vec<String> {
    let mend = "write whom to call while the audit runs: a telephone number, a mail address";
    let contacts: Vec<String> = file.texts("contacts", mend).into_iter().map(|text| text.value.to_owned()).collect();
    if contacts.is_empty() && !file.has_blank("contacts") {
        file.faults.at(file.offset, "contacts are missing", mend);
    }
    contacts
}

fn credentials(section: Section<'_>) -> Option<CredentialOptIn> {
    let mend = "write after how many failures the targets lock an account, at least 2; 255 when they never do";
    let try_blank = section.flag("try_blank").unwrap_or(false);
    let try_default = section.flag("try_default").unwrap_or(false);
    let lockout = section.required_number("lockout", 2..=255, mend);
    section.finish();
    let lockout = u8::try_from(lockout?.value).ok()?;
    Some(CredentialOptIn { try_blank, try_default, lockout })
}

fn pace(section: Option<Section<'_>>, firewall_exempt: bool) -> Pace {
    let usual = Pace::default();
    let Some(section) = section else { return usual };
    let most = if firewall_exempt { 1_000_000 } else { CEILING };
    let rate_mend = "a firewall's table of connections fills up above 2000; \
         write firewall_exempt = true when the firewalls between let the audit pass without keeping state";
    let rate = section.number("rate_per_second", 1..=most, rate_mend);
    let spacing = section.number("spacing_ms", 0..=600_000, "write a pause in milliseconds, at most ten minutes");
    let hosts = section.number("hosts_at_once", 1..=10_000, "write how many hosts are looked at side by side");
    section.finish();
    Pace::new(
        rate.map_or(usual.rate_per_second, |rate| rate.value),
        spacing.map_or(usual.spacing, |spacing| std::time::Duration::from_millis(u64::from(spacing.value))),
        hosts.map_or(usual.hosts_at_once, |hosts| hosts.value as usize),
    )
}

fn excludes(file: &Section<'_>) -> (RangeSet, Vec<PathBuf>) {
    let (mut excluded, mut paths) = (Vec::new(), Vec::new());
    for section in file.tables("exclude", "[[exclude]]") {
        let mut given = false;
        for text in section.texts("addresses", "write addresses, or remove the line") {
            given = true;
            match Written::parse(text.value) {
                Ok(written) => excluded.push((written.low, written.high)),
                Err(mistake) => draft::fault_of_address(&section, &text, mistake),
            }
        }
        let listed = draft::paths(&section);
        if !given && listed.is_empty() && section.faults.is_empty() {
            let mend = "write addresses or paths that are never touched, or remove it";
            section.faults.at(section.offset, "an [[exclude]] excludes nothing", mend);
        }
        paths.extend(listed);
        section.required("reason", "write why, for whoever reads the report");
        section.finish();
    }
    (RangeSet::new(excluded), paths)
}

/// Counts and credential tries are there only for an owner who wrote that they are wanted.
fn check_depths(
    file: &Section<'_>,
    depth: Option<&At<Depth>>,
    drafts: &[Draft],
    explained: bool,
    credentials: Option<&CredentialOptIn>,
) {
    let wanted = credentials.is_some_and(|tries| tries.try_blank || tries.try_default);
    let of_assets = drafts.iter().filter_map(|draft| draft.depth.as_ref());
    let deepest = depth.into_iter().chain(of_assets).max_by_key(|depth| depth.value);
    let Some(deepest) = deepest.filter(|deepest| deepest.value >= Depth::Counts) else {
        if wanted {
            let mend = "write depth = 4 as well, or remove [credentials]";
            file.faults.at(file.offset, "log-ins are to be tried, and no depth is 4", mend);
        }
        return;
    };
    if !explained {
        file.faults.at(deepest.offset, "a depth of 3 or 4 without depth_reason", DEPTH_REASON);
    }
    if deepest.value == Depth::Credentials && !wanted {
        let mend = "write [credentials] with try_blank or try_default = true and lockout, or a depth of 3";
        file.faults.at(deepest.offset, "a depth of 4 without credential tries", mend);
    }
}

/// Networks side by side are one: a hundred /8 would be the internet all the same.
fn check_width(drafts: &[Draft], file: &Section<'_>) {
    let all = RangeSet::new(drafts.iter().flat_map(|draft| draft.asset.addresses.ranges()));
    let wide = all.ranges().any(|(low, high)| RangeSet::new([(low, high)]).len() > WIDEST);
    if wide && file.faults.is_empty() {
        let mend = "list the networks that you are authorised for, none wider than a /8";
        file.faults.at(file.offset, "networks side by side come to more than a /8", mend);
    }
}

/// The word of a fixed list that a text is.
pub(super) fn word<T: Copy>(section: &Section<'_>, key: &'static str, words: &[(&'static str, T)]) -> Option<At<T>> {
    let list = words.iter().map(|(word, _)| *word);
    let mend = format!("write one of {}", list.clone().collect::<Vec<_>>().join(", "));
    let text = section.text(key, &mend)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
        return Some(At { value: *value, offset: text.offset });
    }
    let mend = nearest(text.value, list).map_or(mend, |meant| format!("did you mean {meant:?}?"));
    section.faults.at(text.offset, format!("{} is no {key}", super::section::quoted(text.value)), mend);
    None
}
