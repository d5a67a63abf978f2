//! Who may use the page: the checks of every request, before anything is done.
//!
//! A web site that the user visits can make the browser send requests to a loopback address (cross-site request forgery),
//! and can give its own name that address, so that the browser takes the page for a part of the site (DNS rebinding). The
//! names that the page is reached by and the origin of each request are therefore checked. Beyond the loopback addresses a
//! token is required as well.

use std::fmt::Write;
use std::net::IpAddr;

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::{Method, StatusCode, Uri};
use subtle::ConstantTimeEq;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Octets of randomness in a token.
const TOKEN: usize = 24;

/// Checks requests.
#[derive(Debug)]
pub(super) struct Guard {
    /// `None` on a loopback address.
    token: Option<Token>,
    /// The name of the cookie: the cookies of a host are the same on all its ports.
    cookie: String,
}

/// A random text that only the user has, who sees it on the terminal. `Debug` hides it.
pub(super) struct Token(String);

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Denied(pub(super) StatusCode, pub(super) &'static str);

/// How a request may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Granted,
    /// The token was in the address: the browser stores it as this cookie, and asks again without it.
    SetCookie(String),
}

impl Token {
    /// Draws a token.
    pub(super) fn random() -> Result<Self, &'static str> {
        let mut octets = [0; TOKEN];
        let provider = smpp_tokio::tls::provider().map_err(|_| "there is no cryptography library")?;
        provider
            .secure_random
            .fill(&mut octets)
            .map_err(|_| "the operating system gives no random numbers")?;
        let mut text = String::new();
        for octet in octets {
            // Writing to a string cannot fail.
            let _ = write!(text, "{octet:02x}");
        }
        Ok(Self(text))
    }

    /// Returns the text, to be printed once.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in a time that depends on the lengths only.
    fn equals(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Guard {
    /// `token` is required if it is given. `port` is the port that the page is on.
    pub(super) fn new(token: Option<Token>, port: u16) -> Self {
        Self { token, cookie: format!("smpp_token_{port}") }
    }

    /// Checks a request.
    pub(super) fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Access, Denied> {
        if uri.scheme().is_some() || uri.authority().is_some() {
            return Err(Denied(StatusCode::BAD_REQUEST, "This is not a proxy."));
        }
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
            return Err(Denied(StatusCode::BAD_REQUEST, "The request needs one header Host."));
        };
        if !self.serves(host) {
            return Err(Denied(
                StatusCode::MISDIRECTED_REQUEST,
                "Use the IP address of this machine: other names may be somebody else's.",
            ));
        }
        check_origin(method, host, headers)?;
        self.check_token(method, uri, headers)
    }

    /// Returns whether the page may be reached by this name: not by one that a DNS server can point here.
    fn serves(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
            _ => host,
        };
        if name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        bare.parse().is_ok_and(|address: IpAddr| self.token.is_some() || address.is_loopback())
    }

    fn check_token(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Access, Denied> {
        let Some(token) = &self.token else { return Ok(Access::Granted) };
        let query = uri.query().unwrap_or_default().split('&').find_map(|it| it.strip_prefix("token="));
        let is_page = uri.path() == "/" && method == Method::GET;
        if let Some(given) = query.filter(|given| is_page && token.equals(given)) {
            let cookie = format!("{}={given}; HttpOnly; SameSite=Strict; Path=/", self.cookie);
            return Ok(Access::SetCookie(cookie));
        }
        let bearer = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok()?.strip_prefix("Bearer "));
        let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let mut cookies = cookies.flat_map(|cookies| cookies.split(';'));
        let cookie = cookies.find_map(|it| it.trim().strip_prefix(&*self.cookie)?.strip_prefix('='));
        if [bearer, cookie].into_iter().flatten().any(|given| token.equals(given)) {
            return Ok(Access::Granted);
        }
        Err(Denied(StatusCode::UNAUTHORIZED, "Open the address that smpp has printed: it has the token."))
    }
}

/// Refuses what another site has the browser send.
fn check_origin(method: &Method, host: &str, headers: &HeaderMap) -> Result<(), Denied> {
    let foreign = Denied(StatusCode::FORBIDDEN, "The request comes from another site.");
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        if !origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host)) {
            return Err(foreign);
        }
    }
    match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
        None | Some(b"same-origin") => {}
        // The user has typed the address.
        Some(b"none") if method == Method::GET => {}
        Some(_) => return Err(foreign),
    }
    let is_json = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).is_some_and(|content| {
        content.split(';').next().is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json"))
    });
    // A form of another site cannot send it.
    if method == Method::POST && !is_json {
        return Err(Denied(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send application/json."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        guard: &Guard,
        method: &Method,
        uri: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Access, u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        guard.check(method, &uri.parse().unwrap(), &map).map_err(|denied| denied.0.as_u16())
    }

    const HERE: (&str, &str) = ("host", "127.0.0.1:8080");
    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    #[test]
    fn only_names_that_nobody_else_can_point_here_are_served() {
        let guard = Guard::new(None, 8080);
        for host in
            ["127.0.0.1:8080", "localhost:8080", "LocalHost", "[::1]:8080", "127.3.2.1", "localhost:9090"]
        {
            assert_eq!(check(&guard, &Method::GET, "/", &[("host", host)]), Ok(Access::Granted), "{host}");
        }
        for host in
            ["evil.example:8080", "localhost.evil.example", "10.0.0.1:8080", "127.0.0.1.evil.example", ""]
        {
            assert_eq!(check(&guard, &Method::GET, "/", &[("host", host)]), Err(421), "{host}");
        }
        assert_eq!(check(&guard, &Method::GET, "/", &[]), Err(400));
        assert_eq!(check(&guard, &Method::GET, "/", &[HERE, HERE]), Err(400));
        assert_eq!(check(&guard, &Method::GET, "http://evil.example/", &[HERE]), Err(400));
    }

    #[test]
    fn requests_of_other_sites_are_refused() {
        let guard = Guard::new(None, 8080);
        let post = |headers: &[_]| check(&guard, &Method::POST, "/api/mo", &[&[HERE], headers].concat());
        assert_eq!(post(&[JSON]), Ok(Access::Granted));
        assert_eq!(post(&[JSON, ("origin", "http://127.0.0.1:8080")]), Ok(Access::Granted));
        assert_eq!(post(&[JSON, ("sec-fetch-site", "same-origin")]), Ok(Access::Granted));
        for origin in ["http://evil.example", "https://127.0.0.1:8080", "http://127.0.0.1:8081", "null"] {
            assert_eq!(post(&[JSON, ("origin", origin)]), Err(403), "{origin}");
        }
        for site in ["cross-site", "same-site", "none"] {
            assert_eq!(post(&[JSON, ("sec-fetch-site", site)]), Err(403), "{site}");
        }
        for content in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
            assert_eq!(post(&[("content-type", content)]), Err(415), "{content}");
        }
        assert_eq!(post(&[]), Err(415));
        let get = |site| check(&guard, &Method::GET, "/", &[HERE, ("sec-fetch-site", site)]);
        assert_eq!((get("none"), get("cross-site")), (Ok(Access::Granted), Err(403)));
    }

    #[test]
    fn the_token_is_required_for_every_request() {
        let token = Token::random().unwrap();
        let text = token.reveal().to_owned();
        assert_eq!(text.len(), 2 * TOKEN);
        assert_ne!(Token::random().unwrap().reveal(), text);
        assert!(!format!("{token:?}").contains(&text));
        let guard = Guard::new(Some(token), 8080);
        let there = ("host", "192.0.2.7:8080");
        for path in ["/", "/page.js", "/api/events", "/capture.pcap", "/?token=", "/?token=guessed"] {
            assert_eq!(check(&guard, &Method::GET, path, &[there]), Err(401), "{path}");
        }
        let first = check(&guard, &Method::GET, &format!("/?token={text}"), &[there]).unwrap();
        let Access::SetCookie(cookie) = first else { panic!("{first:?}") };
        assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        let cookies = format!("other=1; {pair}");
        let with_cookie = [there, ("cookie", &cookies)];
        assert_eq!(check(&guard, &Method::GET, "/api/events", &with_cookie), Ok(Access::Granted));
        let bearer = format!("Bearer {text}");
        assert_eq!(
            check(&guard, &Method::GET, "/", &[there, ("authorization", &bearer)]),
            Ok(Access::Granted)
        );
        assert_eq!(check(&guard, &Method::GET, &format!("/api/events?token={text}"), &[there]), Err(401));
        let wrong = format!("smpp_token_8080={}", "0".repeat(text.len()));
        assert_eq!(check(&guard, &Method::GET, "/", &[there, ("cookie", &wrong)]), Err(401));
        let foreign = [there, JSON, ("cookie", &*cookies), ("origin", "http://evil.example")];
        assert_eq!(check(&guard, &Method::POST, "/api/mo", &foreign), Err(403));
    }
}
