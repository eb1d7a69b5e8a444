//! Known versions against the dated rule base (V).
//!
//! No connection is made: the DIMSE family tells the toolkit, the web and product families the
//! product and the server under it, the network family the versions that back ends tell. A toolkit names no product, and distributions mend old versions, so what rests on
//! it is told with less confidence. Deliberately absent: guessing a version from behaviour.

pub mod rules;
pub mod toolkit;

pub use rules::{Rules, RulesError};
pub use toolkit::TOOLKITS;

use time::OffsetDateTime;

use crate::catalogue::Name;
use crate::catalogue::version::{V_01, V_02};
use crate::evidence::{Fact, Version};
use crate::finding::{Confidence, Facet, Outcome, State};
use crate::probe::Look;
use crate::probe::web::signature::Kind;

/// Software that was recognised on a port.
#[derive(Clone, Copy)]
struct Software {
    name: Name,
    version: Option<Version>,
    /// How sure a rule about it is at most.
    confidence: Confidence,
}

impl Software {
    /// A server or a database that something else is built on.
    fn behind(name: Name, version: Version) -> Software {
        Software { name, version: Some(version), confidence: Confidence::Toolkit }
    }
}

/// V-01 and V-02 for what was recognised on the port: a finding for each rule that fits, else
/// one state. Software that does not tell its version, or that has no rule, cannot be judged:
/// that is refused-before and not-applicable.
pub async fn audit(look: &mut Look<'_, '_>) {
    let known = &*look.known;
    let speaks = known.clear.is_some() || known.behind_tls.is_some() || known.tls.is_some();
    let product = known.product.map(|name| {
        let version = known.product_version;
        Software { name, version, confidence: Confidence::Confirmed }
    });
    let toolkit = known.toolkit.map(|name| {
        let version = known.toolkit_version;
        Software { name, version, confidence: Confidence::Toolkit }
    });
    let greetings = known.web.iter().flat_map(|facts| facts.greetings.values());
    let servers = greetings.flat_map(|greeting| &greeting.seen).filter(|seen| seen.kind == Kind::Server);
    let servers = servers.filter_map(|seen| Some(Software::behind(seen.name, seen.version?)));
    let back_ends = known.back_ends.iter().map(|(name, version)| Software::behind(*name, *version));
    let mut software: Vec<_> = product.into_iter().chain(toolkit).collect();
    for other in servers.chain(back_ends) {
        if !software.iter().any(|known| known.name == other.name) {
            software.push(other);
        }
    }
    if software.is_empty() && !speaks {
        return;
    }
    vulnerable(look, &software);
    out_of_support(look, &software);
}

fn vulnerable(look: &mut Look<'_, '_>, software: &[Software]) {
    let rules = look.line.run().rules.clone();
    let judged: Vec<_> = software.iter().copied().filter(|software| rules.knows(software.name.as_str())).collect();
    let mut found = Vec::<Outcome>::new();
    for (software, version) in judged.iter().filter_map(|software| Some((software, software.version?))) {
        for rule in rules.vulnerable(software.name.as_str(), version) {
            let confidence = if rule.disputed { Confidence::RangeDisputed } else { software.confidence };
            let mut outcome = Outcome::new(&V_01, State::Finding);
            outcome.facet(Facet::Rule(rule.id.clone())).severity(rule.severity()).confidence(confidence);
            outcome.with("rule", Fact::Rule(rule.id.clone())).with("software", Fact::Known(software.name));
            outcome.with("version", Fact::Version(version)).with("cvss-tenths", Fact::Count(rule.cvss_tenths.into()));
            if let Some(advisory) = &rule.advisory {
                outcome.with("advisory", Fact::Rule(advisory.clone()));
            }
            found.push(outcome);
        }
    }
    found.sort_by(|a, b| (&a.facet, b.confidence).cmp(&(&b.facet, a.confidence)));
    found.dedup_by(|later, first| later.facet == first.facet);
    if found.is_empty() {
        sum_up(look.notes.note(&V_01, state_of(&judged)), &judged);
    }
    for outcome in found {
        *look.notes.note(&V_01, State::Finding) = outcome;
    }
}

fn out_of_support(look: &mut Look<'_, '_>, software: &[Software]) {
    let rules = look.line.run().rules.clone();
    let judged: Vec<_> =
        software.iter().copied().filter(|software| rules.knows_support_of(software.name.as_str())).collect();
    let today = OffsetDateTime::from_unix_timestamp(look.line.run().now()).unwrap_or(OffsetDateTime::UNIX_EPOCH).date();
    let mut found = false;
    for (software, version) in judged.iter().filter_map(|software| Some((software, software.version?))) {
        for rule in rules.ended(software.name.as_str(), version).filter(|rule| rule.ended < today) {
            found = true;
            let days = i32::try_from((today - rule.ended).whole_days()).unwrap_or(i32::MAX);
            let outcome = look.notes.finding(&V_02).facet(Facet::Rule(rule.id.clone())).confidence(software.confidence);
            outcome.with("rule", Fact::Rule(rule.id.clone())).with("software", Fact::Known(software.name));
            outcome.with("version", Fact::Version(version)).with("ended-days-ago", Fact::Days(days));
        }
    }
    if !found {
        sum_up(look.notes.note(&V_02, state_of(&judged)), &judged);
    }
}

/// Of software that no rule fits.
fn state_of(judged: &[Software]) -> State {
    match judged {
        [] => State::NotApplicable,
        _ if judged.iter().all(|software| software.version.is_none()) => State::RefusedBefore,
        _ => State::Pass,
    }
}

fn sum_up(outcome: &mut Outcome, judged: &[Software]) {
    if let Some(software) = judged.first() {
        outcome.with("software", Fact::Known(software.name));
        if let Some(version) = software.version {
            outcome.with("version", Fact::Version(version));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Depth;
    use crate::finding::Severity;
    use crate::probe::{Known, Speech};
    use crate::testing;

    async fn judge(known: Known) -> Vec<Outcome> {
        let run = testing::run(testing::scope());
        let (_, outcomes) = testing::look(&run, 104, Depth::Canary, async |look| {
            *look.known = known;
            audit(look).await;
        })
        .await;
        outcomes
    }

    fn dicom(toolkit: &'static str, version: &str) -> Known {
        Known {
            clear: Some(Speech::Dicom),
            toolkit: Some(Name::fixed(toolkit)),
            toolkit_version: Version::parse(version),
            ..Known::default()
        }
    }

    #[tokio::test]
    async fn a_toolkit_is_found_with_less_confidence_than_a_product() {
        let mut known = dicom("dcmtk", "3.6.6");
        known.product = Some(Name::fixed("orthanc"));
        known.product_version = Version::parse("1.5.7");
        let outcomes = judge(known).await;
        let of = |id: &str| {
            let facet = Facet::Rule(crate::evidence::RuleId::parse(id).unwrap());
            outcomes.iter().find(|outcome| outcome.facet == facet).unwrap()
        };
        let product = of("CVE-2025-0896");
        assert_eq!((product.severity, product.confidence), (Severity::Critical, Confidence::Confirmed));
        let toolkit = of("CVE-2022-2119");
        assert_eq!((toolkit.severity, toolkit.confidence), (Severity::High, Confidence::Toolkit));
        assert_eq!(of("CVE-2022-2121").severity, Severity::Medium);
    }

    #[tokio::test]
    async fn a_disputed_range_says_so() {
        let outcomes = judge(dicom("pynetdicom", "3.0.4")).await;
        assert!(outcomes.iter().any(|o| o.is_finding() && o.confidence == Confidence::RangeDisputed));
    }

    #[tokio::test]
    async fn each_check_ends_in_one_state() {
        let states = |outcomes: Vec<Outcome>| {
            outcomes.iter().map(|outcome| (outcome.check.id, outcome.state)).collect::<Vec<_>>()
        };
        let unknown = Known { clear: Some(Speech::Dicom), ..Known::default() };
        assert_eq!(states(judge(unknown).await), [("V-01", State::NotApplicable), ("V-02", State::NotApplicable)]);
        let silent = states(judge(dicom("dcmtk", "")).await);
        assert_eq!(silent, [("V-01", State::RefusedBefore), ("V-02", State::NotApplicable)]);
        let mended = states(judge(dicom("dcmtk", "4.0.0")).await);
        assert_eq!(mended, [("V-01", State::Pass), ("V-02", State::NotApplicable)]);
        assert!(judge(Known::default()).await.is_empty());
        let tomcat = Known {
            clear: Some(Speech::Http),
            product: Some(Name::fixed("tomcat")),
            product_version: Version::parse("8.5.31"),
            ..Known::default()
        };
        let outcomes = judge(tomcat).await;
        assert!(outcomes.iter().any(|outcome| outcome.check.id == "V-02" && outcome.is_finding()));
    }
}
