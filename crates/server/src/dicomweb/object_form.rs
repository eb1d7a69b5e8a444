//! In which form objects go out: container and transfer syntax, PS3.18 8.7.3 and 10.4.
//!
//! Without a `transfer-syntax` parameter `application/dicom` means Explicit VR Little Endian.
//! Native objects are rewritten for it; compressed ones have no codec here, so a client that
//! takes them as they are says `transfer-syntax=*` or names their syntax.

use leadglass_archive::retrieve::StoredInstance;
use leadglass_dicom::convert::Converter;
use leadglass_dicom::{TransferSyntax, Uid};

use super::accept::Accept;
use super::media_type::MediaType;
use crate::web::Problem;

/// What objects are wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// `multipart/related; type="application/dicom"`, one part an instance.
    Multipart,
    /// `application/dicom`, for one instance.
    Single,
    /// `application/zip`, one file an instance.
    Zip,
}

/// How a set of instances is handed out.
#[derive(Clone, Debug)]
pub struct ObjectForm {
    /// What they are wrapped in.
    pub container: Container,
    /// The transfer syntax of each, in the order of the instances.
    pub syntaxes: Vec<TransferSyntax>,
}

/// A transfer syntax that a client takes.
enum Rule {
    AsStored,
    Exactly(TransferSyntax),
}

impl Container {
    /// Its name in the entity tag and as media type.
    pub fn essence(self) -> &'static str {
        match self {
            Container::Multipart => "multipart/related",
            Container::Single => "application/dicom",
            Container::Zip => "application/zip",
        }
    }
}

/// The form the client likes best of those that can be had; 406 when there is none.
pub fn object_form(accept: &Accept, instances: &[StoredInstance], single: bool) -> Result<ObjectForm, Problem> {
    let stored: Vec<&TransferSyntax> = instances.iter().map(|instance| &instance.transfer_syntax).collect();
    form_of(accept, &stored, single)
}

/// The same, of objects in these transfer syntaxes.
pub fn form_of(accept: &Accept, stored: &[&TransferSyntax], single: bool) -> Result<ObjectForm, Problem> {
    let mut fitting = false;
    for container in accept.wanted().filter_map(|wanted| container(wanted, single)) {
        if accept.excludes(container.essence()) {
            continue;
        }
        fitting = true;
        let rules: Vec<Rule> = accept
            .wanted()
            .filter(|wanted| self::container(wanted, single) == Some(container))
            .flat_map(|wanted| rules(wanted, container))
            .collect();
        let syntaxes: Option<Vec<TransferSyntax>> =
            stored.iter().map(|stored| rules.iter().find_map(|rule| rule.applied(stored))).collect();
        if let Some(syntaxes) = syntaxes {
            return Ok(ObjectForm { container, syntaxes });
        }
    }
    Err(Problem::not_acceptable(match fitting {
        true => {
            "stored in a transfer syntax that cannot be converted to one you accept; transfer-syntax=* takes it as it is"
        }
        false if single => "an instance comes as application/dicom, multipart/related or application/zip",
        false => "instances come as multipart/related with type application/dicom, or application/zip",
    }))
}

/// The container a media type or range asks for.
fn container(wanted: &MediaType, single: bool) -> Option<Container> {
    match wanted.essence() {
        // CP 2040: without a wish a single instance is a multipart of one part too.
        "*/*" => Some(Container::Multipart),
        "multipart/related" | "multipart/*" => {
            let inner = inner_type(wanted);
            inner.is_none_or(|inner| inner.holds("application/dicom")).then_some(Container::Multipart)
        }
        "application/dicom" | "application/*" if single => Some(Container::Single),
        "application/zip" => Some(Container::Zip),
        _ => None,
    }
}

fn inner_type(wanted: &MediaType) -> Option<MediaType> {
    wanted.parameter("type").and_then(MediaType::parse)
}

fn rules(wanted: &MediaType, container: Container) -> Vec<Rule> {
    let inner = inner_type(wanted);
    let named = wanted.parameter("transfer-syntax").or_else(|| inner.as_ref()?.parameter("transfer-syntax"));
    match named {
        Some("*") => vec![Rule::AsStored],
        Some(uid) => Uid::parse(uid).map(|uid| Rule::Exactly(TransferSyntax::from_uid(uid))).into_iter().collect(),
        None if container == Container::Zip => vec![Rule::AsStored],
        None => {
            let mut rules = vec![Rule::Exactly(TransferSyntax::explicit_little_endian())];
            if wanted.essence().ends_with("/*") {
                rules.push(Rule::AsStored);
            }
            rules
        }
    }
}

impl Rule {
    /// The syntax an object stored in `stored` would go out in.
    fn applied(&self, stored: &TransferSyntax) -> Option<TransferSyntax> {
        match self {
            Rule::AsStored => Some(stored.clone()),
            Rule::Exactly(wanted) if wanted == stored => Some(stored.clone()),
            Rule::Exactly(wanted) => Converter::new(stored, wanted).is_ok().then(|| wanted.clone()),
        }
    }
}
