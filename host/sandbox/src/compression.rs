//! Compression that guests ask for: the host does it, faster than they could.

use crate::egress::{Failure, FailureKind};
use std::io::Write as _;

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// RFC 1952.
    Gzip,
    /// RFC 8878, one frame that tells its size.
    Zstd,
    /// One frame of the LZ4 frame format, its blocks independent of each other: what Kafka takes.
    Lz4,
    /// One block of the raw Snappy format, without framing: what Kafka's clients take.
    Snappy,
}

impl Codec {
    /// Reads the contract's name of a codec.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            "lz4" => Some(Self::Lz4),
            "snappy" => Some(Self::Snappy),
            _ => None,
        }
    }

    /// The contract's name, and of those that HTTP knows the content coding (RFC 9110, RFC 8878).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Snappy => "snappy",
        }
    }

    /// True if HTTP knows it as a content coding.
    #[must_use]
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Gzip | Self::Zstd)
    }

    /// Compresses. `level`: 1 to 9 of gzip (1 where none is given), 1 to 12 of zstd (3); what is beyond them is the nearest.
    /// The others have none.
    ///
    /// # Errors
    /// `compression-failed`: no memory for it.
    pub fn compress(self, level: Option<i32>, data: &[u8]) -> Result<Vec<u8>, Failure> {
        let compressed = match self {
            Self::Gzip => gzip(level.unwrap_or(1).clamp(1, 9), data),
            Self::Zstd => zstd::bulk::compress(data, level.unwrap_or(3).clamp(1, 12)),
            Self::Lz4 => lz4(data),
            Self::Snappy => snap::raw::Encoder::new().compress_vec(data).map_err(std::io::Error::other),
        };
        compressed.map_err(|_| Failure::new(FailureKind::Other, "compression-failed", "This could not be compressed."))
    }
}

fn gzip(level: i32, data: &[u8]) -> std::io::Result<Vec<u8>> {
    let level = flate2::Compression::new(level.unsigned_abs());
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(data.len() / 2), level);
    encoder.write_all(data)?;
    encoder.finish()
}

fn lz4(data: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::with_capacity(data.len() / 2));
    encoder.write_all(data)?;
    encoder.finish().map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn read(codec: Codec, compressed: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match codec {
            Codec::Gzip => flate2::read::GzDecoder::new(compressed).read_to_end(&mut out).map(drop).unwrap(),
            Codec::Zstd => out = zstd::bulk::decompress(compressed, 1 << 22).unwrap(),
            Codec::Lz4 => lz4_flex::frame::FrameDecoder::new(compressed).read_to_end(&mut out).map(drop).unwrap(),
            Codec::Snappy => out = snap::raw::Decoder::new().decompress_vec(compressed).unwrap(),
        }
        out
    }

    #[test]
    fn what_is_compressed_can_be_read_and_is_smaller() {
        let line = br#"{"id":"evt_1","type":"order.created","data":{"amount":12.5}}"#;
        let data: Vec<u8> = line.iter().copied().cycle().take(2_000_000).collect();
        for name in ["gzip", "zstd", "lz4", "snappy"] {
            let codec = Codec::parse(name).unwrap();
            assert_eq!(codec.name(), name);
            for level in [None, Some(i32::MIN), Some(-1), Some(5), Some(i32::MAX)] {
                let compressed = codec.compress(level, &data).unwrap();
                assert!(compressed.len() < data.len() / 4, "{name}: {}", compressed.len());
                assert_eq!(read(codec, &compressed), data, "{name} {level:?}");
            }
            assert_eq!(read(codec, &codec.compress(None, &[]).unwrap()), b"", "{name} of nothing");
        }
        assert_eq!(Codec::parse("brotli"), None);
    }

    #[test]
    fn formats_are_those_that_the_contract_names() {
        let start = |codec: Codec| codec.compress(None, b"aaaaaaaaaa").unwrap();
        assert_eq!(start(Codec::Gzip)[..2], [0x1f, 0x8b]);
        assert_eq!(start(Codec::Zstd)[..4], [0x28, 0xb5, 0x2f, 0xfd]);
        assert_eq!(start(Codec::Lz4)[..4], [0x04, 0x22, 0x4d, 0x18]);
        assert_eq!(start(Codec::Lz4)[4] & 0x20, 0x20, "independent blocks");
        assert_eq!(start(Codec::Snappy)[0], 10, "the raw format begins with the length");
        assert_eq!(
            [Codec::Gzip, Codec::Zstd, Codec::Lz4, Codec::Snappy].map(Codec::is_http),
            [true, true, false, false]
        );
    }
}
