//! `leadglass`: the archive and its commands, one binary.

use std::process::ExitCode;

/// Many small objects from many threads: mimalloc keeps what the archive holds small.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    leadglass::cli::main()
}
