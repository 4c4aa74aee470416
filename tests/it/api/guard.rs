use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::database::database;
use crate::support::server::{Server, answer, refused};

#[tokio::test]
async fn a_token_is_needed() {
    let server = Server::with_tokens(&["one", "two"]).await;
    let get = |path: &str| server.http.get(server.url(path));
    for path in ["/v1/instances", "/metrics", "/docs", "/openapi.json", "/nothing"] {
        for request in [
            get(path),
            get(path).header("authorization", "Bearer on"),
            get(path).header("authorization", "Basic one"),
            get(path).header("authorization", "Bearer"),
            get(path).header("x-auth-token", "on"),
            get(path).header("x-auth-token", ""),
            get(path).header("x-auth-token", "Bearer one"),
        ] {
            assert_eq!(refused(request).await["status"], 401, "{path}");
        }
    }
    let challenged = get("/v1/instances").send().await.unwrap();
    assert_eq!(challenged.headers()["www-authenticate"], "Bearer realm=\"stackledger\"");
    assert_eq!(answer(get("/healthz")).await.0, 200);
    assert_eq!(answer(get("/readyz")).await.0, 503);
    for token in ["one", "two"] {
        assert_eq!(answer(get("/v1/instances").bearer_auth(token)).await.0, 200);
        // What a client of OpenStack sends, with or without another's header.
        let openstack = || get("/v1/instances").header("X-Auth-Token", token);
        assert_eq!(answer(openstack()).await.0, 200);
        assert_eq!(answer(openstack().header("authorization", "Basic eDp5")).await.0, 200);
    }
    assert_eq!(answer(get("/v1/instances").header("authorization", "bearer two")).await.0, 200);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let server = Server::start().await;
    assert_eq!(server.refused("/").await["status"], 404);
    assert_eq!(server.refused("/v1/nothing").await["status"], 404);
    let response = server.http.delete(server.url("/v1/events")).send().await.unwrap();
    assert_eq!(response.headers()["allow"], "GET,HEAD,POST");
    let problem = refused(server.http.delete(server.url("/v1/events"))).await;
    assert_eq!(problem["status"], 405);
    assert_eq!(refused(server.http.post(server.url("/healthz"))).await["status"], 405);

    let head = server.http.head(server.url("/v1/instances")).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.text().await.unwrap(), "");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let server = Server::start().await;
    let body = vec![b' '; (16 << 20) + 1];
    let problem = refused(server.http.post(server.url("/v1/events")).body(body)).await;
    assert_eq!(problem["status"], 413);
    let body = vec![b' '; 16 << 20];
    let problem = refused(server.http.post(server.url("/v1/events")).body(body)).await;
    assert_eq!(problem["status"], 400);
}

#[tokio::test]
async fn bodies_together_use_a_limited_amount_of_memory() {
    let server = Server::start().await;
    let address = server.base.trim_start_matches("http://");
    let begin_post = async |header: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("POST /v1/events HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    };
    // A body of unknown length counts as the largest allowed.
    let mut large = Vec::new();
    for _ in 0..3 {
        large.push(begin_post("Content-Length: 16000000").await);
    }
    large.push(begin_post("Transfer-Encoding: chunked").await);
    let post = |size| server.http.post(server.url("/v1/events")).body(vec![b' '; size]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(refused(post(10_000_000)).await["status"], 503);
    assert_eq!(refused(post(1000)).await["status"], 400);
    drop(large);
    crate::support::eventually("there is memory again", || async {
        answer(post(10_000_000)).await.0 == 400
    })
    .await;
}

#[tokio::test]
async fn slow_clients_hold_up_nobody() {
    let server = Server::start().await;
    let address = server.base.trim_start_matches("http://");
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
            .await
            .unwrap();
        slow.push(stream);
    }
    server.ok("/healthz").await;

    let started = std::time::Instant::now();
    server.stop.cancel();
    // Slow connections are closed without an answer.
    let mut server = server;
    (&mut server.served).await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(7), "{:?}", started.elapsed());
    let mut rest = Vec::new();
    let _ = slow[0].read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_hand() {
    let mut server = Server::start().await;
    let address = server.base.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream
        .write_all(b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n[")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.stop.cancel();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(TcpStream::connect(&address).await.is_err(), "nothing new is accepted");
    stream.write_all(b"]").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    (&mut server.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn without_the_database_answers_are_503() {
    let server = Server::start().await;
    server.ok("/v1/instances").await;
    // No new connections, and an end to the present ones.
    let name: String = server.sql.query_one("SELECT current_database()", &[]).await.unwrap().get(0);
    let others = database().await;
    let shut = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
    let end =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    others.superuser().await.batch_execute(&shut).await.unwrap();
    others.superuser().await.batch_execute(&end).await.unwrap();
    for path in ["/v1/instances", "/v1/events", "/ttm/api/v1.0/instances", "/readyz"] {
        assert_eq!(server.refused(path).await["status"], 503, "{path}");
    }
    server.ok("/healthz").await;
    let metrics = server.http.get(server.url("/metrics")).send().await.unwrap();
    assert_eq!(metrics.status(), 200);
}
