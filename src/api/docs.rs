//! The API's documentation: `/openapi.json`, and Swagger UI at `/docs`.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::Components;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::Config;

use super::guard;
use crate::http::{Problem, Segments};

/// Lets Swagger UI load its own files and the icons inside its style sheet, and connect to this server only.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'",
);

/// The name of the way to send a token in `Authorization`.
const BEARER: &str = "bearer";

/// The name of the way to send it as clients of OpenStack do.
const OPENSTACK: &str = "x-auth-token";

/// Returns the description that routes are added to.
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

/// Returns the routes `/openapi.json` and `/docs`.
///
/// # Errors
///
/// When the description cannot be written as JSON.
pub(super) fn routes(mut description: OpenApi) -> anyhow::Result<Router> {
    add_common_parts(&mut description);
    let json = Bytes::from(description.to_json()?);
    let as_json = [(header::CONTENT_TYPE, "application/json")];
    let routes = Router::new().route("/openapi.json", get(async move || (as_json, json.clone())));
    Ok(routes.merge(swagger_ui()))
}

/// Returns the routes of Swagger UI. Its files are part of the program.
fn swagger_ui() -> Router {
    let config = Config::new(["/openapi.json"])
        .use_base_layout()
        .try_it_out_enabled(true)
        // By default the description's address is sent to a validator on the Internet.
        .validator_url("none");
    let config = Arc::new(config);
    let page = Arc::clone(&config);
    Router::new()
        // The page names its files relative to its own path.
        .route("/docs", get(async || Redirect::to("/docs/")))
        .route("/docs/", get(async move || file("index.html", page)))
        .route("/docs/{file}", get(async move |Segments([name]): Segments<1>| file(&name, config)))
}

/// Returns a file of Swagger UI.
fn file(name: &str, config: Arc<Config<'static>>) -> Result<Response, Problem> {
    let file = utoipa_swagger_ui::serve(name, config).map_err(|error| {
        tracing::error!(error = %error, "a file of the documentation cannot be served");
        Problem::internal()
    })?;
    let file = file.ok_or_else(|| Problem::not_found("the documentation has no such file"))?;
    let charset = if file.content_type.starts_with("text/") { "; charset=utf-8" } else { "" };
    let mut response = (
        [(header::CONTENT_TYPE, format!("{}{charset}", file.content_type))],
        [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)],
        Body::from(file.bytes),
    )
        .into_response();
    if file.gzpipped {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
    }
    Ok(response)
}

/// Adds to every route that it may answer a problem and may need a token.
fn add_common_parts(description: &mut OpenApi) {
    let components = description.components.get_or_insert_with(Components::new);
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components
        .security_schemes
        .insert(BEARER.to_owned(), SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)).into());
    components.security_schemes.insert(
        OPENSTACK.to_owned(),
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Auth-Token"))).into(),
    );
    let problem = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(problem)).build();
    let response = ResponseBuilder::new()
        .description("The reason why the request failed")
        .content("application/problem+json", content)
        .build();
    for (path, item) in &mut description.paths.paths {
        for operation in operations(item) {
            operation.responses.responses.insert("default".to_owned(), response.clone().into());
            if guard::needs_token(path) {
                let [bearer, openstack] = [BEARER, OPENSTACK]
                    .map(|name| SecurityRequirement::new::<_, [&str; 0], &str>(name, []));
                // Needed only if tokens are configured, hence the empty alternative.
                let anonymous = SecurityRequirement::default();
                operation.security = Some(vec![anonymous, bearer, openstack]);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post].into_iter().flatten()
}
