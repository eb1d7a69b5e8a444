//! The frame of a page: what it may load (nothing), how it looks, how one finds one's way.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What the page may load: its own style, and nothing else.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

const STYLE: &str = include_str!("style.css");

/// A whole document with a list of its parts.
pub fn document(title: &str, contents: &[(&str, &str)], body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#summary" { "Skip to the summary" }
                nav aria-label="Contents" {
                    span.mark { "Leadglass" }
                    @for (anchor, title) in contents {
                        a href={ "#" (anchor) } { (title) }
                    }
                }
                main { (body) }
                footer { "Made by leadglass exposure. This page loads nothing and sends nothing." }
            }
        }
    }
}
