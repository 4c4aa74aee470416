//! The version of a broker, which it sends before a client logs in. The client library keeps it to itself.

use std::io;
use std::time::Duration;

use lapin::uri::AMQPUri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::secret::ConnectionString;

/// How long a broker may take to send its version.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The protocol header of AMQP 0-9-1.
const PROTOCOL_HEADER: &[u8] = b"AMQP\0\0\x09\x01";

/// The product whose versions are known.
pub(super) const RABBITMQ: &str = "RabbitMQ";

/// Bytes of a frame before its payload: type, channel, and the payload's size.
const FRAME_HEADER_BYTES: usize = 7;

/// Maximum size of the broker's first frame, in bytes; RabbitMQ's has about 500.
const START_BYTES_MAX: usize = 64 << 10;

/// A broker's product and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerVersion {
    product: String,
    version: String,
}

impl BrokerVersion {
    /// Whether the queue argument `x-delivery-limit = -1` switches the limit off. RabbitMQ 3 accepts the
    /// argument, too, and then drops every message that is delivered a second time.
    pub fn can_switch_limit_off(&self) -> bool {
        let major = self.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        self.product == RABBITMQ && major.is_some_and(|major| major >= 4)
    }

    /// A version of RabbitMQ.
    pub(super) fn of_rabbitmq(version: String) -> BrokerVersion {
        BrokerVersion { product: RABBITMQ.to_owned(), version }
    }

    /// Reads the server's properties in a `connection.start` frame.
    fn from_start(frame: &[u8]) -> Option<BrokerVersion> {
        let product = find_property(frame, "product")?;
        Some(BrokerVersion { product, version: find_property(frame, "version")? })
    }
}

/// Reads the version of the broker at this URL, over a connection of its own.
///
/// # Errors
///
/// When it is away or sends something else.
pub async fn read_version(url: &ConnectionString) -> io::Result<BrokerVersion> {
    let uri: AMQPUri = url.expose().parse().map_err(io::Error::other)?;
    let frame = tokio::time::timeout(TIMEOUT, read_start(&uri.authority.host, uri.authority.port));
    let frame = frame.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    BrokerVersion::from_start(&frame)
        .ok_or_else(|| io::Error::other("the broker does not send its version"))
}

/// Reads the payload of the first frame that a broker sends.
async fn read_start(host: &str, port: u16) -> io::Result<Vec<u8>> {
    // The host of a URL with an IPv6 address has brackets.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(PROTOCOL_HEADER).await?;
    let mut header = [0; FRAME_HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    let [_, _, _, size @ ..] = header;
    let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if size > START_BYTES_MAX {
        return Err(io::Error::other("the broker does not speak AMQP 0-9-1"));
    }
    let mut payload = vec![0; size];
    stream.read_exact(&mut payload).await?;
    Ok(payload)
}

/// Returns the text of a property: its name with its length before it, the type `S`, and the text with its length
/// before it.
fn find_property(frame: &[u8], name: &str) -> Option<String> {
    let key = [&[u8::try_from(name.len()).ok()?], name.as_bytes(), b"S"].concat();
    let at = frame.windows(key.len()).position(|window| window == key)? + key.len();
    let (size, rest) = frame.get(at..)?.split_first_chunk()?;
    let text = rest.get(..usize::try_from(u32::from_be_bytes(*size)).ok()?)?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start(product: &str, version: &str) -> Vec<u8> {
        let mut frame = b"\0\x0a\0\x0a\0\x09\0\0\0\0\x0ccapabilitiesF\0\0\0\0".to_vec();
        for (name, text) in [("platform", "Erlang/OTP"), ("product", product), ("version", version)]
        {
            frame.push(name.len() as u8);
            frame.extend(name.as_bytes());
            frame.push(b'S');
            frame.extend((text.len() as u32).to_be_bytes());
            frame.extend(text.as_bytes());
        }
        frame
    }

    #[test]
    fn the_limit_can_be_taken_off_from_rabbitmq_4_on() {
        for (product, version, expected) in [
            ("RabbitMQ", "3.10.8", false),
            ("RabbitMQ", "3.13.7", false),
            ("RabbitMQ", "4.0.5", true),
            ("RabbitMQ", "4.3.6", true),
            ("RabbitMQ", "10.0.0-beta.1", true),
            ("RabbitMQ", "unknown", false),
            ("LavinMQ", "4.0.0", false),
        ] {
            let version = BrokerVersion::from_start(&start(product, version)).unwrap();
            assert_eq!(version.can_switch_limit_off(), expected, "{version:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_version_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..120) {
            let _ = BrokerVersion::from_start(&bytes);
            let whole = start("RabbitMQ", "4.0.5");
            let _ = BrokerVersion::from_start(&whole[..cut.min(whole.len())]);
        }
    }
}
