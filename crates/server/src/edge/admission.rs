//! Who may associate with the edge and for what: the answer to an A-ASSOCIATE-RQ.
//!
//! A modality is an exact address, calling and called AE title. None of them proves anything
//! (a title is typed in, an address is taken by whoever has the wire): they tell modalities
//! apart on a wire that is theirs alone.

use std::net::IpAddr;

use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::negotiation::{AssociateRequest, ContextResult, ProposedContext, Rejection, RoleSelection};

use super::config::{EdgeConfigError, EdgeVerb, Modality};
use crate::scp::{Service, SopClasses, is_plain, is_storable};

/// Modality Worklist Information Model – FIND, PS3.4 K.
pub(super) const MODALITY_WORKLIST_FIND: &str = "1.2.840.10008.5.1.4.31";

/// The configured modalities.
pub(super) struct Modalities(Vec<Known>);

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) ae: AeTitle,
    address: IpAddr,
    called: AeTitle,
    verbs: Vec<EdgeVerb>,
}

impl Modalities {
    pub(super) fn of(modalities: &[Modality]) -> Result<Modalities, EdgeConfigError> {
        let title = |text: &str| {
            AeTitle::parse(text)
                .map_err(|error| EdgeConfigError::Value { key: "modality".into(), reason: error.to_string() })
        };
        let known = modalities.iter().map(|modality| {
            Ok(Known {
                ae: title(&modality.ae_title)?,
                address: modality.address.to_canonical(),
                called: title(&modality.called)?,
                verbs: modality.verbs.clone(),
            })
        });
        known.collect::<Result<_, _>>().map(Modalities)
    }

    /// The titles under which something may be sent on.
    pub(super) fn titles(&self) -> impl Iterator<Item = &AeTitle> {
        self.0.iter().map(|known| &known.ae)
    }

    /// The modality that asks, or what it is told: the same as an archive tells.
    pub(super) fn admit(&self, address: IpAddr, request: &AssociateRequest) -> Result<&Known, Rejection> {
        let address = address.to_canonical();
        let mut of_it = self.0.iter().filter(|known| known.address == address && known.ae == request.calling_ae);
        let known = of_it.next().ok_or(Rejection::CallingAeNotRecognized)?;
        if known.called != request.called_ae {
            return Err(Rejection::CalledAeNotRecognized);
        }
        if request.user_identity.as_ref().is_some_and(|identity| identity.kind != 1) {
            // Over clear text a passcode or an assertion is given away, never taken (PS3.15 B.5, B.7).
            return Err(Rejection::NoReasonGiven);
        }
        Ok(known)
    }
}

impl Known {
    pub(super) fn may(&self, verb: EdgeVerb) -> bool {
        self.verbs.contains(&verb)
    }

    /// Answers a context that the edge itself serves: Verification and, into the spool,
    /// Storage. `None` when it is to be passed through.
    pub(super) fn own(&self, classes: &SopClasses, context: &ProposedContext) -> Option<ContextResult> {
        let (takes, refusal): (fn(&Uid) -> bool, _) = match classes.service(&context.abstract_syntax) {
            Some(Service::Verification) => (is_plain, None),
            Some(Service::Storage) => {
                (is_storable, (!self.may(EdgeVerb::Store)).then_some(ContextResult::UserRejection))
            }
            _ => return None,
        };
        Some(refusal.unwrap_or_else(|| match context.transfer_syntaxes.iter().find(|syntax| takes(syntax)) {
            Some(syntax) => ContextResult::Accepted(syntax.clone()),
            None => ContextResult::TransferSyntaxesNotSupported,
        }))
    }

    /// What a request asks of the archive behind: the queries and retrievals that the
    /// modality may do, and the storage classes in which retrieved objects come back.
    pub(super) fn passed(&self, classes: &SopClasses, request: &AssociateRequest) -> Passed {
        let is_query = |context: &ProposedContext| {
            let plain = context.transfer_syntaxes.iter().any(is_plain);
            plain && self.may_pass(classes, &context.abstract_syntax)
        };
        let receives = |uid: &Uid| request.roles.iter().any(|role| role.sop_class == *uid && role.scp);
        let gets = |context: &&ProposedContext| {
            self.may(EdgeVerb::Retrieve)
                && classes.service(&context.abstract_syntax) == Some(Service::Storage)
                && receives(&context.abstract_syntax)
        };
        let queries: Vec<ProposedContext> =
            request.contexts.iter().filter(|context| is_query(context)).cloned().collect();
        if queries.is_empty() {
            return Passed::default();
        }
        let storage = request.contexts.iter().filter(gets).map(|context| ProposedContext {
            transfer_syntaxes: context.transfer_syntaxes.iter().filter(|uid| is_storable(uid)).cloned().collect(),
            ..context.clone()
        });
        let contexts: Vec<ProposedContext> =
            queries.into_iter().chain(storage).filter(|context| !context.transfer_syntaxes.is_empty()).collect();
        let of_ours = |uid: &Uid| contexts.iter().any(|context| context.abstract_syntax == *uid);
        let roles = request.roles.iter().filter(|role| role.scp && of_ours(&role.sop_class));
        let roles =
            roles.map(|role| RoleSelection { sop_class: role.sop_class.clone(), scu: false, scp: true }).collect();
        let extended = request.extended.iter().filter(|item| of_ours(&item.sop_class)).cloned().collect();
        Passed { contexts, roles, extended }
    }

    fn may_pass(&self, classes: &SopClasses, sop_class: &Uid) -> bool {
        match classes.service(sop_class) {
            Some(Service::Find(_)) => self.may(EdgeVerb::Find),
            Some(Service::Get(_)) => self.may(EdgeVerb::Retrieve),
            None => sop_class.as_str() == MODALITY_WORKLIST_FIND && self.may(EdgeVerb::Find),
            _ => false,
        }
    }
}

/// What is asked of the archive behind, under the ids the modality gave.
#[derive(Default)]
pub(super) struct Passed {
    pub(super) contexts: Vec<ProposedContext>,
    pub(super) roles: Vec<RoleSelection>,
    pub(super) extended: Vec<leadglass_dimse::negotiation::ExtendedNegotiation>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use leadglass_dimse::negotiation::UserIdentityItem;

    fn modalities() -> Modalities {
        Modalities::of(&[Modality {
            ae_title: "CT1".into(),
            address: IpAddr::from([10, 0, 0, 7]),
            called: "ARCHIVE".into(),
            verbs: vec![EdgeVerb::Store],
        }])
        .unwrap()
    }

    fn request(calling: &str, called: &str) -> AssociateRequest {
        AssociateRequest::new(AeTitle::parse(calling).unwrap(), AeTitle::parse(called).unwrap())
    }

    #[test]
    fn address_and_both_titles_have_to_be_the_configured_ones() {
        let (modalities, here) = (modalities(), IpAddr::from([10, 0, 0, 7]));
        let told = |address, calling, called| modalities.admit(address, &request(calling, called)).err();
        assert_eq!(told(here, "CT1", "ARCHIVE"), None);
        assert_eq!(told("::ffff:10.0.0.7".parse().unwrap(), "CT1", "ARCHIVE"), None);
        assert_eq!(told(IpAddr::from([10, 0, 0, 8]), "CT1", "ARCHIVE"), Some(Rejection::CallingAeNotRecognized));
        assert_eq!(told(here, "CT2", "ARCHIVE"), Some(Rejection::CallingAeNotRecognized));
        assert_eq!(told(here, "ct1", "ARCHIVE"), Some(Rejection::CallingAeNotRecognized));
        assert_eq!(told(here, "CT1", "OTHER"), Some(Rejection::CalledAeNotRecognized));
        let item =
            |kind| Some(UserIdentityItem { kind, response_requested: false, primary: vec![], secondary: vec![] });
        for kind in 2..=6 {
            let with = AssociateRequest { user_identity: item(kind), ..request("CT1", "ARCHIVE") };
            assert_eq!(modalities.admit(here, &with).err(), Some(Rejection::NoReasonGiven), "{kind}");
        }
    }

    #[test]
    fn only_what_is_granted_is_passed_through() {
        let modalities = modalities();
        let mut asked = request("CT1", "ARCHIVE");
        let implicit = [Uid::parse("1.2.840.10008.1.2").unwrap()];
        for class in ["1.2.840.10008.5.1.4.1.2.2.1", MODALITY_WORKLIST_FIND, "1.2.840.10008.5.1.4.1.2.2.3"] {
            asked.propose(&Uid::parse(class).unwrap(), &implicit);
        }
        let known = modalities.0[0].clone();
        let classes = SopClasses::default();
        assert!(known.passed(&classes, &asked).contexts.is_empty());
        let finder = Known { verbs: vec![EdgeVerb::Find], ..known };
        let passed = finder.passed(&classes, &asked);
        assert_eq!(passed.contexts.iter().map(|context| context.id).collect::<Vec<_>>(), [1, 3]);
    }
}
