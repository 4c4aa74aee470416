//! A MariaDB database for each test.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use super::{unique, variable};

/// A database of one test alone. It is dropped when the test succeeds.
pub struct TestMariadb {
    pub url: String,
    base: String,
    name: String,
}

/// Creates an empty database.
pub async fn mariadb() -> TestMariadb {
    mariadb_at(&variable("MARIADB_URL")).await
}

/// As [`mariadb`], in the MariaDB of this URL.
pub async fn mariadb_at(base: &str) -> TestMariadb {
    let base = base.trim_end_matches('/').to_owned();
    let name = unique("sl_test");
    let mut admin = connect(&base).await;
    admin.query_drop(format!("CREATE DATABASE {name}")).await.unwrap();
    admin.disconnect().await.unwrap();
    TestMariadb { url: format!("{base}/{name}"), base, name }
}

async fn connect(url: &str) -> Conn {
    let opts = Opts::from_url(url).expect("MARIADB_URL is mysql://user:password@host:port");
    Conn::new(opts).await.unwrap_or_else(|error| {
        panic!("no MariaDB answers at MARIADB_URL ({error}): run the tests with scripts/test")
    })
}

impl TestMariadb {
    /// Runs one statement.
    pub async fn execute(&self, sql: &str) {
        let mut conn = connect(&self.url).await;
        conn.query_drop(sql).await.unwrap();
        conn.disconnect().await.unwrap();
    }

    /// The first column of a query, as text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let mut conn = connect(&self.url).await;
        let texts = conn.query(sql).await.unwrap();
        conn.disconnect().await.unwrap();
        texts
    }
}

impl Drop for TestMariadb {
    fn drop(&mut self) {
        // As in PostgreSQL, the database of a failed test can be inspected.
        if std::thread::panicking() {
            return;
        }
        let (base, name) = (self.base.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut admin = connect(&base).await;
                let _ = admin.query_drop(format!("DROP DATABASE {name}")).await;
            });
        });
        let _ = dropped.join();
    }
}
