//! Rows in COPY's binary format, laid out in memory and sent in large pieces: the quickest way in.
//! The driver's own writer hands them over in pieces of 4 kB, each of them a switch of tasks; a
//! single piece of megabytes makes both sides ask for fresh memory with each batch.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;
use jiff::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use tokio_postgres::{GenericClient, Row, ToStatement};
use uuid::Uuid;

/// Rows being laid out.
pub struct CopyRows {
    buffer: BytesMut,
}

/// Bytes of one message to the server.
const PIECE: usize = 64 << 10;

/// What stands before the first row.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// PostgreSQL counts µs from 2000-01-01; this is that day in Unix µs.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl CopyRows {
    /// No rows yet, room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut buffer = BytesMut::with_capacity(capacity);
        // The signature, no flags, no extension.
        buffer.put_slice(HEADER);
        CopyRows { buffer }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.buffer.len() == HEADER.len()
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

    /// A text, or none.
    pub fn text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.bytes(value.as_bytes()),
            None => self.null(),
        }
    }

    /// A time to the µs, or none.
    pub fn time(&mut self, value: Option<Timestamp>) {
        match value {
            Some(at) => self.bytes(&(at.as_microsecond() - POSTGRES_EPOCH).to_be_bytes()),
            None => self.null(),
        }
    }

    /// A UUID, or none.
    pub fn uuid(&mut self, value: Option<Uuid>) {
        match value {
            Some(id) => self.bytes(id.as_bytes()),
            None => self.null(),
        }
    }

    /// A plain decimal text (`-12.50`, no exponent) of any length as `numeric`, or none.
    ///
    /// # Errors
    ///
    /// When it is another text, or longer than PostgreSQL's numbers are.
    pub fn numeric(&mut self, value: Option<&str>) -> Result<(), NotNumeric> {
        let Some(text) = value else {
            self.null();
            return Ok(());
        };
        let number = Numeric::read(text).ok_or_else(|| NotNumeric(text.to_owned()))?;
        self.buffer.put_i32(8 + 2 * i32::from(number.count));
        self.buffer.put_i16(number.count);
        self.buffer.put_i16(number.weight);
        self.buffer.put_u16(if number.is_negative { 0x4000 } else { 0 });
        self.buffer.put_i16(number.scale);
        number.digits.iter().for_each(|digit| self.buffer.put_i16(*digit));
        Ok(())
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

    /// A column of a row as the server sent it, whatever its type: it sends what COPY takes.
    pub fn sent(&mut self, row: &Row, column: usize) {
        match row.get(column) {
            Sent(Some(value)) => self.bytes(value),
            Sent(None) => self.null(),
        }
    }

    /// Where the next byte goes.
    pub fn at(&self) -> usize {
        self.buffer.len()
    }

    /// The bytes from `at` on.
    pub fn since(&self, at: usize) -> &[u8] {
        &self.buffer[at..]
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

/// A value of any type, or none, in its binary format.
struct Sent<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Sent<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Sent(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Sent(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A text that is no decimal number.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no decimal number that PostgreSQL can hold")]
pub struct NotNumeric(String);

/// A `numeric` as it is on the wire: digits to the base 10 000, of which the first counts
/// 10 000 to the power of the weight.
struct Numeric {
    is_negative: bool,
    digits: Vec<i16>,
    count: i16,
    weight: i16,
    scale: i16,
}

impl Numeric {
    /// Decimals of a digit.
    const WIDTH: usize = 4;

    fn read(text: &str) -> Option<Self> {
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
/// When the server refuses a row, then all of them; or is away.
pub async fn copy_in(
    target: &impl GenericClient,
    statement: &(impl ToStatement + ?Sized),
    rows: CopyRows,
) -> Result<u64, tokio_postgres::Error> {
    let mut sink = std::pin::pin!(target.client().copy_in(statement).await?);
    let mut rest = rows.finish();
    while !rest.is_empty() {
        sink.feed(rest.split_to(rest.len().min(PIECE))).await?;
    }
    sink.finish().await
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;

    /// As the driver writes it (but zeros at the end of whole numbers).
    #[test]
    fn numbers_are_on_the_wire_as_those_of_the_driver() {
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
