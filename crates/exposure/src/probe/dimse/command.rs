//! The numbers of a response's command set (PS3.7 §6.3.1), and nothing else of it.
//!
//! Implicit VR little endian, group 0000. Comments, offending elements and UIDs are passed
//! over by their length.

/// What a response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Response {
    /// Command Field (0000,0100).
    pub(super) field: u16,
    /// Message ID Being Responded To (0000,0120).
    pub(super) responded_to: u16,
    /// Status (0000,0900).
    pub(super) status: u16,
    /// Whether a data set follows: Command Data Set Type (0000,0800) is not 0101H.
    pub(super) has_data: bool,
}

impl Response {
    /// Reads a whole command set; `None` when it is none, or lacks what every response has.
    pub(super) fn read(mut bytes: &[u8]) -> Option<Response> {
        let (mut field, mut responded_to, mut status, mut data) = (None, None, None, None);
        while !bytes.is_empty() {
            let ([g0, g1, e0, e1, l0, l1, l2, l3], rest) = bytes.split_first_chunk::<8>()?;
            let length = usize::try_from(u32::from_le_bytes([*l0, *l1, *l2, *l3])).ok()?;
            let (value, rest) = rest.split_at_checked(length)?;
            bytes = rest;
            if [*g0, *g1] != [0, 0] {
                return None;
            }
            let number = value.first_chunk::<2>().map(|number| u16::from_le_bytes(*number));
            match u16::from_le_bytes([*e0, *e1]) {
                0x0100 => field = number,
                0x0120 => responded_to = number,
                0x0800 => data = number,
                0x0900 => status = number,
                _ => {}
            }
        }
        Some(Response { field: field?, responded_to: responded_to?, status: status?, has_data: data? != 0x0101 })
    }

    /// Whether more answers follow: FF00 and FF01 (PS3.4 C.4.1.1.4).
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.status, 0xFF00 | 0xFF01)
    }
}

#[cfg(test)]
mod tests {
    use leadglass_dicom::Uid;
    use leadglass_dimse::message::{CEchoRequest, CommandSet};
    use leadglass_dimse::status::Status;

    use super::*;

    #[test]
    fn a_response_is_four_numbers() {
        let request = CEchoRequest { message_id: 7, affected_sop_class: Uid::parse("1.2.840.10008.1.1").unwrap() };
        let bytes = CommandSet::from(&request.response(Status(0))).encode();
        let expected = Response { field: 0x8030, responded_to: 7, status: 0, has_data: false };
        assert_eq!(Response::read(&bytes), Some(expected));
        for cut in 1..bytes.len() {
            assert_eq!(Response::read(&bytes[..cut]), None, "cut at {cut}");
        }
        assert_eq!(Response::read(&[]), None);
    }
}
