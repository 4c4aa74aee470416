//! `/openapi.json` and `/docs`.

use std::io::Read;

use flate2::read::GzDecoder;
use stackledger::projection;

use crate::support::server::{Server, answer};

/// A file of the documentation: its media type and its text.
async fn file(server: &Server, path: &str) -> (String, String) {
    let response = server.http.get(server.url(path)).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let headers = response.headers();
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; connect-src 'self'"), "{path}: {policy}");
    assert!(!policy.contains("http") && !policy.contains('*'), "{path}: {policy}");
    let media_type = headers["content-type"].to_str().unwrap().to_owned();
    let is_gzip = headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip");
    let bytes = response.bytes().await.unwrap();
    let mut plain = Vec::new();
    if is_gzip {
        GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
    } else {
        plain.extend_from_slice(&bytes);
    }
    (media_type, String::from_utf8_lossy(&plain).into_owned())
}

/// The values of the attributes that make a browser load a file.
fn loaded_files(page: &str) -> Vec<&str> {
    let attributes = ["src=\"", "href=\""];
    let values = attributes.iter().flat_map(|attribute| page.split(attribute).skip(1));
    values.map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn the_page_loads_its_own_files_and_nothing_from_elsewhere() {
    let server = Server::start().await;
    let (media_type, page) = file(&server, "/docs").await;
    assert_eq!(media_type, "text/html; charset=utf-8");
    assert!(!page.contains("://"), "{page}");
    let files = loaded_files(&page);
    assert!(files.len() >= 5, "{files:?}");
    for name in files {
        assert!(!name.starts_with('/') && !name.contains(':'), "{name}");
        let (_, text) = file(&server, &format!("/docs/{name}")).await;
        assert!(!text.is_empty(), "{name}");
        if name.ends_with(".css") {
            let mut urls = text.split("url(").skip(1);
            let is_inside = |url: &str| url.trim_start_matches('"').starts_with("data:");
            assert!(urls.all(is_inside), "{name}");
        }
    }
    let (_, start) = file(&server, "/docs/swagger-initializer.js").await;
    assert!(start.contains(r#""url": "/openapi.json""#), "{start}");
    assert!(start.contains(r#""validatorUrl": "none""#), "{start}");
    assert!(!start.contains("://") && !start.contains("{{"), "{start}");
    assert_eq!(server.refused("/docs/nothing.js").await["status"], 404);
}

#[tokio::test]
async fn the_page_and_its_files_need_a_token_as_every_route_does() {
    let server = Server::with_tokens(&["one"]).await;
    for path in ["/docs", "/docs/", "/docs/swagger-ui.css", "/openapi.json"] {
        let get = server.http.get(server.url(path));
        assert_eq!(answer(get.try_clone().unwrap()).await.0, 401, "{path}");
        assert_eq!(answer(get.bearer_auth("one")).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn the_description_contains_the_routes_of_every_projection() {
    let server = Server::start().await;
    let description = server.ok("/openapi.json").await;
    for projection in projection::ALL {
        for path in (projection.routes)().into_openapi().paths.paths.keys() {
            let is_described = description["paths"][path].is_object();
            assert!(is_described, "{path} of {}", projection.name);
        }
    }
    let families = &description["paths"]["/v1/events"]["get"]["parameters"];
    let family = families.as_array().unwrap().iter().find(|named| named["name"] == "family");
    let pattern = family.unwrap()["schema"]["pattern"].as_str().unwrap();
    for family in stackledger::event::Family::ALL {
        assert!(pattern.contains(family.as_str()), "{pattern}");
    }
}
