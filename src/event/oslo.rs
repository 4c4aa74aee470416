//! (to come)
use super::*;
/// x
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// x
    Zlib,
    /// x
    Bz2,
}
impl Compression {
    /// x
    pub fn from_header(_: &str) -> Option<Self> {
        None
    }
}
pub(super) fn decode(_: Vec<u8>, _: Option<Compression>) -> Result<Event, DecodeError> {
    Err(DecodeError::Empty)
}
