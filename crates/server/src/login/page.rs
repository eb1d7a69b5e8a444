//! The pages: shells without anybody's data, one script, one style sheet, all from here.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use maud::{DOCTYPE, Markup, html};

use crate::web::WebState;

/// Scripts and styles from this host alone, nothing inline, nowhere to send anything else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// `GET /login`.
pub(super) async fn login(State(state): State<WebState>) -> Response {
    let providers = state.login().providers.names();
    page(
        "Sign in",
        "login",
        &html! {
            form #passphrase {
                label { "User name " input name="name" autocomplete="username" required; }
                label { "Passphrase " input name="passphrase" type="password" autocomplete="current-password" required; }
                button { "Sign in" }
            }
            form #code hidden {
                label { "Code of your app, or a recovery code " input name="code" autocomplete="one-time-code" required; }
                button { "Go on" }
            }
            p { button #passkey type="button" { "Sign in with a passkey" } }
            @for name in providers {
                p { a href={ (state.login().origin) "/login/oidc/" (name) } { "Sign in with " (name) } }
            }
            details {
                summary { "I have an invitation" }
                form #invitation {
                    label { "User name " input name="name" autocomplete="username" required; }
                    label { "Invitation " input name="invitation" autocomplete="off" required; }
                    label { "New passphrase, 15 characters or more " input name="passphrase" type="password" autocomplete="new-password" required; }
                    button { "Begin" }
                }
            }
        },
    )
}

/// `GET /account`.
pub(super) async fn account() -> Response {
    page(
        "Account",
        "account",
        &html! {
            p #due hidden { "A second factor is due: until one is enrolled you can do nothing else." }
            dl #who {}
            (for_a_time())
            h2 { "App for one-time codes" }
            p { button #totp-begin type="button" { "Enrol an app" } }
            form #totp hidden {
                p { "Type this into the app: " code #totp-secret {} }
                label { "Its code now " input name="code" autocomplete="one-time-code" required; }
                button { "Confirm" }
            }
            h2 { "Passkeys" }
            ul #passkeys {}
            form #new-passkey {
                label { "Name of the new one " input name="name" required; }
                button { "Enrol a passkey" }
            }
            h2 { "Recovery codes" }
            p { "Each is good once when a second factor is lost. Shown once: print them." }
            pre #recovery {}
            h2 { "Passphrase" }
            form #change {
                label { "Old " input name="old" type="password" autocomplete="current-password" required; }
                label { "New " input name="new" type="password" autocomplete="new-password" required; }
                button { "Change" }
            }
            h2 { "Sessions" }
            ul #sessions {}
            p { button #others type="button" { "End all others" } " " button #logout type="button" { "Sign out" } }
        },
    )
}

/// Emergencies and shares: each form is shown to whoever may send it.
fn for_a_time() -> Markup {
    html! {
        section #emergencies hidden {
            h2 { "Take an emergency" }
            p {
                "One patient opens to you, restricted or not, for an hour at most. The privacy officer is told, "
                "and somebody else reviews your reason."
            }
            form #emergency {
                label { "Patient ID " input name="patient_id" maxlength="64" autocomplete="off" required; }
                label { "Reason, 10 characters or more " input name="reason" maxlength="1000" autocomplete="off" required; }
                label { "Minutes, 60 at most " input name="minutes" type="number" min="1" max="60" value="60" required; }
                button { "Take the patient" }
            }
        }
        section #shares hidden {
            h2 { "Share a study" }
            p { "Somebody else may see the study, for 30 days at most. What is restricted stays so." }
            form #share {
                label { "Study Instance UID " input name="study" maxlength="64" autocomplete="off" required; }
                label { "With whom (user name) " input name="with" autocomplete="off" required; }
                label { "Until " input name="until" type="datetime-local" required; }
                button { "Share" }
            }
        }
        section #for-a-time hidden {
            h2 { "Open for a time" }
            ul #grants {}
        }
    }
}

/// `GET /login/app.js`.
pub(super) async fn script() -> Response {
    served(include_str!("assets/app.js"), "text/javascript; charset=utf-8")
}

/// `GET /login/app.css`.
pub(super) async fn style() -> Response {
    served(include_str!("assets/app.css"), "text/css; charset=utf-8")
}

/// A page that leads on to another of ours. A redirect would not do: after a visit elsewhere
/// a browser sends the session's cookie only with what our own page asks for.
pub(super) fn leading_to(path: &'static str) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; meta http-equiv="refresh" content={ "0;url=" (path) }; title { "Leadglass" } }
            body { a href=(path) { "Go on" } }
        }
    };
    with_policy(markup)
}

fn page(title: &str, name: &str, body: &Markup) -> Response {
    with_policy(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Leadglass" }
                link rel="stylesheet" href="/login/app.css";
                script src="/login/app.js" defer {}
            }
            body data-page=(name) {
                main { h1 { (title) } p #said role="status" {} (body) }
            }
        }
    })
}

fn with_policy(markup: Markup) -> Response {
    let mut response = served(markup.into_string(), "text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn served(body: impl IntoResponse, kind: &'static str) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
