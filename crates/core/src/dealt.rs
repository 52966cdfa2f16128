//! One party's part of a correlation, packed: drawn from a keystream, or sent by the dealer.
//!
//! Kernels read it by field and in chunks, so that masks are made where they are used.

#![expect(clippy::cast_possible_truncation, reason = "places are within a field")]

use std::sync::Arc;

use crate::bits::{check_padding, read_bits, unpack_groups};
use crate::keys::StreamKey;
use crate::prg::Prg;
use crate::{Error, Features, simd};

/// Words that a kernel treats together: they stay in the first cache.
pub(crate) const CHUNK: usize = 512;

/// One party's part: where each of its fields begins, and what it is read from.
pub struct Dealt<B> {
    features: Features,
    prg: Arc<Prg>,
    stream: u64,
    sent: B,
    fields: Vec<Place>,
    end: u64,
}

#[derive(Clone, Copy)]
struct Place {
    at: u64,
    bits: usize,
    sent: bool,
}

/// Where a party's part is drawn from.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// The key of the party's streams.
    pub key: &'a StreamKey,
    /// The stream of this correlation.
    pub stream: u64,
    /// The first byte.
    pub offset: u64,
}

impl<B: AsRef<[u8]>> Dealt<B> {
    /// The part with fields of so many bits, each of which begins on a byte.
    ///
    /// A field that was sent is read from the corrections, from byte `begin` on; any other is drawn.
    ///
    /// # Errors
    /// [`Error::Length`] if the corrections are too short; [`Error::TrailingBits`] if the padding of
    /// a field of them is set; [`Error::StreamEnd`].
    pub fn new(
        origin: Origin<'_>,
        fields: &[(usize, bool)],
        corrections: (B, usize),
        features: Features,
    ) -> Result<Self, Error> {
        let prg = Arc::new(Prg::new(origin.key, features));
        let drawn = (prg, origin.stream, origin.offset);
        let part = Self::drawn(drawn, fields, corrections, features)?;
        part.check()?;
        Ok(part)
    }

    /// The same from an expanded key, which parts share, its stream, and the first byte of that.
    ///
    /// The corrections may come later: until then no field of them can be read, and `check` must be
    /// called when they are there.
    ///
    /// # Errors
    /// [`Error::StreamEnd`].
    pub fn drawn(
        (prg, stream, offset): (Arc<Prg>, u64, u64),
        fields: &[(usize, bool)],
        (corrections, begin): (B, usize),
        features: Features,
    ) -> Result<Self, Error> {
        let (mut end, mut at) = (offset, begin);
        let mut places = Vec::with_capacity(fields.len());
        for &(bits, sent) in fields {
            let bytes = bits.div_ceil(8);
            if !sent {
                places.push(Place { at: end, bits, sent });
                end = end.checked_add(bytes as u64).ok_or(Error::StreamEnd)?;
                continue;
            }
            places.push(Place { at: at as u64, bits, sent });
            at = at.saturating_add(bytes);
        }
        Ok(Self { features, prg, stream, sent: corrections, fields: places, end })
    }

    /// Refuses corrections that do not fit.
    ///
    /// # Errors
    /// [`Error::Length`] if they are too short; [`Error::TrailingBits`] if the padding of a field of
    /// them is set.
    pub fn check(&self) -> Result<(), Error> {
        let mut sent = self.fields.iter().filter(|place| place.sent);
        sent.try_for_each(|place| check_padding(self.sent(*place)?, place.bits))
    }

    fn sent(&self, place: Place) -> Result<&[u8], Error> {
        let data = self.sent.as_ref();
        let at = usize::try_from(place.at).unwrap_or(usize::MAX);
        let due = at.saturating_add(place.bits.div_ceil(8));
        data.get(at..due).ok_or(Error::Length("corrections", due, data.len()))
    }

    /// The first byte of the stream that is not drawn.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The fields from number `first` on, of words of so many bits each.
    ///
    /// # Errors
    /// [`Error::Length`] if there are fewer fields, or one has another size.
    pub fn shares<const N: usize>(
        &self,
        first: usize,
        sizes: [(usize, u32); N],
    ) -> Result<[Share<'_>; N], Error> {
        let empty = Share { source: Source::Sent(&[]), bits: 1, features: self.features };
        let mut shares = [empty; N];
        for (index, (share, (count, bits))) in shares.iter_mut().zip(sizes).enumerate() {
            *share = self.share(first + index, count, bits)?;
        }
        Ok(shares)
    }

    /// A field of `count` words of `bits` bits.
    ///
    /// # Errors
    /// [`Error::Length`] if there is no such field, or it has another size.
    pub fn share(&self, field: usize, count: usize, bits: u32) -> Result<Share<'_>, Error> {
        let place =
            self.fields.get(field).ok_or(Error::Length("fields", field + 1, self.fields.len()))?;
        if count.checked_mul(bits as usize) != Some(place.bits) {
            return Err(Error::Length("bits of a field", count * bits as usize, place.bits));
        }
        Ok(Share { source: self.source(*place)?, bits, features: self.features })
    }

    fn source(&self, place: Place) -> Result<Source<'_>, Error> {
        if place.sent {
            return Ok(Source::Sent(self.sent(place)?));
        }
        Ok(Source::Drawn { prg: &self.prg, stream: self.stream, at: place.at })
    }
}

/// A packed array of words, read in chunks.
#[derive(Clone, Copy)]
pub struct Share<'a> {
    source: Source<'a>,
    bits: u32,
    features: Features,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Drawn { prg: &'a Prg, stream: u64, at: u64 },
    Sent(&'a [u8]),
}

impl Source<'_> {
    fn read(self, first: usize, out: &mut [u8]) {
        match self {
            Self::Drawn { prg, stream, at } => prg.produce(stream, at + first as u64, out),
            Self::Sent(data) => out.copy_from_slice(&data[first..first + out.len()]),
        }
    }
}

impl<'a> Share<'a> {
    /// A message of `count` words of `bits` bits.
    ///
    /// # Errors
    /// [`Error::Length`] and [`Error::TrailingBits`] as [`crate::bits::unpack`].
    pub fn message(
        data: &'a [u8],
        count: usize,
        bits: u32,
        features: Features,
    ) -> Result<Self, Error> {
        let length = crate::bits::packed_len(count, bits)?;
        if data.len() != length {
            return Err(Error::Length("message", length, data.len()));
        }
        check_padding(data, count * bits as usize)?;
        Ok(Self { source: Source::Sent(data), bits, features })
    }

    /// The bytes of a field that was sent.
    ///
    /// # Errors
    /// [`Error::Drawn`] if it was not.
    pub(crate) fn sent(self) -> Result<&'a [u8], Error> {
        match self.source {
            Source::Sent(data) => Ok(data),
            Source::Drawn { .. } => Err(Error::Drawn),
        }
    }

    /// Whole words that were sent, from number `first` on, as they lie.
    pub(crate) fn lying(self, first: usize) -> Option<&'a [[u8; 8]]> {
        match self {
            Self { source: Source::Sent(data), bits: 64, .. } => Some(&data.as_chunks().0[first..]),
            _ => None,
        }
    }

    /// Writes the bytes of the packed field from number `begin` on.
    pub(crate) fn bytes(self, begin: usize, out: &mut [u8]) {
        self.source.read(begin, out);
    }

    /// Writes the words with these numbers; nothing else is made.
    pub(crate) fn pick(self, places: &[u64], out: &mut [u64], scratch: &mut Scratch) {
        let bits = u128::from(self.bits);
        let mask = u64::MAX >> (64 - self.bits);
        let place = |place: &u64| {
            let bit = u128::from(*place) * bits;
            ((bit / 8) as usize, (bit % 8) as u32)
        };
        match self.source {
            Source::Sent(data) => {
                for (number, word) in places.iter().zip(out) {
                    let (byte, shift) = place(number);
                    *word = read_word(&data[byte..], shift) & mask;
                }
            }
            Source::Drawn { prg, stream, at } => {
                for (places, out) in places.chunks(PICKED).zip(out.chunks_mut(PICKED)) {
                    let bytes = scratch.bytes(32 * places.len());
                    let begin = |number: &u64| at + place(number).0 as u64;
                    prg.pairs(stream, places.iter().map(begin), bytes);
                    let blocks = bytes.as_chunks::<32>().0;
                    for ((number, word), blocks) in places.iter().zip(out).zip(blocks) {
                        let skip = (begin(number) % 16) as usize;
                        *word = read_word(&blocks[skip..], place(number).1) & mask;
                    }
                }
            }
        }
    }

    /// Writes all words to `out`.
    pub fn write_words(self, out: &mut [u64]) {
        let mut scratch = Scratch::default();
        for (index, chunk) in out.chunks_mut(CHUNK).enumerate() {
            self.words(index * CHUNK, chunk, &mut scratch);
        }
    }

    /// The first `count` bits as a row, padded with zeros.
    #[must_use]
    pub fn row(self, count: usize) -> Vec<u64> {
        let mut row = vec![0; count.div_ceil(64)];
        self.bits(0, count, &mut row, &mut Scratch::default());
        if let (spare @ 1.., Some(last)) = (count % 64, row.last_mut()) {
            *last &= u64::MAX >> (64 - spare);
        }
        row
    }

    /// Writes the words from number `first` on to `out`.
    pub(crate) fn words(self, first: usize, out: &mut [u64], scratch: &mut Scratch) {
        let bits = self.bits as usize;
        let lead = first % 8;
        if lead > 0 {
            let mut group = [0; 8];
            let head = out.len().min(8 - lead);
            self.words(first - lead, &mut group[..lead + head], scratch);
            out[..head].copy_from_slice(&group[lead..lead + head]);
            return if out.len() > head {
                self.words(first + head, &mut out[head..], scratch);
            };
        }
        let (begin, length) = (first / 8 * bits, (out.len() * bits).div_ceil(8));
        match self.source {
            Source::Sent(data) => unpack_groups(&data[begin..], self.bits, out, self.features),
            Source::Drawn { .. } if self.bits == 64 => {
                self.source.read(begin, simd::bytes_of_mut(out));
            }
            Source::Drawn { .. } => {
                // With room for whole vectors.
                let bytes = scratch.bytes(length + 64);
                self.source.read(begin, &mut bytes[..length]);
                unpack_groups(bytes, self.bits, out, self.features);
            }
        }
    }

    /// Writes the `count` bits from number `first` on to `out`; later bits of it are undefined.
    pub(crate) fn bits(self, first: usize, count: usize, out: &mut [u64], scratch: &mut Scratch) {
        match self.source {
            Source::Sent(data) => read_bits(data, first, count, out),
            Source::Drawn { .. } if first.is_multiple_of(8) => {
                let bytes = simd::bytes_of_mut(out);
                self.source.read(first / 8, &mut bytes[..count.div_ceil(8)]);
            }
            Source::Drawn { .. } => {
                let bytes = scratch.bytes((first % 8 + count).div_ceil(8));
                self.source.read(first / 8, bytes);
                read_bits(bytes, first % 8, count, out);
            }
        }
    }
}

/// Words that are picked from a keystream together.
const PICKED: usize = 64;

/// 64 bits from a bit of the first byte on; what lies past the end is zero.
fn read_word(data: &[u8], shift: u32) -> u64 {
    let mut bytes = [0; 16];
    let length = data.len().min(16);
    bytes[..length].copy_from_slice(&data[..length]);
    (u128::from_le_bytes(bytes) >> shift) as u64
}

/// Bytes between a keystream and the words made from it; kept from chunk to chunk.
#[derive(Default)]
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    fn bytes(&mut self, length: usize) -> &mut [u8] {
        if self.0.len() < length {
            self.0.resize(length, 0);
        }
        &mut self.0[..length]
    }
}
