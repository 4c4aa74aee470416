//! Rows in COPY's binary format, laid out in memory and sent as one: the quickest way in. The
//! driver's own writer hands them over in pieces of 4 kB, each of them a switch of tasks.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;
use tokio_postgres::GenericClient;
use tokio_postgres::types::{IsNull, ToSql, Type};

/// Rows being laid out.
pub struct CopyRows {
    buffer: BytesMut,
}

impl CopyRows {
    /// No rows yet, room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut buffer = BytesMut::with_capacity(capacity);
        buffer.put_slice(b"PGCOPY\n\xff\r\n\0");
        buffer.put_i32(0); // flags
        buffer.put_i32(0); // length of the header's extension
        CopyRows { buffer }
    }

    /// Begins a row of that many columns.
    pub fn row(&mut self, columns: i16) {
        self.buffer.put_i16(columns);
    }

    /// A column's value, as it is on the wire.
    pub fn bytes(&mut self, value: &[u8]) {
        // Bodies are at most what a broker or the HTTP intake lets through, far below 2 GiB.
        self.buffer.put_i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
        self.buffer.put_slice(value);
    }

    /// A column without a value.
    pub fn null(&mut self) {
        self.buffer.put_i32(-1);
    }

    /// A column's value of a type that the driver knows.
    ///
    /// # Errors
    ///
    /// When the value does not fit the type.
    pub fn value(
        &mut self,
        value: &(dyn ToSql + Sync),
        sql: &Type,
    ) -> Result<(), Box<dyn std::error::Error + Sync + Send>> {
        let at = self.buffer.len();
        self.buffer.put_i32(-1);
        if let IsNull::No = value.to_sql_checked(sql, &mut self.buffer)? {
            let length = i32::try_from(self.buffer.len() - at - 4)?;
            self.buffer[at..at + 4].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Where the next byte goes.
    pub fn at(&self) -> usize {
        self.buffer.len()
    }

    /// Writes over eight bytes that stand at `at`.
    pub fn overwrite(&mut self, at: usize, value: i64) {
        self.buffer[at..at + 8].copy_from_slice(&value.to_be_bytes());
    }

    /// The whole stream.
    pub fn finish(mut self) -> Bytes {
        self.buffer.put_i16(-1);
        self.buffer.freeze()
    }
}

/// Sends rows to `COPY … FROM STDIN (FORMAT binary)`.
///
/// # Errors
///
/// When the server refuses a row, then all of them; or is away.
pub async fn copy_in(
    target: &impl GenericClient,
    statement: &str,
    rows: CopyRows,
) -> Result<u64, tokio_postgres::Error> {
    let mut sink = std::pin::pin!(target.client().copy_in(statement).await?);
    sink.send(rows.finish()).await?;
    sink.finish().await
}
