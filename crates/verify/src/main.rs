//! `leadglass-verify BUNDLE [--key KEY] [--since FILE]`: see the library.

use std::process::ExitCode;

const USAGE: &str = "leadglass-verify BUNDLE [--key KEY] [--since FILE]\n\n\
    Checks a bundle of `leadglass trail export --bundle`, with nothing of the archive.\n\n\
    BUNDLE        the bundle\n\
    --key KEY     the log's verifier key as you know it (leadglass/…+…+…), or a file that holds it;\n\
    \x20             without it the key in the bundle is believed and printed\n\
    --since FILE  a checkpoint kept elsewhere: shows whether the log was cut short or put back since\n\n\
    Ends with 0 when everything is right, 3 when something is not, 2 on a wrong call.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((bundle, key, since)) = parsed(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"));
    let known = key.map(|key| if key.contains('+') { Ok(key) } else { read(&key) }).transpose();
    let texts = read(&bundle).and_then(|bundle| Ok((bundle, known?, since.map(|path| read(&path)).transpose()?)));
    let (bundle, key, since) = match texts {
        Ok(texts) => texts,
        Err(error) => {
            eprintln!("leadglass-verify: {error}");
            return ExitCode::from(2);
        }
    };
    match leadglass_verify::check(&bundle, key.as_deref(), since.as_deref()) {
        Ok(checked) => {
            println!(
                "{} entries are in the log of {} records as shown; {} of them erased, {} still open; {} older checkpoints agree",
                checked.entries, checked.size, checked.erased, checked.open, checked.consistent
            );
            println!("signed by {}", checked.verifier);
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            println!("WRONG  {wrong}");
            ExitCode::from(3)
        }
    }
}

type Parsed = (String, Option<String>, Option<String>);

fn parsed(arguments: &[String]) -> Option<Parsed> {
    let (mut bundle, mut key, mut since) = (None, None, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let into = match argument.as_str() {
            "--key" => &mut key,
            "--since" => &mut since,
            _ if argument.starts_with('-') || bundle.is_some() => return None,
            _ => {
                bundle = Some(argument.clone());
                continue;
            }
        };
        *into = Some(rest.next()?.clone());
    }
    Some((bundle?, key, since))
}
