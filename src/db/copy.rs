//! Rows in COPY's binary format, encoded in memory and sent in large pieces: the fastest way into the database.
//! The driver's own writer sends pieces of 4 kB, each of which costs a switch of tasks; a single piece of
//! megabytes makes both sides allocate fresh memory for each batch.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;
use jiff::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use tokio_postgres::{GenericClient, Row, ToStatement};
use uuid::Uuid;

/// Rows being encoded for COPY.
pub struct CopyRows {
    buffer: BytesMut,
}

/// Size of one message to the server, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// The header of the stream: the signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// 2000-01-01, from which PostgreSQL counts µs, in µs since the Unix epoch.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl CopyRows {
    /// Creates an empty list of rows with space for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut buffer = BytesMut::with_capacity(capacity);
        buffer.put_slice(HEADER);
        CopyRows { buffer }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.buffer.len() == HEADER.len()
    }

    /// Begins a row of this many columns.
    pub fn row(&mut self, columns: i16) {
        self.buffer.put_i16(columns);
    }

    /// Adds a column's value in its binary format.
    pub fn bytes(&mut self, value: &[u8]) {
        // Bodies are limited by the broker and the HTTP intake to far less than 2 GiB.
        self.buffer.put_i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
        self.buffer.put_slice(value);
    }

    /// Adds a null.
    pub fn null(&mut self) {
        self.buffer.put_i32(-1);
    }

    /// Adds a text, or a null.
    pub fn text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.bytes(value.as_bytes()),
            None => self.null(),
        }
    }

    /// Adds a time, to the µs, or a null.
    pub fn time(&mut self, value: Option<Timestamp>) {
        match value {
            Some(at) => self.bytes(&(at.as_microsecond() - POSTGRES_EPOCH).to_be_bytes()),
            None => self.null(),
        }
    }

    /// Adds a UUID, or a null.
    pub fn uuid(&mut self, value: Option<Uuid>) {
        match value {
            Some(id) => self.bytes(id.as_bytes()),
            None => self.null(),
        }
    }

    /// Adds a plain decimal text (`-12.50`, no exponent) of any length as a `numeric`, or a null.
    ///
    /// # Errors
    ///
    /// When the text is not a plain decimal number, or longer than PostgreSQL's numbers.
    pub fn numeric(&mut self, value: Option<&str>) -> Result<(), NotWritable> {
        let Some(text) = value else {
            self.null();
            return Ok(());
        };
        let number = Numeric::parse(text).ok_or_else(|| {
            NotWritable(format!("{text:?} is not a decimal number that PostgreSQL can store"))
        })?;
        self.buffer.put_i32(8 + 2 * i32::from(number.count));
        self.buffer.put_i16(number.count);
        self.buffer.put_i16(number.weight);
        self.buffer.put_u16(if number.is_negative { 0x4000 } else { 0 });
        self.buffer.put_i16(number.scale);
        number.digits.iter().for_each(|digit| self.buffer.put_i16(*digit));
        Ok(())
    }

    /// Adds a value of a type that the driver supports.
    ///
    /// # Errors
    ///
    /// When the value does not fit the type.
    pub fn value(&mut self, value: &(dyn ToSql + Sync), sql: &Type) -> Result<(), NotWritable> {
        let refused =
            |error: Box<dyn std::error::Error + Sync + Send>| NotWritable(error.to_string());
        let at = self.buffer.len();
        self.buffer.put_i32(-1);
        if let IsNull::No = value.to_sql_checked(sql, &mut self.buffer).map_err(refused)? {
            let length = self.buffer.len() - at - 4;
            let length = i32::try_from(length).map_err(|error| refused(error.into()))?;
            self.buffer[at..at + 4].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Adds a column of a row as the server sent it, whatever its type: COPY uses the same binary format.
    pub fn sent(&mut self, row: &Row, column: usize) {
        match row.get(column) {
            WireValue(Some(value)) => self.bytes(value),
            WireValue(None) => self.null(),
        }
    }

    /// The offset of the next byte.
    pub fn at(&self) -> usize {
        self.buffer.len()
    }

    /// The bytes from the offset `at` on.
    pub fn since(&self, at: usize) -> &[u8] {
        &self.buffer[at..]
    }

    /// Overwrites the eight bytes at the offset `at`.
    pub fn overwrite(&mut self, at: usize, value: i64) {
        self.buffer[at..at + 8].copy_from_slice(&value.to_be_bytes());
    }

    /// Ends the stream and returns it.
    pub fn finish(mut self) -> Bytes {
        self.buffer.put_i16(-1);
        self.buffer.freeze()
    }
}

/// A value of any type, or a null, in its binary format.
struct WireValue<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for WireValue<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(WireValue(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(WireValue(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The error that a value does not fit the type of its column, with the reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotWritable(String);

/// A `numeric` in its binary format: digits in base 10 000, the first of which has the value of 10 000 to the
/// power of the weight.
struct Numeric {
    is_negative: bool,
    digits: Vec<i16>,
    count: i16,
    weight: i16,
    scale: i16,
}

impl Numeric {
    /// Number of decimal digits in a digit.
    const WIDTH: usize = 4;

    /// Parses a plain decimal text.
    fn parse(text: &str) -> Option<Self> {
        let plain = text.strip_prefix('-').unwrap_or(text);
        let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
        let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_plain(whole) || !is_plain(decimals) {
            return None;
        }
        let scale = i16::try_from(decimals.len()).ok()?;
        let wholes = whole.len().div_ceil(Self::WIDTH);
        let mut padded = format!("{whole:0>0$}{decimals}", wholes * Self::WIDTH);
        while padded.len() % Self::WIDTH > 0 {
            padded.push('0');
        }
        let digits: Option<Vec<i16>> = (0..padded.len())
            .step_by(Self::WIDTH)
            .map(|at| padded[at..at + 4].parse().ok())
            .collect();
        let mut digits = digits?;
        let leading = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..leading);
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let count = i16::try_from(digits.len()).ok()?;
        let weight = match count {
            0 => 0,
            _ => i16::try_from(wholes).ok()? - 1 - i16::try_from(leading).ok()?,
        };
        let is_negative = count > 0 && text.starts_with('-');
        Some(Numeric { is_negative, digits, count, weight, scale })
    }
}

/// Sends rows to `COPY … FROM STDIN (FORMAT binary)`.
///
/// # Errors
///
/// When the server refuses a row, in which case it stores none, or is away.
pub async fn copy_in(
    target: &impl GenericClient,
    statement: &(impl ToStatement + ?Sized),
    rows: CopyRows,
) -> Result<u64, tokio_postgres::Error> {
    let mut sink = std::pin::pin!(target.client().copy_in(statement).await?);
    let mut remaining = rows.finish();
    while !remaining.is_empty() {
        sink.feed(remaining.split_to(remaining.len().min(PIECE_BYTES))).await?;
    }
    sink.finish().await
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;

    /// Our encoding equals the driver's (except for zeros at the end of whole numbers).
    #[test]
    fn numbers_are_encoded_as_the_driver_encodes_them() {
        for text in
            ["0", "1", "-1", "9999", "10001", "0.5", "-12.50", "0.0001", "0.00001", "10000.00010"]
        {
            let (mut ours, mut theirs) = (CopyRows::with_capacity(0), CopyRows::with_capacity(0));
            ours.numeric(Some(text)).unwrap();
            let number: Decimal = text.parse().unwrap();
            theirs.value(&number, &Type::NUMERIC).unwrap();
            assert_eq!(ours.finish(), theirs.finish(), "{text}");
        }
    }

    #[test]
    fn only_plain_numbers_are_written() {
        for text in ["", "-", ".5", "1e3", "+1", "NaN", "1.2.3", " 1", "ú"] {
            assert!(CopyRows::with_capacity(0).numeric(Some(text)).is_err(), "{text}");
        }
    }
}
