//! What the server says of itself: `/openapi.json`, and a page that shows it.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::Components;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::http::Problem;

/// The page, whole in itself: it loads nothing but `/openapi.json`.
const PAGE: &str = include_str!("docs.html");

/// The description that routes are added to.
pub(super) fn info() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Stackledger")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "One immutable log of what a cloud reported; every answer is a projection of it.",
        ))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// `/openapi.json` and `/docs`.
pub(super) fn routes(mut description: OpenApi) -> anyhow::Result<Router> {
    add_what_all_share(&mut description);
    let json = axum::body::Bytes::from(description.to_json()?);
    let as_json = [(header::CONTENT_TYPE, "application/json")];
    let as_html = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // The page shows what the server answers: whatever that is, it stays text.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
        ),
    ];
    Ok(Router::new()
        .route("/openapi.json", get(async move || (as_json, json.clone())))
        .route("/docs", get(async move || (as_html, PAGE))))
}

/// Every route may answer a problem and may ask for a token.
fn add_what_all_share(description: &mut OpenApi) {
    let components = description.components.get_or_insert_with(Components::new);
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components.security_schemes.insert(
        "bearer".to_owned(),
        SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)).into(),
    );
    let problem = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(problem)).build();
    let response = ResponseBuilder::new()
        .description("What went wrong")
        .content("application/problem+json", content)
        .build();
    for (path, item) in &mut description.paths.paths {
        let is_open = matches!(path.as_str(), "/healthz" | "/readyz");
        for operation in operations(item) {
            operation.responses.responses.insert("default".to_owned(), response.clone().into());
            if !is_open {
                let token = SecurityRequirement::new::<_, [&str; 0], &str>("bearer", []);
                // Asked for only where tokens are configured.
                operation.security = Some(vec![SecurityRequirement::default(), token]);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post].into_iter().flatten()
}
