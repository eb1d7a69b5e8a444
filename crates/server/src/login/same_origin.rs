//! Whether a request was made by our own page: what a browser says of it, and others cannot.

use http::request::Parts;
use http::{HeaderName, Method, header};

use crate::web::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what another site's page may have caused (cross-site request forgery): of what
/// changes something, `Origin` must be ours; where the browser says which site a request is
/// from, it must be ours as well. Asked of every request that a cookie comes with.
pub(crate) fn check(request: &Parts) -> Result<(), Problem> {
    let safe = matches!(request.method, Method::GET | Method::HEAD);
    let mut sites = request.headers.get_all(SEC_FETCH_SITE).iter();
    let site = match (sites.next(), sites.next()) {
        (None, _) => true,
        (Some(site), None) => site == "same-origin" || (safe && site == "none"),
        _ => false,
    };
    let mut origins = request.headers.get_all(header::ORIGIN).iter();
    let origin = match (origins.next(), origins.next()) {
        (None, _) => safe,
        (Some(origin), None) => {
            authority(request).is_some_and(|ours| origin.as_bytes() == format!("https://{ours}").as_bytes())
        }
        _ => false,
    };
    if site && origin { Ok(()) } else { Err(Problem::new(http::StatusCode::FORBIDDEN, "not from this page")) }
}

/// Where the browser thinks it is. A page of another name has no cookie of ours, so a name
/// that was made to point here gains nothing.
fn authority(request: &Parts) -> Option<&str> {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    match (request.uri.authority(), hosts.next(), hosts.next()) {
        (Some(authority), None, _) => Some(authority.as_str()),
        (None, Some(host), None) => host.to_str().ok(),
        (Some(authority), Some(host), None) if host.as_bytes() == authority.as_str().as_bytes() => {
            Some(authority.as_str())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn asked(method: Method, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/logout").header("host", "pacs.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0).is_ok()
    }

    #[test]
    fn only_our_own_page_changes_anything() {
        let ours = ("origin", "https://pacs.example");
        assert!(asked(Method::POST, &[ours]));
        assert!(asked(Method::POST, &[ours, ("sec-fetch-site", "same-origin")]));
        assert!(asked(Method::GET, &[]) && asked(Method::GET, &[("sec-fetch-site", "none")]));
        for headers in [
            &[][..],
            &[("sec-fetch-site", "same-origin")],
            &[ours, ("sec-fetch-site", "cross-site")],
            &[ours, ("sec-fetch-site", "same-site")],
            &[ours, ("sec-fetch-site", "none")],
            &[ours, ours],
            &[("origin", "null")],
            &[("origin", "http://pacs.example")],
            &[("origin", "https://pacs.example:8443")],
            &[("origin", "https://pacs.example.evil.example")],
            &[ours, ("host", "other.example")],
        ] {
            assert!(!asked(Method::POST, headers), "{headers:?}");
            assert!(!asked(Method::DELETE, headers), "{headers:?}");
        }
        assert!(!asked(Method::GET, &[("sec-fetch-site", "cross-site")]));
        assert!(!asked(Method::OPTIONS, &[]), "what is not plainly safe is not");
    }
}
