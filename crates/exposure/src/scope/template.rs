//! The file that `leadglass exposure scope new` begins with: commented, with blanks to fill.

/// A scope file with blanks. It does not pass before they are filled, and says which they are.
pub fn template() -> &'static str {
    include_str!("template.toml")
}
