//! Compression of a body by the transport.

use std::io::{Error, ErrorKind, Read};

use brotli_decompressor::BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW;
use lzma_rust2::{LzmaReader, XzReader};
use ruzstd::decoding::StreamingDecoder;

use super::DecodeError;

/// The largest body after decompression, in bytes. RabbitMQ's own limit is lower.
const DECOMPRESSED_MAX: u64 = 64 << 20;

/// The most memory of a decoder, in KiB: that of LZMA's largest preset, which is a window of 64 MiB. The header of
/// a few bytes may ask for 4 GiB.
const DECODER_KIB_MAX: u32 = 65 << 10;

/// The largest window of zstd that is accepted, in bytes, as in its own library.
const ZSTD_WINDOW_MAX: u64 = 128 << 20;

/// Bytes that brotli's decoder reads at once.
const BROTLI_BUFFER: usize = 4096;

/// The first bytes of an xz stream.
const XZ_MAGIC: &[u8] = b"\xfd7zXZ\0";

/// The compression of a body: all that kombu has, of which oslo.messaging's `kombu_compression` is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// zlib or gzip. Kombu's `gzip` is a zlib stream; other publishers mean gzip by that name.
    Zlib,
    /// bzip2.
    Bz2,
    /// xz, or the older format `.lzma`. Kombu's `lzma` is an xz stream.
    Xz,
    /// Zstandard.
    Zstd,
    /// Brotli, which cannot be recognized by its first bytes.
    Brotli,
}

impl Compression {
    /// The compression that the AMQP header `compression` or an HTTP `Content-Encoding` names. `None`
    /// for an unknown name.
    pub fn from_header(header: &str) -> Option<Compression> {
        let name = header.trim().to_ascii_lowercase();
        let name = name.strip_prefix("application/").unwrap_or(&name);
        match name.strip_prefix("x-").unwrap_or(name) {
            "gzip" | "zlib" | "deflate" => Some(Compression::Zlib),
            "bz2" | "bzip2" | "bzip" => Some(Compression::Bz2),
            "lzma" | "xz" => Some(Compression::Xz),
            "zstd" | "zstandard" => Some(Compression::Zstd),
            "brotli" | "br" => Some(Compression::Brotli),
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
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
            _ if body.starts_with(XZ_MAGIC) => Some(Compression::Xz),
            _ => None,
        }
    }

    /// Decompresses a body.
    ///
    /// # Errors
    ///
    /// When it is not compressed in this way, is damaged, decompresses to more than 64 MiB, or takes more memory
    /// to decompress than any publisher's.
    pub(super) fn decompress(self, body: &[u8]) -> Result<Vec<u8>, DecodeError> {
        match self {
            Compression::Zlib if body.starts_with(&[0x1f, 0x8b]) => {
                read_all("gzip", flate2::bufread::MultiGzDecoder::new(body))
            }
            Compression::Zlib => read_all("zlib", flate2::bufread::ZlibDecoder::new(body)),
            Compression::Bz2 => read_all("bzip2", bzip2::bufread::MultiBzDecoder::new(body)),
            Compression::Xz if body.starts_with(XZ_MAGIC) => {
                read_all("xz", XzReader::new_mem_limit(body, true, DECODER_KIB_MAX))
            }
            Compression::Xz => match LzmaReader::new_mem_limit(body, DECODER_KIB_MAX, None) {
                Ok(decoder) => read_all("lzma", decoder),
                Err(error) => Err(DecodeError::Compression("lzma", error.to_string())),
            },
            Compression::Zstd => read_all("zstd", ZstdFrames { rest: body, frame: None }),
            Compression::Brotli => {
                let mut decoder = brotli_decompressor::Decompressor::new(body, BROTLI_BUFFER);
                // The window is at most 16 MiB without this extension, and 1 GiB with it.
                decoder.set_parameter(BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
                read_all("brotli", decoder)
            }
        }
    }
}

/// The frames of a zstd stream, one after the other.
struct ZstdFrames<'a> {
    /// The bytes after the frames that were begun.
    rest: &'a [u8],
    frame: Option<StreamingDecoder<&'a [u8], ruzstd::decoding::FrameDecoder>>,
}

impl Read for ZstdFrames<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        // An empty body is no stream of zero frames.
        let mut frame = match self.frame.take() {
            Some(frame) => frame,
            None => begin_frame(self.rest)?,
        };
        loop {
            let count = frame.read(out)?;
            if count > 0 || out.is_empty() {
                self.frame = Some(frame);
                return Ok(count);
            }
            let checksum = frame.decoder.get_checksum_from_data();
            if checksum.is_some() && checksum != frame.decoder.get_calculated_checksum() {
                return Err(Error::new(ErrorKind::InvalidData, "its checksum is wrong"));
            }
            self.rest = frame.get_ref();
            if self.rest.is_empty() {
                self.frame = Some(frame);
                return Ok(0);
            }
            frame = begin_frame(self.rest)?;
        }
    }
}

/// Reads the header of the frame that the bytes begin with.
fn begin_frame(
    bytes: &[u8],
) -> std::io::Result<StreamingDecoder<&[u8], ruzstd::decoding::FrameDecoder>> {
    StreamingDecoder::new_with_max_window_size(bytes, ZSTD_WINDOW_MAX).map_err(Error::other)
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

    use proptest::prelude::*;

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
        for name in ["application/x-lzma", "lzma", "xz"] {
            assert_eq!(Compression::from_header(name), Some(Compression::Xz), "{name}");
        }
        for name in ["application/zstd", "zstandard"] {
            assert_eq!(Compression::from_header(name), Some(Compression::Zstd), "{name}");
        }
        for name in ["application/x-brotli", "brotli", "br"] {
            assert_eq!(Compression::from_header(name), Some(Compression::Brotli), "{name}");
        }
        for name in ["application/snappy", "", "application/"] {
            assert_eq!(Compression::from_header(name), None, "{name}");
        }
    }

    /// A body as kombu compresses it, by the end of its file's name.
    fn fixture(end: &str) -> Vec<u8> {
        let path = format!("{}/fixtures/envelope/compressed.{end}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap()
    }

    const KOMBU: [(&str, Compression); 5] = [
        ("zlib", Compression::Zlib),
        ("bz2", Compression::Bz2),
        ("xz", Compression::Xz),
        ("zst", Compression::Zstd),
        ("br", Compression::Brotli),
    ];

    #[test]
    fn every_compression_of_kombu_is_read_and_recognized() {
        let plain = Compression::Zlib.decompress(&fixture("zlib")).unwrap();
        for (end, compression) in KOMBU {
            let body = fixture(end);
            assert_eq!(compression.decompress(&body).unwrap(), plain, "{end}");
            let recognized = Some(compression).filter(|_| compression != Compression::Brotli);
            assert_eq!(Compression::sniff(&body), recognized, "{end}");
        }
    }

    /// As kombu's `decompress`, which accepts the older format too.
    #[test]
    fn the_older_format_of_lzma_is_read() {
        let plain = Compression::Zlib.decompress(&fixture("zlib")).unwrap();
        assert_eq!(Compression::Xz.decompress(&fixture("lzma")).unwrap(), plain);
    }

    #[test]
    fn a_stream_of_two_frames_is_read_to_its_end() {
        let twice = [fixture("zst"), fixture("zst")].concat();
        let plain = Compression::Zstd.decompress(&fixture("zst")).unwrap();
        assert_eq!(Compression::Zstd.decompress(&twice).unwrap(), plain.repeat(2));
        let error = Compression::Zstd.decompress(&[fixture("zst"), b"{}".to_vec()].concat());
        assert!(matches!(error, Err(DecodeError::Compression("zstd", _))), "{error:?}");
    }

    #[test]
    fn every_cut_or_foreign_body_is_damaged() {
        for (end, compression) in KOMBU {
            let body = fixture(end);
            for length in (0..body.len()).step_by(7) {
                let cut = compression.decompress(&body[..length]);
                assert!(matches!(cut, Err(DecodeError::Compression(..))), "{end} {length} {cut:?}");
            }
            let none = compression.decompress(br#"{"a": 1}"#);
            assert!(matches!(none, Err(DecodeError::Compression(..))), "{end} {none:?}");
        }
    }

    proptest! {
        #[test]
        fn any_change_of_a_body_is_harmless(
            which in 0..KOMBU.len(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            body: Vec<u8>,
        ) {
            let (end, compression) = KOMBU[which];
            let mut changed = fixture(end);
            for (at, byte) in changes {
                let at = at.index(changed.len());
                changed[at] = byte;
            }
            let _ = compression.decompress(&changed);
            let _ = compression.decompress(&body);
        }
    }

    /// Bombs of each kind, and headers that ask for the most memory.
    #[test]
    fn no_bomb_of_kombus_goes_off() {
        for end in ["xz", "zst", "br"] {
            let path = format!("{}/fixtures/poison/bomb.{end}", env!("CARGO_MANIFEST_DIR"));
            let (_, compression) = KOMBU.into_iter().find(|(name, _)| *name == end).unwrap();
            let error = compression.decompress(&std::fs::read(path).unwrap()).unwrap_err();
            let error = error.to_string();
            assert!(error.ends_with("it contains more than 64 MiB"), "{end}: {error}");
        }
        // .lzma with a window of 4 GiB; zstd with one of 1 TiB; brotli's large window.
        let lzma = [&[0x5d][..], &[0xff; 12], &[0; 32]].concat();
        let zstd = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 0xf0][..], &[0; 32]].concat();
        let brotli = [&[0x11, 30][..], &[0; 32]].concat();
        for (compression, body) in
            [(Compression::Xz, lzma), (Compression::Zstd, zstd), (Compression::Brotli, brotli)]
        {
            let error = compression.decompress(&body);
            assert!(matches!(error, Err(DecodeError::Compression(..))), "{error:?}");
        }
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
