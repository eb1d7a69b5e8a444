//! N-01: a port that answers and that nobody expects.

use crate::catalogue::Name;
use crate::catalogue::network::N_01;
use crate::evidence::Fact;
use crate::finding::{Severity, State};
use crate::probe::Look;
use crate::scope::Vantage;

/// Notes whether the port, which is open, was to be. No connection is made.
pub(super) fn note(look: &mut Look<'_, '_>) {
    let vantage = look.line.run().scope.vantage;
    let expected = look.asset.expected_ports.contains(&look.port);
    let outcome = look.notes.note(&N_01, if expected { State::Pass } else { State::Finding });
    outcome.with("vantage", Fact::Known(name(vantage)));
    if !expected && vantage == Vantage::Internet {
        outcome.severity(Severity::High);
    }
}

/// A vantage, as reports say it.
pub(super) fn name(vantage: Vantage) -> Name {
    Name::fixed(match vantage {
        Vantage::Internet => "internet",
        Vantage::UserVlan => "user-vlan",
        Vantage::ServerVlan => "server-vlan",
        Vantage::ImagingVlan => "imaging-vlan",
        Vantage::Host => "host",
    })
}
