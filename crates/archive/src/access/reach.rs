//! How far a grant reaches: scopes of several rights, of everything that was proven.
//!
//! A person may hold several rights: what one of them admits is admitted. A caller who proved
//! two things (a peer, and a user on it) reaches what both reach.

use std::sync::Arc;

use leadglass_dicom::{DataSet, Tag};

use super::{Marks, Scope};

/// Scopes: of each side one at least must admit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    sides: Vec<Vec<Arc<Scope>>>,
    /// Whether restrictions keep anybody out: they do not when there are none, and they do
    /// not when something is brought in.
    guarded: bool,
}

impl Reach {
    /// What is in one scope at least of each side; no side reaches nothing.
    pub(crate) fn of(sides: Vec<Vec<Arc<Scope>>>, guarded: bool) -> Reach {
        Reach { sides, guarded }
    }

    /// What is in that scope, as long as nothing is restricted.
    pub fn within(scope: Scope) -> Reach {
        Reach { sides: vec![vec![Arc::new(scope)]], guarded: false }
    }

    /// What is within both.
    pub(crate) fn and(mut self, other: &Reach) -> Reach {
        self.sides.extend(other.sides.iter().cloned());
        self.guarded |= other.guarded;
        self
    }

    /// What is within, and within that scope too: of whom it goes to.
    pub(crate) fn to(mut self, scope: Arc<Scope>) -> Reach {
        self.sides.push(vec![scope]);
        self
    }

    /// All there is, for views of the log that are made for nobody.
    pub(crate) fn unlimited() -> Reach {
        Reach::within(Scope::unlimited())
    }

    /// Whether nothing is out of reach.
    pub fn is_everything(&self) -> bool {
        let unlimited = |scope: &Arc<Scope>| {
            scope.everything && (!self.guarded || scope.cleared.len() == Scope::unlimited().cleared.len())
        };
        !self.sides.is_empty() && self.sides.iter().all(|side| side.iter().any(unlimited))
    }

    /// Whether each scope of that reach is here, too, side by side. Says nothing of restrictions:
    /// they are marks of studies.
    pub(crate) fn covers(&self, other: &Reach) -> bool {
        let here = |(side, other): (&Vec<Arc<Scope>>, &Vec<Arc<Scope>>)| other.iter().all(|scope| side.contains(scope));
        self.sides.len() == other.sides.len() && self.sides.iter().zip(&other.sides).all(here)
    }

    /// Whether an instance with that header and those marks is within.
    pub fn admits(&self, header: &DataSet, marks: &Marks) -> bool {
        let unguarded = Marks { labels: marks.labels.clone(), ..Marks::default() };
        let marks = if self.guarded { marks } else { &unguarded };
        !self.sides.is_empty() && self.sides.iter().all(|side| side.iter().any(|scope| scope.admits(header, marks)))
    }

    /// Whether an instance is out of reach by what is known of it so far. `false` says
    /// nothing: [`Reach::admits`] of the whole header decides.
    pub fn excludes<'a>(&self, known: impl Fn(Tag) -> Option<&'a str> + Copy) -> bool {
        self.sides.is_empty() || self.sides.iter().any(|side| side.iter().all(|scope| scope.excludes(known)))
    }

    /// The sides, for the index.
    pub(crate) fn sides(&self) -> &[Vec<Arc<Scope>>] {
        &self.sides
    }

    /// Whether restrictions keep anybody out.
    pub(crate) fn is_guarded(&self) -> bool {
        self.guarded
    }

    /// The studies that hold all that is within, when the scopes name them.
    pub(crate) fn studies(&self) -> Option<Vec<&str>> {
        let named = |scope: &Arc<Scope>| !scope.everything && !scope.studies.is_empty();
        let side = self.sides.iter().find(|side| side.iter().all(named))?;
        Some(side.iter().flat_map(|scope| scope.studies.iter().map(String::as_str)).collect())
    }
}

impl From<Scope> for Reach {
    fn from(scope: Scope) -> Reach {
        Reach::within(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Restriction;
    use leadglass_dicom::VR;
    use proptest::prelude::*;

    const MODALITY: Tag = Tag(0x0008, 0x0060);
    const PATIENT_ID: Tag = Tag(0x0010, 0x0020);

    fn list(values: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec(proptest::sample::select(values).prop_map(str::to_owned), 0..3)
    }

    fn scope() -> impl Strategy<Value = Scope> {
        (proptest::bool::weighted(0.2), list(&["CT", "MR"]), list(&["1", "2"]), list(&["a", "b"]), any::<bool>())
            .prop_map(|(everything, modalities, patient_ids, labels, vip)| Scope {
                everything,
                modalities,
                patient_ids,
                labels,
                cleared: if vip { vec![Restriction::Vip] } else { Vec::new() },
                ..Scope::default()
            })
    }

    fn side() -> impl Strategy<Value = Vec<Scope>> {
        proptest::collection::vec(scope(), 0..3)
    }

    proptest! {
        #[test]
        fn within_is_what_some_scope_of_every_side_admits(
            sides in proptest::collection::vec(side(), 0..3),
            values in [0..3usize, 0..3],
            label in 0..3usize,
            vip in any::<bool>(),
            guarded in any::<bool>(),
        ) {
            let mut header = DataSet::new();
            for ((tag, all), value) in [(MODALITY, ["CT", "MR"]), (PATIENT_ID, ["1", "2"])].iter().zip(values) {
                if let Some(value) = all.get(value) {
                    header.put_text(*tag, VR::LO, *value);
                }
            }
            let labels = ["a", "b"].get(label).map(|label| (*label).to_owned()).into_iter().collect();
            let restrictions = if vip { [Restriction::Vip].into() } else { Default::default() };
            let marks = Marks { labels, restrictions, canary: false };
            let seen = if guarded { marks.clone() } else { Marks { restrictions: Default::default(), ..marks.clone() } };
            let expected = !sides.is_empty() && sides.iter().all(|side| side.iter().any(|one| one.admits(&header, &seen)));
            let shared = sides.iter().map(|side| side.iter().cloned().map(Arc::new).collect()).collect();
            let reach = Reach::of(shared, guarded);
            prop_assert_eq!(reach.admits(&header, &marks), expected);
            prop_assert!(!(expected && reach.excludes(|tag| header.text(tag))));
            prop_assert!(!reach.is_everything() || expected);
        }
    }
}
