//! Sections of the configuration as data: the structs, their defaults and their manual
//! come from one description, so that none of them can be out of date.

/// A field of a section, for the manual and the commented file.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// The lines of its description.
    pub doc: &'static [&'static str],
}

/// A section of the configuration file.
pub trait Section: Default + serde::Serialize {
    /// What the section is about.
    const ABOUT: &'static [&'static str];
    /// Its fields in order.
    const FIELDS: &'static [Field];
}

/// Declares a section: a struct that refuses unknown keys, its defaults and its manual.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident {
            $( $(#[doc = $doc:literal])+ pub $field:ident: $type:ty = $default:expr, )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> $name {
                $name { $( $field: $default, )* }
            }
        }

        impl $crate::config::section::Section for $name {
            const ABOUT: &'static [&'static str] = &[$($about),+];
            const FIELDS: &'static [$crate::config::section::Field] = &[
                $( $crate::config::section::Field { name: stringify!($field), doc: &[$($doc),+] }, )*
            ];
        }
    };
}

pub(crate) use section;
