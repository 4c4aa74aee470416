//! Candidates: the processes that would project a read model. Processes with different configurations make different
//! rows of the same events, so one configuration counts: that of the live tables for as long as a candidate with it
//! lives, otherwise that of the candidate that began first. The others stand by, and say so.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::GenericClient;
use tokio_util::sync::CancellationToken;

use super::checkpoint::RowsVersion;
use super::{Projection, StandBy};
use crate::db::Database;
use crate::lifecycle::Backoff;

/// Interval between a candidate's signs of life.
const INTERVAL: Duration = Duration::from_secs(3);

/// How long a candidate counts as alive after its last sign, in seconds.
const ALIVE_SECONDS: f64 = 10.0;

/// The most bytes of a configuration that a message contains.
const SHOWN_MAX: usize = 160;

/// A process that would project read models.
#[derive(Clone)]
pub(super) struct Candidate {
    /// The holder of its leases.
    pub holder: String,
    /// The process, for people.
    pub process: String,
    /// Each projection, with the version and configuration that it makes rows with.
    pub projections: Arc<[(&'static Projection, RowsVersion)]>,
}

impl Candidate {
    /// Gives signs of life until `stop`, then withdraws.
    pub async fn keep_announcing(self, database: Database, stop: CancellationToken) {
        let mut backoff = Backoff::for_readiness();
        while !stop.is_cancelled() {
            // The projections report a database that is away.
            if self.announce_until_lost(&database, &stop).await.is_ok() {
                return;
            }
            backoff.wait(&stop).await;
        }
    }

    async fn announce_until_lost(
        &self,
        database: &Database,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let client = database.connect(None).await?;
        loop {
            self.announce(&client).await?;
            if stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
                return Ok(self.withdraw(&client).await?);
            }
        }
    }

    /// Gives a sign of life, and forgets candidates that gave none for a day.
    pub async fn announce(&self, client: &impl GenericClient) -> Result<(), tokio_postgres::Error> {
        let names: Vec<&str> = self.projections.iter().map(|(it, _)| it.name).collect();
        let versions: Vec<i32> = self.projections.iter().map(|(_, rows)| rows.version).collect();
        let configs: Vec<&str> =
            self.projections.iter().map(|(_, rows)| rows.config.as_str()).collect();
        client
            .execute(
                "-- candidate::announce
                 WITH gone AS (
                     DELETE FROM projection.candidate WHERE seen_at < clock_timestamp() - interval '1 day'
                 )
                 INSERT INTO projection.candidate (name, holder, process, version, config)
                 SELECT name, $1, $2, version, config
                 FROM unnest($3::text[], $4::integer[], $5::text[]) AS p (name, version, config)
                 ON CONFLICT (name, holder) DO UPDATE SET seen_at = clock_timestamp()",
                &[&self.holder, &self.process, &names, &versions, &configs],
            )
            .await?;
        Ok(())
    }

    async fn withdraw(&self, client: &impl GenericClient) -> Result<(), tokio_postgres::Error> {
        let statement = "-- candidate::withdraw
            DELETE FROM projection.candidate WHERE holder = $1";
        client.execute(statement, &[&self.holder]).await?;
        Ok(())
    }
}

/// A living candidate.
struct Living {
    projection: String,
    process: String,
    began_at: Timestamp,
    config: String,
}

/// Reads the living candidates of all projections of the newest version of each, the one whose configuration counts
/// first.
async fn living(client: &impl GenericClient) -> Result<Vec<Living>, tokio_postgres::Error> {
    let statement = "-- candidate::living
        SELECT c.name, c.process, c.began_at, c.config
        FROM projection.candidate AS c
        LEFT JOIN projection.checkpoint AS t ON t.name = c.name AND t.slot = 'live'
        WHERE c.seen_at > clock_timestamp() - make_interval(secs => $1)
          AND c.version = (SELECT max(version) FROM projection.candidate AS o
                           WHERE o.name = c.name AND o.seen_at > clock_timestamp() - make_interval(secs => $1))
        ORDER BY c.name, (c.version, c.config) IS DISTINCT FROM (t.version, t.config), c.began_at, c.holder";
    let rows = client.query(statement, &[&ALIVE_SECONDS]).await?;
    let living = |row: &tokio_postgres::Row| Living {
        projection: row.get(0),
        process: row.get(1),
        began_at: row.get(2),
        config: row.get(3),
    };
    Ok(rows.iter().map(living).collect())
}

/// Reads which process holds a projection; `None` while none does, or it has not announced itself.
pub(super) async fn find_holder(
    client: &impl GenericClient,
    projection: &Projection,
) -> Result<Option<String>, tokio_postgres::Error> {
    let row = client
        .query_opt(
            "-- candidate::find_holder
             SELECT c.process FROM projection.checkpoint AS t
             JOIN projection.candidate AS c ON c.name = t.name AND c.holder = t.holder
             WHERE t.name = $1 AND t.slot = 'live' AND t.lease_until > clock_timestamp()",
            &[&projection.name],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

/// Refuses a configuration while that of another process counts.
pub(super) async fn check(
    client: &impl GenericClient,
    projection: &Projection,
    rows_version: &RowsVersion,
) -> anyhow::Result<()> {
    let living = living(client).await?;
    let first = living.iter().find(|living| living.projection == projection.name);
    match first.filter(|first| first.config != rows_version.config) {
        Some(Living { process, config, .. }) => {
            let difference = difference(&rows_version.config, config);
            Err(StandBy::Conflict { process: process.clone(), difference }.into())
        }
        None => Ok(()),
    }
}

/// A process that stands by, because its configuration is not the one that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The projection's name.
    pub projection: String,
    /// The process that stands by.
    pub process: String,
    /// When it began.
    pub began_at: Timestamp,
    /// The process whose configuration counts.
    pub with: String,
    /// How the configurations differ.
    pub difference: String,
}

/// Reads which processes stand by because of their configuration.
///
/// # Errors
///
/// When the database does not answer.
pub async fn conflicts(
    client: &impl GenericClient,
) -> Result<Vec<Conflict>, tokio_postgres::Error> {
    let living = living(client).await?;
    let mut conflicts = Vec::new();
    for of_projection in living.chunk_by(|a, b| a.projection == b.projection) {
        let (first, rest) = (&of_projection[0], &of_projection[1..]);
        conflicts.extend(rest.iter().filter(|other| other.config != first.config).map(|other| {
            Conflict {
                projection: other.projection.clone(),
                process: other.process.clone(),
                began_at: other.began_at,
                with: first.process.clone(),
                difference: difference(&other.config, &first.config),
            }
        }));
    }
    Ok(conflicts)
}

/// Shows the first line in which each of two configurations differs from the other.
fn difference(own: &str, other: &str) -> String {
    let only = |in_: &str, of: &str| {
        let line = in_.lines().find(|line| of.lines().all(|other| other != *line));
        let line = line.map(|line| &line[..line.floor_char_boundary(SHOWN_MAX)]);
        line.unwrap_or("the same lines").to_owned()
    };
    format!("it has {}, the other one has {}", only(own, other), only(other, own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_the_first_line_of_each() {
        assert_eq!(
            difference("a = 1\nb = 2", "a = 1\nb = 3"),
            "it has b = 2, the other one has b = 3"
        );
        assert_eq!(difference("a", "a\nb"), "it has the same lines, the other one has b");
        let long = "č".repeat(100);
        assert!(difference(&long, "").starts_with(&format!("it has {}, ", "č".repeat(80))));
    }
}
