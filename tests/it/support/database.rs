//! A migrated database per test, cloned from a template.

use sha2::{Digest, Sha256};
use stackledger::db::Database;
use stackledger::secret::ConnectionString;
use tokio_postgres::Client;

use super::{unique, variable};

/// A database of its own; dropped when the test ends well.
pub struct TestDatabase {
    pub url: String,
    pub database: Database,
    base: String,
    name: String,
}

/// Clones the template. The template's name carries the schema's hash, so that a changed migration
/// makes a new one.
pub async fn database() -> TestDatabase {
    database_at(&variable("DATABASE_URL")).await
}

/// A database in which nobody has migrated.
pub async fn empty_database() -> TestDatabase {
    empty_database_at(&variable("DATABASE_URL")).await
}

/// As [`empty_database`], in the PostgreSQL of this URL.
pub async fn empty_database_at(base: &str) -> TestDatabase {
    let name = unique("sl_test");
    admin(base).await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    made(base, name)
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
    // A clone has everything but the rights on the database itself, which are not in it.
    let grant = format!("GRANT CREATE ON DATABASE {name} TO {}", stackledger::db::APP_ROLE);
    admin.batch_execute(&grant).await.unwrap();
    made(base, name)
}

fn made(base: &str, name: String) -> TestDatabase {
    let url = sibling(base, &name);
    let database = Database::new(Some(&ConnectionString::new(&url))).unwrap();
    TestDatabase { url, database, base: base.to_owned(), name }
}

impl TestDatabase {
    /// A connection as the application's role.
    pub async fn client(&self) -> Client {
        self.database.connect(None).await.unwrap()
    }

    /// A connection as whoever DATABASE_URL names: the tests' superuser.
    pub async fn superuser(&self) -> Client {
        self.database.connect_as_given().await.unwrap()
    }

    /// One number from the database.
    pub async fn number(&self, sql: &str) -> i64 {
        self.superuser().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// All rows of a query as text, ordered by it.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let sql = format!("SELECT to_jsonb(t)::text FROM ({sql}) AS t");
        let rows = self.superuser().await.query(&sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // What a failed test leaves is there to be looked at; scripts/test ends the whole server.
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
    // Tests run as processes of their own: the first makes it, the others wait here.
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
        // A template that somebody is connected to cannot be cloned.
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

/// The same server, another database.
fn sibling(base: &str, name: &str) -> String {
    let (server, _) = base.rsplit_once('/').expect("DATABASE_URL ends in /database");
    format!("{server}/{name}")
}
