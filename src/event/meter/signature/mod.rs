//! Ceilometer's signature of a sample: HMAC-SHA256 over all its names and values as Python writes
//! them.
//!
//! It hints at integrity but does not prove the origin: names and values are joined without separators,
//! and all publishers of a cloud share one secret.

mod pairs;
mod python;
mod repr;
#[cfg(test)]
mod tests;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::fields::string;
use super::super::json;
use super::shape;
use pairs::Pairs;
use python::Dialect;

/// Returns the indexes, in the list of [`samples`](super::samples), of the samples whose signature is
/// missing or wrong. `secret` is the publishers' `telemetry_secret`, once called `metering_secret`.
pub fn bad_signatures(body: &[u8], secret: &str) -> Vec<i32> {
    let key = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let (Ok(elements), Ok(key)) = (shape::elements(body), key) else { return Vec::new() };
    let is_bad = |span: &std::ops::Range<usize>| !is_signed(&body[span.clone()], &key);
    (0..).zip(&elements).filter_map(|(index, span)| is_bad(span).then_some(index)).collect()
}

/// Whether the sample has the right signature in any dialect.
fn is_signed(bytes: &[u8], key: &Hmac<Sha256>) -> bool {
    let is_signed = json::read(bytes, |text| -> serde_json::Result<bool> {
        let sample: Pairs = serde_json::from_str(text)?;
        let signature = sample.get("message_signature").and_then(string);
        let Some(signature) = signature.and_then(|digits| decode_hex(&digits)) else {
            return Ok(false);
        };
        let is_right = |signed| key.clone().chain_update(signed).verify_slice(&signature).is_ok();
        Ok(Dialect::ALL
            .into_iter()
            .map_while(|dialect| python::signed_text(&sample, bytes, text, dialect))
            .any(is_right))
    });
    is_signed.unwrap_or(false)
}

/// Decodes 64 hexadecimal digits in lower case, as Python writes them.
fn decode_hex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
        return None;
    }
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}
