//! A migrated database for each test, cloned from a template.

use sha2::{Digest, Sha256};
use stackledger::db::Database;
use stackledger::secret::ConnectionString;
use tokio_postgres::Client;

use super::{unique, variable};

/// A database of one test alone. It is dropped when the test succeeds.
pub struct TestDatabase {
    pub url: String,
    pub database: Database,
    base: String,
    name: String,
}

/// Clones the template. Its name contains the schema's hash, so that a changed migration leads to a new
/// template.
pub async fn database() -> TestDatabase {
    database_at(&variable("DATABASE_URL")).await
}

/// Creates a database that is not migrated.
pub async fn empty_database() -> TestDatabase {
    empty_database_at(&variable("DATABASE_URL")).await
}

/// As [`empty_database`], in the PostgreSQL of this URL.
pub async fn empty_database_at(base: &str) -> TestDatabase {
    let name = unique("sl_test");
    admin(base).await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    test_database(base, name)
}

/// As [`database`], in the PostgreSQL of this URL.
pub async fn database_at(base: &str) -> TestDatabase {
    let admin = admin(base).await;
    let template = template(base, &admin).await;
    let name = unique("sl_test");
    admin
        .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"))
        .await
        .unwrap();
    // A clone has everything except the rights on the database itself, which are not stored in it.
    let grant = format!("GRANT CREATE ON DATABASE {name} TO {}", stackledger::db::APP_ROLE);
    admin.batch_execute(&grant).await.unwrap();
    test_database(base, name)
}

fn test_database(base: &str, name: String) -> TestDatabase {
    let url = sibling(base, &name);
    let database = Database::new(Some(&ConnectionString::new(&url))).unwrap();
    TestDatabase { url, database, base: base.to_owned(), name }
}

impl TestDatabase {
    /// Connects as the application's role.
    pub async fn client(&self) -> Client {
        self.database.connect(None).await.unwrap()
    }

    /// Connects as the user of DATABASE_URL, who is a superuser in tests.
    pub async fn superuser(&self) -> Client {
        self.database.connect_as_given().await.unwrap()
    }

    /// Returns the number that a query selects.
    pub async fn number(&self, sql: &str) -> i64 {
        self.superuser().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Returns all rows of a query as JSON texts, in its order.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let sql = format!("SELECT to_jsonb(t)::text FROM ({sql}) AS t");
        let rows = self.superuser().await.query(&sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // The database of a failed test can be inspected; scripts/test stops the whole server.
        if std::thread::panicking() {
            return;
        }
        let (base, name) = (self.base.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let admin = admin(&base).await;
                let _ = admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
            });
        });
        let _ = dropped.join();
    }
}

async fn admin(base: &str) -> Client {
    let database = Database::new(Some(&ConnectionString::new(base))).unwrap();
    database.connect_as_given().await.unwrap_or_else(|error| {
        panic!("no PostgreSQL answers at {database} ({error}): run the tests with scripts/test")
    })
}

async fn template(base: &str, admin: &Client) -> String {
    let mut hash = Sha256::new();
    let mut files: Vec<_> =
        std::fs::read_dir("schema").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        hash.update(std::fs::read(file).unwrap());
    }
    let hash = hex::encode(&hash.finalize()[..6]);
    let name = format!("sl_template_{hash}");
    // Each test is a process: the first one creates the template, the others wait here.
    admin.batch_execute("SELECT pg_advisory_lock(hashtext('sl_template'))").await.unwrap();
    let exists = admin
        .query_opt("SELECT FROM pg_database WHERE datname = $1 AND datistemplate", &[&name])
        .await
        .unwrap();
    if exists.is_none() {
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let database = Database::new(Some(&ConnectionString::new(sibling(base, &name)))).unwrap();
        database.migrate().await.unwrap();
        // A template with a connected client cannot be cloned.
        while admin
            .query_opt("SELECT FROM pg_stat_activity WHERE datname = $1", &[&name])
            .await
            .unwrap()
            .is_some()
        {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        admin.batch_execute(&format!("ALTER DATABASE {name} IS_TEMPLATE true")).await.unwrap();
    }
    admin.batch_execute("SELECT pg_advisory_unlock(hashtext('sl_template'))").await.unwrap();
    name
}

/// Returns the URL of another database of the same server.
fn sibling(base: &str, name: &str) -> String {
    let (server, _) = base.rsplit_once('/').expect("DATABASE_URL ends in /database");
    format!("{server}/{name}")
}
