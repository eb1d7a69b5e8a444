//! The policy as a page: every role, every operation, every door.

use std::fmt::Write as _;

use super::{Door, Role};
use crate::Operation;

/// The text of `docs/policy-matrix.txt`. A cell lists the doors through which the role may
/// do the operation: `D` DIMSE, `L` the clear-text
/// listener of legacy peers, `W` DICOMweb, `A` administration over HTTPS, `H` the host's
/// own commands; `.` is no door.
pub fn text() -> String {
    let mut page = String::from(
        "# Who may do what, through which door. Generated from access::role; do not edit.\n\
         # D = DIMSE, L = legacy peers in clear text, W = DICOMweb, A = administration (HTTPS), H = host command, . = never\n\n",
    );
    let roles: Vec<Role> = Role::all().collect();
    let _ = write!(page, "{:<23}", "");
    for role in &roles {
        let _ = write!(page, "{:>15}", role.name());
    }
    page.push('\n');
    for &operation in Operation::ALL {
        let _ = write!(page, "{:<23}", operation.name());
        for role in &roles {
            let _ = write!(page, "{:>15}", doors(*role, operation));
        }
        page.push('\n');
    }
    page
}

fn doors(role: Role, operation: Operation) -> String {
    let open: String = Door::ALL
        .iter()
        .filter(|door| role.may(operation, **door))
        .map(|door| match door {
            Door::Dimse => 'D',
            Door::Legacy => 'L',
            Door::DicomWeb => 'W',
            Door::Admin => 'A',
            Door::Host => 'H',
        })
        .collect();
    if open.is_empty() { ".".into() } else { open }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_on_the_page() {
        let page = text();
        for operation in Operation::ALL {
            assert_eq!(page.lines().filter(|line| line.split(' ').next() == Some(operation.name())).count(), 1);
        }
    }

    /// `LEADGLASS_UPDATE=1 cargo test policy_matrix` writes the page anew.
    #[test]
    fn the_committed_page_is_the_policy() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policy-matrix.txt");
        if std::env::var_os("LEADGLASS_UPDATE").is_some() {
            std::fs::write(path, text()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), text(), "regenerate: LEADGLASS_UPDATE=1");
    }
}
