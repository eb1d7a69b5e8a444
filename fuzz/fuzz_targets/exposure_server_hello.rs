//! What a TLS server answers, whole and in pieces: the same end, and never more memory than bytes came.
#![no_main]

use leadglass_exposure::probe::tls::flight::{Agreed, End, Flight};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes, usize::MAX);
    assert_eq!(read(bytes, 1), whole);
    assert_eq!(read(bytes, 61), whole);
    if let Some(agreed) = whole.1 {
        assert!(agreed.chain.iter().map(Vec::len).sum::<usize>() <= bytes.len());
    }
});

fn read(bytes: &[u8], piece: usize) -> (Option<End>, Option<Agreed>) {
    let mut flight = Flight::default();
    let end = bytes.chunks(piece).fold(None, |_, piece| flight.push(piece));
    (end, flight.agreed())
}
