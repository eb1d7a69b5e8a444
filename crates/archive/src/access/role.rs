//! Roles as data: one table says who may do what.
//!
//! A person or program holds a role by its token; a peer holds one role per verb. The
//! table is printed, role by operation by door, to `docs/policy-matrix.txt`, which a test
//! keeps in step: a change of policy shows as a change of that file.

use std::str::FromStr;

use crate::Operation;
use crate::access::Door;

/// A bundle of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The host's operator: who can read the key file could read everything anyway.
    Host,
    /// Whoever holds the setup code: may make the first administrator, nothing else.
    Setup,
    /// Whose factors were just shown: may begin a session, nothing else.
    SigningIn,
    /// A person with a session, whatever their rights: their own account.
    Person,
    /// Runs the archive.
    Administrator,
    /// Finds, fetches and asks for commitment.
    Reader,
    /// May take a patient in an emergency, beside what else they may.
    Emergency,
    /// Looks at images: finds and fetches.
    Viewer,
    /// Fetches what is de-identified for a project, and sees nothing else.
    Researcher,
    /// Sends.
    Sender,
    /// Reads what is recorded and checks that it is whole; sees no images.
    Auditor,
    /// Looks after privacy: reviews what was out of the ordinary, restricts, says how much
    /// callers may take; sees no images.
    PrivacyOfficer,
    /// Reads metrics.
    Monitor,
    /// Whoever holds an invitation: may become the peer it is for, nothing else.
    Invited,
    /// A sender that nobody knows, under a certificate that is believed: what it sends waits.
    UnknownSender,
    /// A peer, whatever its verbs: renews its certificate.
    Peer,
    /// A legacy peer: stores in clear text.
    LegacyPeer,
    /// A peer's verb `store`.
    PeerStore,
    /// A peer's verb `find`.
    PeerFind,
    /// A peer's verb `retrieve`.
    PeerRetrieve,
    /// A peer's verb `commit`.
    PeerCommit,
}

use Operation::{
    AcceptHeld, AddLegacyPeer, AddPeer, AddUser, BreakGlass, ChangeAccount, ChangeUser, CloseReview, Commit,
    CompleteSetup, CreateToken, DefineRole, DiscardHeld, EndGrant, EndSessions, Enrol, EnrolHeld, Explain,
    FindDestination, Hold, InvitePeer, IssueSetupCode, ListEnvelopes, ListGrants, ListHeld, ListInvitations, ListPeers,
    ListProjects, ListRoles, ListTokens, ListUsers, MakeProject, Mark, ReadAccount, ReadHeld, ReadHostSecret,
    ReadMarks, ReadQuarantine, ReadReviews, ReadStatistics, ReadTrail, ReleaseBrake, RenewPeer, ResetUser, Retrieve,
    RetrieveDeidentified, RevokeLegacyPeer, RevokePeer, RevokeToken, Search, SetEnvelope, Share, SignIn, SignOut,
    Store, Verify, WithdrawInvitation, WriteHostSecret,
};

/// What runs the archive: an administrator's, and the host's operator's.
const ADMINISTRATION: &[Operation] = &[
    Store,
    Search,
    Retrieve,
    RetrieveDeidentified,
    MakeProject,
    ListProjects,
    Commit,
    FindDestination,
    AddPeer,
    RevokePeer,
    AddLegacyPeer,
    RevokeLegacyPeer,
    ListPeers,
    InvitePeer,
    WithdrawInvitation,
    ListInvitations,
    ListHeld,
    ReadHeld,
    AcceptHeld,
    EnrolHeld,
    DiscardHeld,
    CreateToken,
    RevokeToken,
    ListTokens,
    AddUser,
    ChangeUser,
    ResetUser,
    EndSessions,
    ListUsers,
    DefineRole,
    ListRoles,
    Mark,
    ReadMarks,
    Explain,
    EndGrant,
    ListGrants,
    ReadReviews,
    CloseReview,
    SetEnvelope,
    ListEnvelopes,
    ReleaseBrake,
    ReadStatistics,
    ReadTrail,
    ReadQuarantine,
    Verify,
];

/// The policy: each role with the lists of what it may do.
const POLICY: &[(Role, &[&[Operation]])] = &[
    (
        Role::Host,
        &[
            ADMINISTRATION,
            &[IssueSetupCode, ReadHostSecret, WriteHostSecret, Operation::DeliverTrail, Operation::EraseFromTrail],
        ],
    ),
    (Role::Setup, &[&[CompleteSetup]]),
    (Role::SigningIn, &[&[SignIn]]),
    (Role::Person, &[&[SignOut, ReadAccount, ChangeAccount]]),
    (Role::Administrator, &[ADMINISTRATION]),
    (Role::Reader, &[&[Search, Retrieve, Commit, FindDestination, Share]]),
    (Role::Emergency, &[&[BreakGlass]]),
    (Role::Viewer, &[&[Search, Retrieve]]),
    (Role::Researcher, &[&[RetrieveDeidentified]]),
    (Role::Sender, &[&[Store, Commit]]),
    (
        Role::Auditor,
        &[&[
            ListPeers,
            ListInvitations,
            ListHeld,
            ListTokens,
            ListUsers,
            ListRoles,
            ReadMarks,
            Explain,
            ReadStatistics,
            ReadTrail,
            ReadQuarantine,
            Verify,
        ]],
    ),
    (
        Role::PrivacyOfficer,
        &[&[
            EndGrant,
            ListGrants,
            ReadReviews,
            CloseReview,
            SetEnvelope,
            ListEnvelopes,
            ReleaseBrake,
            EndGrant,
            ListGrants,
            Mark,
            ReadMarks,
            Explain,
            ListPeers,
            ListHeld,
            ReadHeld,
            ListTokens,
            ListRoles,
            ReadStatistics,
            ReadTrail,
            ReadQuarantine,
            Verify,
        ]],
    ),
    (Role::Monitor, &[&[ReadStatistics]]),
    (Role::Invited, &[&[Enrol]]),
    (Role::UnknownSender, &[&[Hold]]),
    (Role::Peer, &[&[RenewPeer]]),
    (Role::LegacyPeer, &[&[Store]]),
    (Role::PeerStore, &[&[Store]]),
    (Role::PeerFind, &[&[Search]]),
    (Role::PeerRetrieve, &[&[Retrieve, FindDestination]]),
    (Role::PeerCommit, &[&[Commit, FindDestination]]),
];

/// Roles a token can carry.
const TOKEN_ROLES: &[Role] = &[
    Role::Administrator,
    Role::Reader,
    Role::Viewer,
    Role::Researcher,
    Role::Sender,
    Role::Emergency,
    Role::Auditor,
    Role::PrivacyOfficer,
    Role::Monitor,
];

impl Role {
    /// The role of ours of that name.
    pub(crate) fn named(name: &str) -> Option<Role> {
        Role::all().find(|role| role.name() == name)
    }

    /// Whether the role may do that through one door or another.
    pub(crate) fn holds(self, operation: Operation) -> bool {
        self.operations().any(|held| held == operation)
    }

    /// Whether the role may do that through that door.
    pub fn may(self, operation: Operation, door: Door) -> bool {
        let is_its_door = if self == Role::LegacyPeer { door == Door::Legacy } else { opens_to_all_roles(door) };
        is_its_door && operation.doors().contains(&door) && self.operations().any(|held| held == operation)
    }

    /// Whether a scope is of use to it: whether all it may do is done with instances. A role
    /// that reaches beyond (tokens, peers, the trail) could give itself what a scope withholds.
    pub(crate) fn is_limited_by_scope(self) -> bool {
        matches!(self, Role::Reader | Role::Viewer | Role::Researcher | Role::Sender)
    }

    /// Whether it says who may what, or how much: what a person does, with a second factor.
    pub(crate) fn administers(self) -> bool {
        matches!(self, Role::Administrator | Role::PrivacyOfficer)
    }

    /// All roles, in the order of the policy.
    pub fn all() -> impl Iterator<Item = Role> {
        POLICY.iter().map(|(role, _)| *role)
    }

    /// The name in configuration, the trail and the policy matrix.
    pub fn name(self) -> &'static str {
        match self {
            Role::Host => "host",
            Role::Setup => "setup",
            Role::SigningIn => "signing-in",
            Role::Person => "person",
            Role::Administrator => "administrator",
            Role::Reader => "reader",
            Role::Emergency => "emergency",
            Role::Viewer => "viewer",
            Role::Researcher => "researcher",
            Role::Sender => "sender",
            Role::Auditor => "auditor",
            Role::PrivacyOfficer => "privacy-officer",
            Role::Monitor => "monitor",
            Role::Invited => "invited",
            Role::UnknownSender => "unknown-sender",
            Role::Peer => "peer",
            Role::LegacyPeer => "legacy-peer",
            Role::PeerStore => "peer-store",
            Role::PeerFind => "peer-find",
            Role::PeerRetrieve => "peer-retrieve",
            Role::PeerCommit => "peer-commit",
        }
    }

    /// All that it may do, through one door or another.
    pub(crate) fn operations(self) -> impl Iterator<Item = Operation> + Clone {
        let lists = POLICY.iter().find(|(role, _)| *role == self).map_or(&[][..], |(_, lists)| *lists);
        lists.iter().flat_map(|list| list.iter().copied())
    }
}

/// Whether any role can be used at that door: at that of legacy peers theirs alone can.
pub(crate) fn opens_to_all_roles(door: Door) -> bool {
    door != Door::Legacy
}

/// The text names no role a token can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such role: a token is administrator, reader, viewer, researcher, sender, auditor, privacy-officer or monitor"
)]
pub struct NoSuchRole;

impl FromStr for Role {
    type Err = NoSuchRole;
    fn from_str(text: &str) -> Result<Role, NoSuchRole> {
        TOKEN_ROLES.iter().copied().find(|role| role.name() == text).ok_or(NoSuchRole)
    }
}
