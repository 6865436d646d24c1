//! Who may come in by the TCP port: whoever shows the token, and never a web page that a browser was tricked into loading.
//! The unix socket has no need of it: the file system says who may open it.

use super::problem::{Code, Problem};
use super::token::Token;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Lets the request pass, or answers for the routes.
pub(super) async fn check(State(token): State<Token>, request: Request, next: Next) -> Response {
    match allow(&token, request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn allow(token: &Token, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let host = one(headers, &header::HOST)?;
    // A name can be made to point at this machine by anybody; an address cannot.
    if !host.is_some_and(names_this_machine) {
        return Err(Problem::new(Code::Forbidden, format!("the Host header says {:?}", host.unwrap_or("nothing")))
            .hint("use an address or localhost in the URL"));
    }
    let changes = !matches!(*method, Method::GET | Method::HEAD);
    if changes && let Some(origin) = one(headers, &header::ORIGIN)? {
        let same = origin.strip_prefix("http://") == host;
        if !same {
            return Err(Problem::new(Code::Forbidden, format!("a page of {origin:?} may not change anything here")));
        }
    }
    let shown = one(headers, &header::AUTHORIZATION)?
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if shown.is_some_and(|(_, text)| token.matches(text.trim())) {
        return Ok(());
    }
    let why = match shown {
        Some(_) => "the token is not this node's",
        None => "there is no `Authorization: Bearer …` header",
    };
    Err(Problem::new(Code::Unauthorized, why)
        .hint(format!("the token is in the file `{}` of the node's data directory", super::TOKEN_FILE)))
}

fn one<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    let text = first.map(|value| value.to_str()).transpose();
    match (text, values.next()) {
        (Ok(text), None) => Ok(text),
        _ => Err(Problem::new(Code::InvalidRequest, format!("the {name} header is malformed or given twice"))),
    }
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_others_control_are_not_this_machine() {
        for host in ["localhost", "localhost:8081", "127.0.0.1:80", "[::1]:80", "[::1]", "192.168.1.7"] {
            assert!(names_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example", ":80"] {
            assert!(!names_this_machine(host), "{host}");
        }
    }
}
