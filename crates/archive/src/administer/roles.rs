//! Roles that the administrators define beside ours: a name for a set of operations.

use std::collections::BTreeSet;

use crate::access::{Role, requests};
use crate::change::{Change, RoleFact};
use crate::{Archive, Caller, Operation, Refused};

use super::checked_name;

/// A role that the administrators defined.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DefinedRole {
    /// Its name.
    pub name: String,
    /// What its holders may do.
    pub operations: BTreeSet<Operation>,
}

impl Archive {
    /// Defines a role, or redefines it: whoever holds it may do what it says from now on. No
    /// operations withdraw it from all its holders.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a name that one of our roles has, or an operation that is not
    /// for people to hold, or by which rights are given: only our own roles hold those.
    pub async fn define_role(
        &self,
        caller: &Caller,
        name: &str,
        operations: BTreeSet<Operation>,
    ) -> Result<(), Refused> {
        let request = requests::DefineRole { name: name.to_owned(), operations };
        self.perform_change(caller, request, async |granted| {
            let name = checked_name(&granted.request().name)?;
            if Role::named(&name).is_some() {
                return Err(Refused::Invalid("a role of that name comes with the archive: choose another".into()));
            }
            let operations = granted.request().operations.clone();
            if let Some(operation) = operations.iter().find(|operation| !can_be_held(**operation)) {
                return Err(Refused::Invalid(format!("{} is nothing that a role can hold", operation.name())));
            }
            if operations.iter().any(|operation| operation.is_of_images())
                && let Some(operation) = operations.iter().find(|operation| operation.loosens())
            {
                let text = format!("whoever sees or shares images does not {} as well", operation.name());
                return Err(Refused::Invalid(text));
            }
            Ok((Some(Change::RoleDefined { role: RoleFact { name, operations } }), ()))
        })
        .await
    }

    /// The roles that the administrators defined, by name.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn roles(&self, caller: &Caller) -> Result<Vec<DefinedRole>, Refused> {
        self.perform(caller, requests::ListRoles, async |_| {
            let roles = self.inner.registry.roles().into_iter();
            Ok(roles.map(|role| DefinedRole { name: role.name, operations: role.operations }).collect())
        })
        .await
    }
}

fn can_be_held(operation: Operation) -> bool {
    Role::Administrator.holds(operation) && !operation.gives_rights()
}
