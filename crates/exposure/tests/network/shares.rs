//! NFS and SMB: exports and shares, open, closed and lying.

use super::*;

fn rpc(id: u32, accepted: u32, results: &[u8]) -> Act {
    let words = [id, 1, 0, 0, 0, accepted].map(u32::to_be_bytes).concat();
    let length = 1 << 31 | (words.len() + results.len()) as u32;
    Say([&length.to_be_bytes()[..], &words, results].concat())
}

fn exports(client: &str) -> Vec<u8> {
    let text = |text: &str| {
        let mut xdr = [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat();
        xdr.resize(xdr.len().next_multiple_of(4), 0);
        xdr
    };
    let (yes, no) = (1u32.to_be_bytes(), 0u32.to_be_bytes());
    [&yes[..], &text("/PLANTED^JANE"), &yes, &text(client), &no, &no].concat()
}

#[tokio::test]
async fn nfs_exports_to_everyone_and_to_some() {
    for (client, state) in [("*", State::Finding), ("PLANTED^JANE.clinic", State::Pass), ("10.0.0.0/8", State::Pass)] {
        let outcomes = audited(vec![Hear, rpc(1, 0, &exports(client))], Service::Nfs).await;
        assert_eq!(only(&outcomes).state, state, "{client}");
        assert_eq!(only(&outcomes).evidence.count("exports"), 1);
    }
}

#[tokio::test]
async fn nfs_alone_does_not_lead_to_a_port_mapper_that_the_owner_did_not_give() {
    let nfs = vec![Hear, rpc(1, 1, &[]), Hear, rpc(2, 1, &[]), Hear, rpc(3, 0, &[])];
    assert_eq!(only(&audited(nfs.clone(), Service::Nfs).await).state, State::RefusedBefore);
    let mut given = scope();
    given.assets[0].ports = vec![111];
    let (_, outcomes) = audited_in(given, respond(nfs).await, Service::Nfs, Depth::Canary).await;
    assert_eq!(only(&outcomes).state, State::NotApplicable);
}

#[tokio::test]
async fn nfs_exports_that_cannot_be_read_to_their_end_are_an_error() {
    let mut cut = exports("*");
    cut.truncate(cut.len() - 8);
    let many: Vec<u8> = [&1u32.to_be_bytes()[..], &4u32.to_be_bytes(), b"/abc", &0u32.to_be_bytes()].concat();
    let many = [many.repeat(6_000), vec![0; 4]].concat();
    let odd = [1u32.to_be_bytes(), 2_000u32.to_be_bytes()].concat();
    for (results, is_whole) in [(cut, true), (odd, true), (many, false)] {
        let port = respond(vec![Hear, rpc(1, 0, &results)]).await;
        let (known, outcomes) = audited_in(scope(), port, Service::Nfs, Depth::Canary).await;
        assert_eq!(only(&outcomes).state, State::Error);
        // It is the mount service all the same; an answer that is too long is not read so far.
        assert_eq!(known.clear.is_some(), is_whole);
    }
}

#[tokio::test]
async fn nfs_through_the_port_mapper() {
    let mount = respond(vec![Hear, rpc(1, 0, &exports("0.0.0.0/0"))]).await;
    let mapper = vec![Hear, rpc(1, 1, &[]), Hear, rpc(2, 0, &u32::from(mount).to_be_bytes())];
    // A port that the owner did not give is not gone to.
    assert_eq!(only(&audited(mapper.clone(), Service::Nfs).await).state, State::RefusedBefore);
    let mut given = scope();
    given.assets[0].ports = vec![mount];
    let (_, outcomes) = audited_in(given, respond(mapper).await, Service::Nfs, Depth::Canary).await;
    assert_eq!(only(&outcomes).state, State::Finding);
    let nothing_mounted = vec![Hear, rpc(1, 1, &[]), Hear, rpc(2, 0, &[0; 4])];
    assert_eq!(only(&audited(nothing_mounted, Service::Nfs).await).state, State::NotApplicable);
}

fn smb(bytes: Vec<u8>) -> Act {
    Say([&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat())
}

pub fn smb2(command: u16, status: u32, session: u64, body: &[u8]) -> Act {
    let mut bytes = b"\xfeSMB\x40\0\0\0".to_vec();
    bytes.extend(status.to_le_bytes());
    bytes.extend(command.to_le_bytes());
    bytes.resize(40, 0);
    bytes.extend(session.to_le_bytes());
    bytes.resize(64, 0);
    bytes.extend(body);
    smb(bytes)
}

pub fn smb2_negotiated(mode: u8) -> Act {
    let mut body = vec![65, 0, mode, 0, 0x02, 0x03, 0, 0];
    body.extend(b"Planted Clinic..");
    body.resize(64, 0);
    smb2(0, 0, 0, &body)
}

pub fn ntlm_challenge() -> Act {
    let mut token = b"NTLMSSP\0\x02\0\0\0".to_vec();
    token.resize(40, 7);
    token.extend([12, 0, 12, 0, 48, 0, 0, 0]);
    token.extend(b"PLANTED^JANE");
    let body = [&[9, 0, 0, 0, 72, 0, token.len() as u8, 0][..], &token].concat();
    smb2(1, 0xc000_0016, 4711, &body)
}

#[tokio::test]
async fn smb_old_and_unsigned() {
    let mut smb1 = b"\xffSMB\x72".to_vec();
    smb1.resize(32, 0);
    smb1.extend([17, 0, 0, 3]);
    smb1.resize(80, 0);
    let old = respond_in_turn(vec![vec![Hear, smb2_negotiated(1)], vec![Hear, smb(smb1)]]).await;
    let (_, outcomes) = audited_in(scope(), old, Service::Smb, Depth::Handshake).await;
    assert_eq!((part(&outcomes, "smb1").state, part(&outcomes, "signing").state), (State::Finding, State::Finding));
    assert_eq!(part(&outcomes, "session").state, State::SkippedByPolicy);
    let new = respond_in_turn(vec![vec![Hear, smb2_negotiated(3)], vec![Hear, HangUp]]).await;
    let (_, outcomes) = audited_in(scope(), new, Service::Smb, Depth::Handshake).await;
    assert_eq!((part(&outcomes, "smb1").state, part(&outcomes, "signing").state), (State::Pass, State::Pass));
}

#[tokio::test]
async fn smb_takes_guests_when_asked() {
    let mut opted_in = opted_in();
    opted_in.assets[0].shares = vec!["images".to_owned()];
    let greet = [Hear, smb2_negotiated(1), Hear, ntlm_challenge(), Hear];
    let read = [&[16, 0, 1, 0][..], &[0; 8], &0x0012_00a9u32.to_le_bytes()].concat();
    let granted = [smb2(1, 0, 4711, &[9, 0, 1, 0, 72, 0, 0, 0]), Hear, smb2(3, 0, 4711, &read), Hear];
    let lets_in = [&greet[..], &granted].concat();
    let keeps_out = [&greet[..], &[smb2(1, 0xc000_006d, 4711, &[9, 0, 0, 0, 0, 0, 0, 0])]].concat();
    let first = [vec![Hear, smb2_negotiated(1)], vec![Hear, HangUp]];
    let open = respond_in_turn([&first[..], &[keeps_out.clone(), lets_in]].concat()).await;
    let (_, outcomes) = audited_in(opted_in.clone(), open, Service::Smb, Depth::Credentials).await;
    assert_eq!(
        (part(&outcomes, "session").state, part(&outcomes, "session").severity),
        (State::Finding, Severity::High)
    );
    assert_eq!(
        (part(&outcomes, "shares").state, part(&outcomes, "shares").severity),
        (State::Finding, Severity::Critical)
    );
    // A session in which nothing opens is none.
    let denied = [smb2(1, 0, 4711, &[9, 0, 2, 0, 72, 0, 0, 0]), Hear, smb2(3, 0xc000_0022, 4711, &[9, 0, 0, 0]), Hear];
    let opens_nothing = [&greet[..], &denied].concat();
    let empty = respond_in_turn([&first[..], &[opens_nothing, keeps_out.clone()]].concat()).await;
    let (_, outcomes) = audited_in(opted_in.clone(), empty, Service::Smb, Depth::Credentials).await;
    assert_eq!(part(&outcomes, "session").state, State::Pass);
    let closed = respond_in_turn([&first[..], &[keeps_out]].concat()).await;
    let (_, outcomes) = audited_in(opted_in, closed, Service::Smb, Depth::Credentials).await;
    assert_eq!((part(&outcomes, "session").state, part(&outcomes, "shares").state), (State::Pass, State::Pass));
}
