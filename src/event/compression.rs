//! Compression of a body by the transport.

use std::io::Read;

use super::DecodeError;

/// The largest body after decompression, in bytes. RabbitMQ's own limit is lower.
const DECOMPRESSED_MAX: u64 = 64 << 20;

/// The compression of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// zlib or gzip. Kombu's `gzip` is a zlib stream; other publishers mean gzip by that name.
    Zlib,
    /// bzip2.
    Bz2,
}

impl Compression {
    /// The compression that the AMQP header `compression` or an HTTP `Content-Encoding` names. `None`
    /// for an unknown name.
    pub fn from_header(header: &str) -> Option<Compression> {
        let name = header.trim().to_ascii_lowercase();
        let name = name.strip_prefix("application/").unwrap_or(&name);
        match name.strip_prefix("x-").unwrap_or(name) {
            "gzip" | "zlib" | "deflate" => Some(Compression::Zlib),
            "bz2" | "bzip2" => Some(Compression::Bz2),
            _ => None,
        }
    }

    /// Recognizes a compression by the body's first bytes. JSON never begins with these.
    pub(super) fn sniff(body: &[u8]) -> Option<Compression> {
        match body {
            [0x1f, 0x8b, ..] => Some(Compression::Zlib),
            // The second byte of a zlib stream makes the first two a multiple of 31.
            [0x78, flags, ..] if (0x7800 + u16::from(*flags)).is_multiple_of(31) => {
                Some(Compression::Zlib)
            }
            [b'B', b'Z', b'h', ..] => Some(Compression::Bz2),
            _ => None,
        }
    }

    /// Decompresses a body.
    ///
    /// # Errors
    ///
    /// When it is not compressed in this way, is damaged, or decompresses to more than 64 MiB.
    pub(super) fn decompress(self, body: &[u8]) -> Result<Vec<u8>, DecodeError> {
        match self {
            Compression::Zlib if body.starts_with(&[0x1f, 0x8b]) => {
                read_all("gzip", flate2::bufread::MultiGzDecoder::new(body))
            }
            Compression::Zlib => read_all("zlib", flate2::bufread::ZlibDecoder::new(body)),
            Compression::Bz2 => read_all("bzip2", bzip2::bufread::MultiBzDecoder::new(body)),
        }
    }
}

/// Reads from `decoder` to its end, up to [`DECOMPRESSED_MAX`] bytes.
fn read_all(name: &'static str, decoder: impl Read) -> Result<Vec<u8>, DecodeError> {
    let mut body = Vec::new();
    decoder
        .take(DECOMPRESSED_MAX + 1)
        .read_to_end(&mut body)
        .map_err(|error| DecodeError::Compression(name, error.to_string()))?;
    if body.len() as u64 > DECOMPRESSED_MAX {
        let reason = format!("it contains more than {} MiB", DECOMPRESSED_MAX >> 20);
        return Err(DecodeError::Compression(name, reason));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn headers_name_compressions() {
        for name in ["application/x-gzip", "gzip", "application/zlib", "GZip"] {
            assert_eq!(Compression::from_header(name), Some(Compression::Zlib), "{name}");
        }
        for name in ["application/x-bz2", "bzip2"] {
            assert_eq!(Compression::from_header(name), Some(Compression::Bz2), "{name}");
        }
        assert_eq!(Compression::from_header("application/zstd"), None);
    }

    #[test]
    fn a_cut_stream_is_damaged() {
        let whole = zlib(br#"{"a": 1}"#);
        assert_eq!(Compression::sniff(&whole), Some(Compression::Zlib));
        assert_eq!(Compression::Zlib.decompress(&whole).unwrap(), br#"{"a": 1}"#);
        let cut = Compression::Zlib.decompress(&whole[..whole.len() - 2]);
        assert!(matches!(cut, Err(DecodeError::Compression("zlib", _))), "{cut:?}");
        let none = Compression::Bz2.decompress(br#"{"a": 1}"#);
        assert!(matches!(none, Err(DecodeError::Compression("bzip2", _))), "{none:?}");
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let bomb = zlib(&vec![b' '; (DECOMPRESSED_MAX as usize) + 1]);
        let error = Compression::Zlib.decompress(&bomb).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the body does not decompress as zlib: it contains more than 64 MiB"
        );
    }
}
