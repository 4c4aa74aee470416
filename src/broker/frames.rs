//! Makes the frames of AMQP 0-9-1 readable that a broker sends. Short strings must be UTF-8 for the client library, which
//! ends the connection at any other one; brokers take any bytes from publishers, and would send the same message again
//! for ever. The bytes that are not UTF-8 become U+001A, the control character for what could not be read, which is as
//! long: nothing else of the frame changes, and the message's body never does.

/// What stands for a byte that is not UTF-8.
pub const SUBSTITUTE: char = '\u{1a}';

const SUBSTITUTE_BYTE: u8 = 0x1a;

/// A frame's type, channel and length.
const HEADER_LENGTH: usize = 7;
/// The header, and the byte that ends a frame.
const AROUND_PAYLOAD: usize = HEADER_LENGTH + 1;

/// Longest payload that is looked into: more than the frames that brokers are asked for.
const PAYLOAD_MAX: usize = 1 << 20;

/// How deep tables and lists may lie in each other: a stack has an end.
const DEPTH_MAX: usize = 64;

const METHOD: u8 = 1;
const CONTENT_HEADER: u8 = 2;

/// Where in a stream of frames the next bytes are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frames {
    /// The rest of a frame that needs no look.
    rest: usize,
}

impl Frames {
    /// Makes the frames readable that begin in `bytes`, which continue the stream. Returns how many of the bytes are
    /// done; the others belong to a frame that is to be looked into and has not arrived as a whole.
    pub fn make_readable(&mut self, bytes: &mut [u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            if self.rest > 0 {
                let passed = self.rest.min(bytes.len() - done);
                self.rest -= passed;
                done += passed;
                continue;
            }
            let [kind, _, _, a, b, c, d, ..] = bytes[done..] else { break };
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            if !matches!(kind, METHOD | CONTENT_HEADER) || length > PAYLOAD_MAX {
                self.rest = length.saturating_add(AROUND_PAYLOAD);
                continue;
            }
            let first = done + HEADER_LENGTH;
            let Some(payload) = bytes.get_mut(first..first + length + 1) else { break };
            let mut payload = Payload { bytes: &mut payload[..length], at: 0 };
            // A payload of another shape stays as it is.
            let _ = match kind {
                METHOD => payload.read_method(),
                _ => payload.read_content_header(),
            };
            done += length + AROUND_PAYLOAD;
        }
        done
    }
}

/// The payload of a frame, and how far it is read.
struct Payload<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Payload<'_> {
    /// Reads the methods that contain what publishers chose: the exchange and the routing key of a delivery.
    fn read_method(&mut self) -> Option<()> {
        match (self.u16()?, self.u16()?) {
            // basic.return
            (60, 50) => {
                self.skip(2)?;
                self.short_string()?;
            }
            // basic.deliver
            (60, 60) => {
                self.short_string()?;
                self.skip(9)?;
            }
            // basic.get-ok
            (60, 71) => self.skip(9)?,
            _ => return None,
        }
        self.short_string()?;
        self.short_string()
    }

    /// Reads the properties of a message.
    fn read_content_header(&mut self) -> Option<()> {
        self.skip(12)?;
        let flags = self.u16()?;
        for bit in (2..16).rev().filter(|bit| flags & (1 << bit) != 0) {
            match bit {
                // headers
                13 => self.table(0)?,
                // delivery_mode and priority
                12 | 11 => self.skip(1)?,
                // timestamp
                6 => self.skip(8)?,
                _ => self.short_string()?,
            }
        }
        Some(())
    }

    fn table(&mut self, depth: usize) -> Option<()> {
        let end = self.length()?;
        while self.at < end {
            self.short_string()?;
            self.value(depth)?;
        }
        Some(())
    }

    /// Reads a value, by the types that RabbitMQ uses.
    fn value(&mut self, depth: usize) -> Option<()> {
        let kind = *self.bytes.get(self.at)?;
        self.at += 1;
        match kind {
            b't' | b'b' | b'B' => self.skip(1),
            b's' | b'U' | b'u' => self.skip(2),
            b'I' | b'i' | b'f' => self.skip(4),
            b'D' => self.skip(5),
            b'L' | b'l' | b'd' | b'T' => self.skip(8),
            b'V' => Some(()),
            b'S' | b'x' => {
                self.at = self.length()?;
                Some(())
            }
            b'A' => {
                let end = self.length()?;
                while self.at < end {
                    self.value(within(depth)?)?;
                }
                Some(())
            }
            b'F' => self.table(within(depth)?),
            _ => None,
        }
    }

    /// Reads the length of what follows, and returns where that ends.
    fn length(&mut self) -> Option<usize> {
        let bytes = self.bytes.get(self.at..self.at + 4)?.try_into().ok()?;
        self.at += 4;
        let end = self.at.checked_add(u32::from_be_bytes(bytes) as usize)?;
        (end <= self.bytes.len()).then_some(end)
    }

    fn short_string(&mut self) -> Option<()> {
        let length = usize::from(*self.bytes.get(self.at)?);
        let first = self.at + 1;
        substitute(self.bytes.get_mut(first..first + length)?);
        self.at = first + length;
        Some(())
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.bytes.get(self.at..self.at + 2)?.try_into().ok()?;
        self.at += 2;
        Some(u16::from_be_bytes(bytes))
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.at += bytes;
        (self.at <= self.bytes.len()).then_some(())
    }
}

/// Returns the depth of what lies in a value of this depth; `None`: too deep to be read.
fn within(depth: usize) -> Option<usize> {
    (depth < DEPTH_MAX).then_some(depth + 1)
}

/// Replaces the bytes that are not UTF-8.
fn substitute(mut text: &mut [u8]) {
    while let Err(error) = std::str::from_utf8(text) {
        let (first, wrong) = (error.valid_up_to(), error.error_len());
        let rest = &mut text[first..];
        let wrong = wrong.unwrap_or(rest.len());
        rest[..wrong].fill(SUBSTITUTE_BYTE);
        text = &mut rest[wrong..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![kind, 0, 1];
        frame.extend((payload.len() as u32).to_be_bytes());
        frame.extend(payload);
        frame.push(0xce);
        frame
    }

    fn short(text: &[u8]) -> Vec<u8> {
        [&[text.len() as u8], text].concat()
    }

    fn table(entries: &[(&[u8], &[u8])]) -> Vec<u8> {
        let entries = entries.iter().flat_map(|(name, value)| [&short(name), *value].concat());
        let entries: Vec<u8> = entries.collect();
        [&(entries.len() as u32).to_be_bytes()[..], &entries].concat()
    }

    /// The header of a message with every property, its short strings being `text`.
    fn content_header(text: &[u8]) -> Vec<u8> {
        let nested = [&b"F"[..], &table(&[(text, b"t\x01")])].concat();
        let list = [&b"A"[..], &(nested.len() as u32).to_be_bytes(), &nested].concat();
        let headers = table(&[
            (text, b"S\0\0\0\x02\xff\xfe"),
            (b"list", &list),
            (b"number", b"l\xff\xff\xff\xff\xff\xff\xff\xff"),
            (text, b"V"),
        ]);
        let mut payload = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
        payload.extend([0xff, 0xfc]);
        for property in 0..14 {
            match property {
                2 => payload.extend(&headers),
                3 | 4 => payload.push(2),
                9 => payload.extend([0xff; 8]),
                _ => payload.extend(short(text)),
            }
        }
        frame(CONTENT_HEADER, &payload)
    }

    fn delivery(text: &[u8]) -> Vec<u8> {
        let mut payload = vec![0, 60, 0, 60];
        payload.extend(short(b"tag"));
        payload.extend([0xff; 9]);
        payload.extend(short(text));
        payload.extend(short(text));
        frame(METHOD, &payload)
    }

    fn stream(text: &[u8]) -> Vec<u8> {
        let body = frame(3, b"\xff\xfe\xfd\x00\x01");
        let heartbeat = frame(8, b"");
        let other = frame(METHOD, b"\0\x0a\0\x0a\xff\xff");
        let publish = [delivery(text), content_header(text), body].concat();
        [&other[..], &publish, &heartbeat, &publish].concat()
    }

    #[test]
    fn only_bytes_of_short_strings_that_are_not_utf_8_change() {
        let mut all = stream(b"a\xffb\xc3");
        assert_eq!(Frames::default().make_readable(&mut all), all.len());
        assert_eq!(all, stream(b"a\x1ab\x1a"));
        let mut readable = stream("č…".as_bytes());
        let before = readable.clone();
        Frames::default().make_readable(&mut readable);
        assert_eq!(readable, before);
    }

    #[test]
    fn a_frame_waits_until_it_is_whole_and_a_body_does_not() {
        let mut header = content_header(b"\xff");
        let length = header.len();
        assert_eq!(Frames::default().make_readable(&mut header[..length - 1]), 0);
        let mut body = frame(3, b"12345");
        let mut frames = Frames::default();
        assert_eq!(frames.make_readable(&mut body[..9]), 9);
        assert_eq!(frames.make_readable(&mut body[9..]), 4);
        assert_eq!(frames.make_readable(&mut header), length);
    }

    #[test]
    fn values_may_lie_in_each_other_as_deep_as_a_frame_allows() {
        let length = PAYLOAD_MAX - 100;
        let mut headers = short(b"deep");
        while headers.len() + 5 < length {
            headers.push(b'A');
            headers.extend(((length - headers.len() - 4) as u32).to_be_bytes());
        }
        headers.resize(length, b'V');
        let table = [&(length as u32).to_be_bytes()[..], &headers].concat();
        let payload = [&[0; 12][..], b"\x20\0", &table].concat();
        let mut deep = frame(CONTENT_HEADER, &payload);
        let before = deep.clone();
        assert_eq!(Frames::default().make_readable(&mut deep), before.len());
        assert_eq!(deep, before);
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_a_stream_arrives_do_not_matter(
            text in prop::collection::vec(any::<u8>(), 0..20),
            pieces in prop::collection::vec(1_usize..80, 1..200),
        ) {
            let mut whole = stream(&text);
            let mut frames = Frames::default();
            let (mut waiting, mut done) = (Vec::new(), Vec::new());
            let mut left = &whole.clone()[..];
            for piece in pieces.iter().chain(std::iter::repeat(&7)) {
                let (next, rest) = left.split_at((*piece).min(left.len()));
                waiting.extend(next);
                let count = frames.make_readable(&mut waiting);
                done.extend(waiting.drain(..count));
                left = rest;
                if left.is_empty() {
                    break;
                }
            }
            Frames::default().make_readable(&mut whole);
            prop_assert_eq!(done, whole);
            prop_assert!(waiting.is_empty());
        }

        #[test]
        fn any_bytes_are_accepted(mut bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0_u8..9) {
            let length = bytes.len();
            let mut framed = frame(kind, &bytes);
            prop_assert_eq!(Frames::default().make_readable(&mut framed), length + AROUND_PAYLOAD);
            prop_assert!(Frames::default().make_readable(&mut bytes) <= length);
        }

        #[test]
        fn a_short_string_becomes_utf_8_of_the_same_length(mut text in prop::collection::vec(any::<u8>(), 0..255)) {
            let length = text.len();
            substitute(&mut text);
            prop_assert!(std::str::from_utf8(&text).is_ok() && text.len() == length);
        }
    }
}
