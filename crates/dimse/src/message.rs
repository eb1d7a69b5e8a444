//! Command sets, PS3.7 §6.3 and Annex E; each message type has its own file below.

/// A command set: group 0000, implicit little endian.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommandSet {
    #[expect(dead_code, reason = "skeleton")]
    data_set: leadglass_dicom::DataSet,
}
