//! Multipart bodies come apart the same way whatever pieces they arrive in, or are refused.
#![no_main]

#[path = "../../crates/server/src/dicomweb/media_type.rs"]
#[allow(dead_code)]
mod media_type;
#[path = "../../crates/server/src/dicomweb/multipart.rs"]
mod multipart;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

use multipart::{Event, MultipartError, MultipartParser};

fn parts(body: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, MultipartError> {
    let mut parser = MultipartParser::new("b", 100, 1000)?;
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for piece in body.chunks(piece) {
        parser.feed(Bytes::copy_from_slice(piece));
        loop {
            match parser.event()? {
                Event::Part(_) => parts.push(Vec::new()),
                Event::Data(data) => {
                    assert!(!data.is_empty());
                    parts.last_mut().expect("data belong to a part").extend_from_slice(&data);
                }
                Event::PartEnd => {}
                Event::End | Event::NeedMore => break,
            }
        }
    }
    parser.finish()?;
    Ok(parts)
}

fuzz_target!(|input: &[u8]| {
    let Some((&first, body)) = input.split_first() else { return };
    assert_eq!(parts(body, 1 + usize::from(first)), parts(body, usize::MAX));
});
