//! Who may associate and for what: the answer to an A-ASSOCIATE-RQ, PS3.8 §7.1, PS3.7 D.

use std::collections::HashMap;

use leadglass_archive::access::UserIdentity;
use leadglass_archive::operation::Operation;
use leadglass_archive::spool::Shown;
use leadglass_archive::{Caller, Credential, Door, Source};
use leadglass_dicom::Uid;
use leadglass_dicom::query::QueryOptions;
use leadglass_dimse::negotiation::{
    Acceptance, AssociateRequest, ContextResult, ExtendedNegotiation, ProposedContext, Rejection, RoleSelection,
    UserIdentityItem,
};

use super::sop_class::{Service, SopClasses, is_plain, is_storable};
use crate::host::Host;
use crate::tls::verify::fingerprint;

/// Most characters kept of the subject of a certificate.
const LONGEST_SUBJECT: usize = 256;

/// What the connection itself tells.
pub struct Connection {
    /// The verified client certificate, DER.
    pub certificate_der: Vec<u8>,
    /// The other end.
    pub address: std::net::IpAddr,
    /// Whether it is one connection too many.
    pub is_over_cap: bool,
}

/// A request that is admitted.
pub struct Admitted {
    /// Who calls.
    pub caller: Caller,
    /// The answer.
    pub acceptance: Acceptance,
    /// What was agreed for queries, by SOP class.
    pub options: HashMap<Uid, QueryOptions>,
    /// What was shown, when the caller is nobody we know: its objects wait for approval.
    pub shown: Option<Shown>,
}

/// Decides on a request. The reasons of a refusal are in the trail, not in the answer.
pub async fn admit(
    host: &Host,
    classes: &SopClasses,
    connection: Connection,
    request: &AssociateRequest,
) -> Result<Admitted, Rejection> {
    if connection.is_over_cap {
        return Err(Rejection::LocalLimitExceeded);
    }
    if !host.archive.is_set_up() {
        return Err(Rejection::NoReasonGiven);
    }
    let source = Source { address: Some(connection.address), door: Door::Dimse };
    let shown = shown(&connection);
    let credential = Credential::Peer {
        certificate_der: connection.certificate_der,
        calling_ae: request.calling_ae.clone(),
        user_identity: request.user_identity.as_ref().map(user_identity),
    };
    let caller = host.archive.authenticate(source.clone(), credential).await.map_err(|rejected| {
        tracing::info!(reason = rejected.reason, "association rejected");
        if rejected.calling_ae_unknown { Rejection::CallingAeNotRecognized } else { Rejection::NoReasonGiven }
    })?;
    // Asked after who it is: to a stranger every title is as good, or one could find ours by trying.
    if request.called_ae != host.ae_title {
        host.archive.turn_away(&source, "another archive's title was called");
        return Err(Rejection::CalledAeNotRecognized);
    }
    let negotiation = Negotiation { classes, caller: &caller, request };
    let (acceptance, options) = (negotiation.acceptance(), negotiation.options());
    let shown = caller.may(Operation::Hold).then_some(shown);
    if shown.is_some() && host.shield.is_some() {
        // Nothing waits here for another archive.
        return Err(Rejection::CallingAeNotRecognized);
    }
    Ok(Admitted { caller, acceptance, options, shown })
}

/// The certificate, as a person who decides reads of it.
fn shown(connection: &Connection) -> Shown {
    let parsed = x509_parser::parse_x509_certificate(&connection.certificate_der).ok().map(|(_, parsed)| parsed);
    let subject = parsed.as_ref().map(|parsed| parsed.subject().to_string()).unwrap_or_default();
    Shown {
        certificate_sha256: hex::encode(fingerprint(&connection.certificate_der)),
        subject: subject.chars().filter(|c| !c.is_control()).take(LONGEST_SUBJECT).collect(),
        expires_s: parsed.map(|parsed| parsed.validity().not_after.timestamp()),
        ..Shown::default()
    }
}

/// What that caller is told of its request: what it may do is accepted.
pub(crate) fn acceptance(classes: &SopClasses, caller: &Caller, request: &AssociateRequest) -> Acceptance {
    Negotiation { classes, caller, request }.acceptance()
}

fn user_identity(item: &UserIdentityItem) -> UserIdentity {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match item.kind {
        1 => UserIdentity::Username(text(&item.primary)),
        2 => UserIdentity::UsernamePasscode(text(&item.primary), text(&item.secondary)),
        3 => UserIdentity::Kerberos,
        4 => UserIdentity::Saml(item.primary.clone()),
        5 => UserIdentity::Jwt(item.primary.clone()),
        kind => UserIdentity::Unsupported(kind),
    }
}

/// A caller's request, item by item.
struct Negotiation<'a> {
    classes: &'a SopClasses,
    caller: &'a Caller,
    request: &'a AssociateRequest,
}

impl Negotiation<'_> {
    fn acceptance(&self) -> Acceptance {
        let asks_response = self.request.user_identity.as_ref().is_some_and(|item| item.response_requested);
        Acceptance {
            contexts: self.request.contexts.iter().map(|context| self.context(context)).collect(),
            roles: self.request.roles.iter().filter_map(|role| self.role(role)).collect(),
            extended: self.request.extended.iter().filter_map(|item| self.extended(item)).collect(),
            user_identity_response: asks_response.then(Vec::new),
        }
    }

    /// A context is accepted for what the caller may do, in the first of its transfer
    /// syntaxes we take: so an object travels as its sender keeps it.
    fn context(&self, context: &ProposedContext) -> ContextResult {
        let Some(service) = self.classes.service(&context.abstract_syntax) else {
            return ContextResult::AbstractSyntaxNotSupported;
        };
        if !self.may_use(service, &context.abstract_syntax) {
            return ContextResult::UserRejection;
        }
        let takes = if service == Service::Storage { is_storable } else { is_plain };
        match context.transfer_syntaxes.iter().find(|syntax| takes(syntax)) {
            Some(syntax) => ContextResult::Accepted(syntax.clone()),
            None => ContextResult::TransferSyntaxesNotSupported,
        }
    }

    fn may_use(&self, service: Service, sop_class: &Uid) -> bool {
        let receives = || {
            let proposed = self.request.roles.iter().any(|role| role.sop_class == *sop_class && role.scp);
            proposed && self.caller.may(Operation::Retrieve)
        };
        match service.operation() {
            None => true,
            Some(operation) => {
                let waits = service == Service::Storage && self.caller.may(Operation::Hold);
                self.caller.may(operation) || waits || service == Service::Storage && receives()
            }
        }
    }

    /// The requestor may be SCP of Storage, to receive by C-GET; elsewhere it is SCU alone.
    fn role(&self, role: &RoleSelection) -> Option<RoleSelection> {
        let service = self.classes.service(&role.sop_class)?;
        let waits = service == Service::Storage && self.caller.may(Operation::Hold);
        let as_scu = waits || service.operation().is_none_or(|operation| self.caller.may(operation));
        let as_scp = service == Service::Storage && self.caller.may(Operation::Retrieve);
        let sop_class = role.sop_class.clone();
        Some(RoleSelection { sop_class, scu: role.scu && as_scu, scp: role.scp && as_scp })
    }

    fn extended(&self, item: &ExtendedNegotiation) -> Option<ExtendedNegotiation> {
        let information = match self.classes.service(&item.sop_class)? {
            Service::Find(_) => agreed(item).to_extended().to_vec(),
            // PS3.4 C.5.2.1.1: relational retrieval, and no view other than the classic one.
            Service::Move(_) | Service::Get(_) => vec![u8::from(item.information.first() == Some(&1)), 0],
            // PS3.4 B.3.1: level 2 (full), bit-preserving signatures (level 3), no coercion.
            Service::Storage => vec![2, 0, 3, 0, 0, 0],
            Service::Verification | Service::Commitment => return None,
        };
        let length = item.information.len().min(information.len());
        Some(ExtendedNegotiation { sop_class: item.sop_class.clone(), information: information[..length].to_vec() })
    }

    fn options(&self) -> HashMap<Uid, QueryOptions> {
        let of_queries = self.request.extended.iter().filter(|item| {
            let service = self.classes.service(&item.sop_class);
            matches!(service, Some(Service::Find(_) | Service::Move(_) | Service::Get(_)))
        });
        of_queries.map(|item| (item.sop_class.clone(), agreed(item))).collect()
    }
}

fn agreed(item: &ExtendedNegotiation) -> QueryOptions {
    QueryOptions::from_extended(&item.information).and(QueryOptions::SUPPORTED)
}
