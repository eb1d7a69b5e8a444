//! What another engine might have written: refused, or endpoints within the scope, each once, however it is read.
#![no_main]

use std::io::{self, Read};

use leadglass_exposure::import::{Format, Imported, Options, read};
use leadglass_exposure::scope::Scope;
use leadglass_exposure::testing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let scope = testing::scope();
    let told = bytes.first().map(|first| Format::NAMES[usize::from(*first) % Format::NAMES.len()].1);
    for format in [None, told] {
        let options = Options { format, port: Some(104) };
        let whole = imported(bytes, &scope, options);
        assert_eq!(imported(Drip(bytes), &scope, options), whole);
    }
});

fn imported(source: impl Read, scope: &Scope, options: Options) -> Result<Imported, String> {
    let imported = read(source, scope, options).map_err(|error| error.to_string())?;
    let kept = &imported.endpoints;
    assert!(kept.iter().all(|(address, port)| scope.speaks_for(*address).is_ok() && *port != 0));
    assert!(kept.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(imported.dropped.total() <= imported.rows);
    assert!(kept.len() as u64 <= imported.rows - imported.dropped.total());
    Ok(imported)
}

/// Gives a byte at a time.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(1);
        self.0.read(&mut buffer[..room])
    }
}
