//! A publisher that sends what client libraries refuse to send: it lays the frames of AMQP 0-9-1 out itself.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::broker::TestBroker;

/// A connection with one channel, whose messages are confirmed.
pub struct RawPublisher(TcpStream);

/// A short string.
pub fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

/// A long string, or the entries of a table, with their length.
pub fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

impl RawPublisher {
    pub async fn connect(broker: &TestBroker) -> Self {
        let uri: lapin::uri::AMQPUri = broker.url.parse().unwrap();
        let (user, address) = (uri.authority.userinfo, (uri.authority.host, uri.authority.port));
        let mut publisher = RawPublisher(TcpStream::connect(address).await.unwrap());
        publisher.0.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
        publisher.expect(0, (10, 10)).await;
        let answer = format!("\0{}\0{}", user.username, user.password);
        let (no_properties, answer) = (long(b""), long(answer.as_bytes()));
        let start_ok = [no_properties, short(b"PLAIN"), answer, short(b"en_US")].concat();
        publisher.call(0, (10, 11), &start_ok).await;
        publisher.expect(0, (10, 30)).await;
        publisher.call(0, (10, 31), b"\0\x01\0\x02\0\0\0\0").await;
        let vhost = [short(uri.vhost.as_bytes()), short(b""), vec![0]].concat();
        publisher.call(0, (10, 40), &vhost).await;
        publisher.expect(0, (10, 41)).await;
        publisher.call(1, (20, 10), &short(b"")).await;
        publisher.expect(1, (20, 11)).await;
        publisher.call(1, (85, 10), b"\0").await;
        publisher.expect(1, (85, 11)).await;
        publisher
    }

    /// Publishes a message, and waits until the broker has it. `properties` are the flags of the properties, and the
    /// properties.
    pub async fn publish(&mut self, exchange: &str, key: &[u8], properties: &[u8], body: &[u8]) {
        let to = [vec![0, 0], short(exchange.as_bytes()), short(key), vec![0]].concat();
        self.call(1, (60, 40), &to).await;
        let header = [&b"\0\x3c\0\0"[..], &(body.len() as u64).to_be_bytes(), properties].concat();
        self.send(2, 1, &header).await;
        self.send(3, 1, body).await;
        self.expect(1, (60, 80)).await;
    }

    async fn call(&mut self, channel: u16, (class, method): (u16, u16), arguments: &[u8]) {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
        self.send(1, channel, &payload).await;
    }

    async fn send(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let frame = [&[kind][..], &channel.to_be_bytes(), &long(payload), b"\xce"].concat();
        self.0.write_all(&frame).await.unwrap();
    }

    async fn expect(&mut self, channel: u16, (class, method): (u16, u16)) {
        let mut header = [0; 7];
        self.0.read_exact(&mut header).await.unwrap();
        let length = u32::from_be_bytes(header[3..].try_into().unwrap());
        let mut payload = vec![0; length as usize + 1];
        self.0.read_exact(&mut payload).await.unwrap();
        let found = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
        let text = String::from_utf8_lossy(&payload);
        assert_eq!((header[0], found(0), found(2)), (1, class, method), "{text}");
        assert_eq!(header[1..3], channel.to_be_bytes());
    }
}
