//! Names of ids, as of a position of the log.

use tokio_postgres::GenericClient;

use crate::billing::VolumeTypeNames;

/// The condition for a row of `reported_name` to be the name that counted at the position `$1`.
const AS_OF: &str = "position <= $1 AND (superseded_at IS NULL OR superseded_at > $1)";

/// Reads the name of a project as of a position: of all names reported up to there, the one of the latest time.
/// `None` if none was.
///
/// # Errors
///
/// When the database does not answer.
pub async fn project_name(
    client: &impl GenericClient,
    project_id: &str,
    position: i64,
) -> Result<Option<String>, tokio_postgres::Error> {
    let statement = format!(
        "-- metering::project_name
         SELECT name FROM metering.reported_name
         WHERE kind = 'project' AND id = $2 AND {AS_OF}"
    );
    let row = client.query_opt(&statement, &[&position, &project_id]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// Reads the names of volume types as of a position.
///
/// # Errors
///
/// When the database does not answer.
pub async fn volume_type_names(
    client: &impl GenericClient,
    position: i64,
) -> Result<VolumeTypeNames, tokio_postgres::Error> {
    let statement = format!(
        "-- metering::volume_type_names
         SELECT id, name FROM metering.reported_name WHERE kind = 'volume_type' AND {AS_OF}"
    );
    let rows = client.query(&statement, &[&position]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Returns the expression of the name that counts now of the id that an expression gives.
pub(super) fn name_now(kind: &str, id: &str) -> String {
    format!(
        "(SELECT n.name FROM metering.reported_name AS n
          WHERE n.kind = '{kind}' AND n.id = {id} AND n.superseded_at IS NULL)"
    )
}
