//! What can be asked of the archive, and how it can be refused.

use leadglass_dicom::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid};

use crate::access::Door;

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident $name:literal through [$($door:ident),*];)*) => {
        /// Everything the archive can be asked to do. Who may do which is `access::role`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum Operation {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Operation {
            /// All of them, for the policy matrix and its test.
            pub const ALL: &[Operation] = &[$(Operation::$variant),*];

            /// The name in the trail and the policy matrix.
            pub fn name(self) -> &'static str {
                match self {
                    $(Operation::$variant => $name,)*
                }
            }

            /// The doors it can be asked through, whoever asks.
            pub fn doors(self) -> &'static [Door] {
                match self {
                    $(Operation::$variant => &[$(Door::$door),*],)*
                }
            }
        }
    };
}

impl Operation {
    /// Whether whoever may do it could give themselves, or others, what they may not do now.
    pub(crate) fn gives_rights(self) -> bool {
        matches!(
            self,
            Operation::AddPeer
                | Operation::EnrolHeld
                | Operation::AddLegacyPeer
                | Operation::InvitePeer
                | Operation::CreateToken
                | Operation::DefineRole
                | Operation::AddUser
                | Operation::ChangeUser
                | Operation::ResetUser
        )
    }

    /// Whether images are seen, sent or shared by it.
    pub(crate) fn is_of_images(self) -> bool {
        matches!(
            self,
            Operation::Search | Operation::Retrieve | Operation::Store | Operation::Share | Operation::BreakGlass
        )
    }

    /// Whether it loosens what holds those back who see images.
    pub(crate) fn loosens(self) -> bool {
        use Operation::{CloseReview, EndGrant, Mark, ReleaseBrake, SetEnvelope};
        matches!(self, Mark | SetEnvelope | ReleaseBrake | CloseReview | EndGrant)
    }

    /// Whether images leave by it, so that the brake counts them.
    pub(crate) fn hands_out(self) -> bool {
        matches!(self, Operation::Retrieve | Operation::RetrieveDeidentified)
    }

    /// Whether restrictions keep out of it: whoever brings something in learns nothing.
    pub(crate) fn is_guarded(self) -> bool {
        matches!(
            self,
            Operation::Search
                | Operation::Retrieve
                | Operation::RetrieveDeidentified
                | Operation::Share
                | Operation::Commit
                | Operation::ReadHeld
        )
    }
}

operations! {
    /// Becoming a caller: recorded in the trail, granted to nobody as a right.
    Authenticate "authenticate" through [Dimse, Legacy, DicomWeb, Admin, Host];
    /// C-STORE, STOW-RS, import.
    Store "store" through [Dimse, Legacy, DicomWeb, Host];
    /// C-FIND, QIDO-RS.
    Search "search" through [Dimse, DicomWeb, Host];
    /// C-GET, C-MOVE, WADO-RS, export.
    Retrieve "retrieve" through [Dimse, DicomWeb, Host];
    /// Handing out without what identifies: WADO-RS with `deidentify`, export.
    RetrieveDeidentified "retrieve-deidentified" through [DicomWeb, Host];
    /// Making a project that things are de-identified for.
    MakeProject "make-project" through [Admin, Host];
    /// Reading the list of projects.
    ListProjects "list-projects" through [Admin, Host];
    /// C-STORE of an unknown sender: into the approval queue, not into the archive.
    Hold "hold" through [Dimse];
    /// Reading which unknown senders wait.
    ListHeld "list-held" through [Admin, Host];
    /// Reading what an unknown sender's objects are about.
    ReadHeld "read-held" through [Admin, Host];
    /// Taking in what waits of an unknown sender, once.
    AcceptHeld "accept-held" through [Admin, Host];
    /// Making an unknown sender a peer, and taking in what waits of it.
    EnrolHeld "enrol-held" through [Admin, Host];
    /// Destroying what waits of an unknown sender.
    DiscardHeld "discard-held" through [Admin, Host];
    /// Storage commitment.
    Commit "commit" through [Dimse, Host];
    /// Making the first administrator.
    CompleteSetup "complete-setup" through [Admin, Host];
    /// Making a one-time setup code.
    IssueSetupCode "issue-setup-code" through [Host];
    /// Adding or changing a DICOM peer.
    AddPeer "add-peer" through [Admin, Host];
    /// Revoking a DICOM peer.
    RevokePeer "revoke-peer" through [Admin, Host];
    /// Declaring a device that may store in clear text, or changing the declaration.
    AddLegacyPeer "add-legacy-peer" through [Admin, Host];
    /// Ending such a declaration.
    RevokeLegacyPeer "revoke-legacy" through [Admin, Host];
    /// Reading the list of peers.
    ListPeers "list-peers" through [Admin, Host];
    /// Inviting a device to become a DICOM peer.
    InvitePeer "invite-peer" through [Admin, Host];
    /// Withdrawing an invitation.
    WithdrawInvitation "withdraw-invite" through [Admin, Host];
    /// Reading the list of invitations.
    ListInvitations "list-invites" through [Admin, Host];
    /// Becoming a peer by an invitation.
    Enrol "enrol" through [Admin];
    /// A new certificate for the peer that asks.
    RenewPeer "renew-peer" through [Admin];
    /// Looking up where one peer listens.
    FindDestination "find-destination" through [Dimse, Host];
    /// Making an API token.
    CreateToken "create-token" through [Admin, Host];
    /// Revoking an API token.
    RevokeToken "revoke-token" through [Admin, Host];
    /// Reading the list of tokens.
    ListTokens "list-tokens" through [Admin, Host];
    /// Beginning a session: what signing in ends with.
    SignIn "sign-in" through [Admin];
    /// Ending one's own session.
    SignOut "sign-out" through [Admin];
    /// Reading one's own account.
    ReadAccount "read-account" through [Admin];
    /// Changing what one signs in with, ending one's own sessions.
    ChangeAccount "change-account" through [Admin];
    /// Adding a user.
    AddUser "add-user" through [Admin, Host];
    /// Changing what a user may do, or whether.
    ChangeUser "change-user" through [Admin, Host];
    /// Taking away what a user signs in with, and inviting them anew.
    ResetUser "reset-user" through [Admin, Host];
    /// Signing a user out everywhere.
    EndSessions "end-sessions" through [Admin, Host];
    /// Reading the list of users.
    ListUsers "list-users" through [Admin, Host];
    /// Defining a role, or changing one.
    DefineRole "define-role" through [Admin, Host];
    /// Reading the roles.
    ListRoles "list-roles" through [Admin, Host];
    /// Labelling or restricting a study or a patient.
    Mark "mark" through [Admin, Host];
    /// Reading labels and restrictions.
    ReadMarks "read-marks" through [Admin, Host];
    /// Reading who may do what, and where the doors are.
    Explain "explain" through [Admin, Host];
    /// Taking a patient in an emergency.
    BreakGlass "break-glass" through [Admin];
    /// Sharing a study with a user.
    Share "share" through [Admin];
    /// Ending a grant before its time.
    EndGrant "end-grant" through [Admin, Host];
    /// Reading the grants that live.
    ListGrants "list-grants" through [Admin, Host];
    /// Reading what waits for a review.
    ReadReviews "read-reviews" through [Admin, Host];
    /// Closing a review.
    CloseReview "close-review" through [Admin, Host];
    /// Setting how much a caller may take.
    SetEnvelope "set-envelope" through [Admin, Host];
    /// Reading how much callers may take.
    ListEnvelopes "list-envelopes" through [Admin, Host];
    /// Letting a caller begin anew whom the brake held.
    ReleaseBrake "release-brake" through [Admin, Host];
    /// Reading a secret of the host.
    ReadHostSecret "read-host-secret" through [Host];
    /// Replacing a secret of the host.
    WriteHostSecret "write-host-secret" through [Host];
    /// Reading counts, sizes and states (metrics).
    ReadStatistics "read-statistics" through [Admin, Host];
    /// Reading the trail.
    ReadTrail "read-trail" through [Admin, Host];
    /// Handing the trail on to a configured destination.
    DeliverTrail "deliver-trail" through [Host];
    /// Making what the trail says of a patient unreadable, for good.
    EraseFromTrail "erase-from-trail" through [Host];
    /// Reading what was set aside.
    ReadQuarantine "read-quarantine" through [Admin, Host];
    /// Checking every record on disk.
    Verify "verify" through [Admin, Host];
}

/// Which stored instances are meant. Each list that is not empty narrows; all empty
/// lists name nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Patient IDs (0010,0020), exact.
    pub patient_ids: Vec<String>,
    /// Studies.
    pub studies: Vec<StudyInstanceUid>,
    /// Series.
    pub series: Vec<SeriesInstanceUid>,
    /// Instances.
    pub instances: Vec<SopInstanceUid>,
}

impl Selection {
    /// Whether it names nothing at all.
    pub fn is_empty(&self) -> bool {
        self.patient_ids.is_empty() && self.studies.is_empty() && self.series.is_empty() && self.instances.is_empty()
    }
}

/// Why an operation was not carried out. Each door turns it into its own status in one place.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The caller may not do this, or may not know that it exists.
    #[error("not allowed")]
    NotAllowed,
    /// Nothing of that name that the caller may see.
    #[error("no such object")]
    NotFound,
    /// The request itself is wrong; the text is safe to send back.
    #[error("{0}")]
    Invalid(String),
    /// No space, or over a limit that passes: try again later.
    #[error("out of resources: {0}")]
    OutOfResources(String),
    /// The archive cannot write its log or its trail and therefore gives nothing out.
    #[error("the archive is read-only: {0}")]
    ReadOnly(String),
    /// Stored bytes fail their checksum or seal. The text names record, not patient.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// Beyond what the caller may take within a while: see [`crate::brake`].
    #[error("beyond your envelope ({limit}): wait {wait_s} s, or ask the privacy officer")]
    Braked {
        /// Which number of the envelope.
        limit: &'static str,
        /// Seconds until there may be room again.
        wait_s: u64,
        /// Whether it helps to say again who one is.
        step_up: bool,
    },
    /// A fault of ours.
    #[error("internal error: {0}")]
    Broken(String),
}
