//! Any bytes end in a value or an error, and what we write we read.

use super::common::*;
use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::negotiation::{
    AssociateRequest, ContextResult, ExtendedNegotiation, ProposedContext, RoleSelection, UserIdentityItem,
};
use leadglass_dimse::pdu::associate::*;
use leadglass_dimse::{Limits, acceptor};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

fn any_uid() -> impl Strategy<Value = Uid> {
    "[1-9][0-9]{0,8}(\\.[1-9][0-9]{0,8}){1,5}".prop_map(|text| uid(&text))
}

fn any_title() -> impl Strategy<Value = AeTitle> {
    "[A-Z][A-Z0-9_ ]{0,14}[A-Z]".prop_map(|text| AeTitle::parse(&text).unwrap())
}

prop_compose! {
    fn any_request()(
        called_ae in any_title(),
        calling_ae in any_title(),
        syntaxes in vec((any_uid(), vec(any_uid(), 1..5)), 1..128),
        max_pdu_bytes in any::<u32>(),
        implementation_class in option::of(any_uid()),
        implementation_version in option::of("[A-Z0-9]{1,16}"),
        roles in vec((any_uid(), any::<bool>(), any::<bool>()), 0..20),
        extended in vec((any_uid(), vec(any::<u8>(), 0..20)), 0..20),
        async_operations in option::of(any::<(u16, u16)>()),
        identity in option::of((any::<u8>(), any::<bool>(), vec(any::<u8>(), 0..50), vec(any::<u8>(), 0..50))),
    ) -> AssociateRequest {
        let context = |(at, (abstract_syntax, transfer_syntaxes))| {
            ProposedContext { id: at as u8 * 2 + 1, abstract_syntax, transfer_syntaxes }
        };
        AssociateRequest {
            called_ae, calling_ae, max_pdu_bytes, implementation_class, implementation_version, async_operations,
            contexts: syntaxes.into_iter().enumerate().map(context).collect(),
            roles: roles.into_iter().map(|(sop_class, scu, scp)| RoleSelection { sop_class, scu, scp }).collect(),
            extended: extended
                .into_iter()
                .map(|(sop_class, information)| ExtendedNegotiation { sop_class, information })
                .collect(),
            user_identity: identity.map(|(kind, response_requested, primary, secondary)| {
                UserIdentityItem { kind, response_requested, primary, secondary }
            }),
        }
    }
}

fn any_result() -> impl Strategy<Value = ContextResult> {
    prop_oneof![
        any_uid().prop_map(ContextResult::Accepted),
        Just(ContextResult::UserRejection),
        Just(ContextResult::ProviderRejection),
        Just(ContextResult::AbstractSyntaxNotSupported),
        Just(ContextResult::TransferSyntaxesNotSupported),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn requests_survive_the_wire(request in any_request()) {
        let bytes = encode_request(&request).unwrap();
        let back = decode_request(&bytes[6..]).unwrap();
        prop_assert_eq!(encode_request(&back).unwrap(), bytes);
        prop_assert_eq!(back.contexts, request.contexts);
        prop_assert_eq!(back.roles, request.roles);
        prop_assert_eq!(back.extended, request.extended);
        prop_assert_eq!(back.user_identity, request.user_identity);
        prop_assert_eq!(back.max_pdu_bytes, request.max_pdu_bytes);
        prop_assert_eq!((back.called_ae, back.calling_ae), (request.called_ae, request.calling_ae));
    }

    #[test]
    fn acceptances_survive_the_wire(
        request in any_request(),
        results in vec(any_result(), 1..128),
        response in option::of(vec(any::<u8>(), 0..50)),
    ) {
        let contexts = results.into_iter().enumerate().map(|(at, result)| (at as u8 * 2 + 1, result)).collect();
        let accept = AssociateAccept { contexts, user_identity_response: response, ..AssociateAccept::default() };
        let bytes = encode_accept(&request, &accept).unwrap();
        prop_assert_eq!(decode_accept(&bytes[6..]).unwrap(), accept);
    }

    #[test]
    fn a_changed_request_never_panics(request in any_request(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode_request(&request).unwrap().split_off(6);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode_request(&bytes);
        let _ = decode_accept(&bytes);
        let _ = decode_request(&bytes[..at]);
    }

    #[test]
    fn any_bytes_end_an_association_in_order(bytes in vec(any::<u8>(), 0..3000), kind in 0u8..9, whole in any::<bool>()) {
        let bytes = if whole { pdu(kind, &bytes) } else { bytes };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (mut peer, mut association) = acceptor_of_bytes(&Limits::default()).await;
            peer.write_all(&bytes).await.unwrap();
            drop(peer);
            while let Ok(Some(_)) = association.receive().await {}

            let (mut peer, stream) = tokio::io::duplex(1 << 16);
            peer.write_all(&bytes).await.unwrap();
            drop(peer);
            assert!(acceptor::receive(stream, &Limits::default()).await.is_err());
        });
    }
}
