//! The elements of a command set, PS3.7 Annex E.1.

use leadglass_dicom::Tag;

/// Command Group Length, UL.
pub const COMMAND_GROUP_LENGTH: Tag = Tag(0, 0x0000);
/// Affected SOP Class UID.
pub const AFFECTED_SOP_CLASS_UID: Tag = Tag(0, 0x0002);
/// Requested SOP Class UID.
pub const REQUESTED_SOP_CLASS_UID: Tag = Tag(0, 0x0003);
/// Command Field, US.
pub const COMMAND_FIELD: Tag = Tag(0, 0x0100);
/// Message ID, US.
pub const MESSAGE_ID: Tag = Tag(0, 0x0110);
/// Message ID Being Responded To, US.
pub const MESSAGE_ID_BEING_RESPONDED_TO: Tag = Tag(0, 0x0120);
/// Move Destination, AE.
pub const MOVE_DESTINATION: Tag = Tag(0, 0x0600);
/// Priority, US.
pub const PRIORITY: Tag = Tag(0, 0x0700);
/// Command Data Set Type, US: 0x0101 when no data set follows.
pub const COMMAND_DATA_SET_TYPE: Tag = Tag(0, 0x0800);
/// Status, US.
pub const STATUS: Tag = Tag(0, 0x0900);
/// Offending Element, AT.
pub const OFFENDING_ELEMENT: Tag = Tag(0, 0x0901);
/// Error Comment, LO.
pub const ERROR_COMMENT: Tag = Tag(0, 0x0902);
/// Error ID, US.
pub const ERROR_ID: Tag = Tag(0, 0x0903);
/// Affected SOP Instance UID.
pub const AFFECTED_SOP_INSTANCE_UID: Tag = Tag(0, 0x1000);
/// Requested SOP Instance UID.
pub const REQUESTED_SOP_INSTANCE_UID: Tag = Tag(0, 0x1001);
/// Event Type ID, US.
pub const EVENT_TYPE_ID: Tag = Tag(0, 0x1002);
/// Action Type ID, US.
pub const ACTION_TYPE_ID: Tag = Tag(0, 0x1008);
/// Number of Remaining Sub-operations, US.
pub const NUMBER_OF_REMAINING_SUB_OPERATIONS: Tag = Tag(0, 0x1020);
/// Number of Completed Sub-operations, US.
pub const NUMBER_OF_COMPLETED_SUB_OPERATIONS: Tag = Tag(0, 0x1021);
/// Number of Failed Sub-operations, US.
pub const NUMBER_OF_FAILED_SUB_OPERATIONS: Tag = Tag(0, 0x1022);
/// Number of Warning Sub-operations, US.
pub const NUMBER_OF_WARNING_SUB_OPERATIONS: Tag = Tag(0, 0x1023);
/// Move Originator Application Entity Title, AE.
pub const MOVE_ORIGINATOR_AE_TITLE: Tag = Tag(0, 0x1030);
/// Move Originator Message ID, US.
pub const MOVE_ORIGINATOR_MESSAGE_ID: Tag = Tag(0, 0x1031);
