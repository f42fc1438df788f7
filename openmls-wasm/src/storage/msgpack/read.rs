//! Reading MessagePack: one token at a time.

use super::Malformed;

/// A marker with its value; lists and maps are followed by their elements.
#[derive(Clone, Copy)]
pub(super) enum Token<'de> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    String(&'de str),
    Bytes(&'de [u8]),
    Array(usize),
    Map(usize),
}

pub(super) struct Reader<'de>(&'de [u8]);

impl<'de> Reader<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes have not been read.
    pub(super) fn remaining(&self) -> usize {
        self.0.len()
    }

    /// Goes past the next value, whatever is in it.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        let mut values = 1usize;
        while values > 0 {
            // Each takes a byte at least, so a length that was made up ends at the end of the bytes.
            let inside = match self.next()? {
                Token::Array(length) => length,
                Token::Map(length) => length.saturating_mul(2),
                _ => 0,
            };
            values = values.saturating_add(inside) - 1;
        }
        Ok(())
    }

    /// The bytes of the next value.
    pub(super) fn take_value(&mut self) -> Result<&'de [u8], Malformed> {
        let mut rest = Reader(self.0);
        rest.skip()?;
        self.take(self.0.len() - rest.remaining())
    }

    /// Whether the next token is nil; takes it if so.
    pub(super) fn take_nil(&mut self) -> bool {
        let nil = self.0.first() == Some(&0xc0);
        if nil {
            self.0 = &self.0[1..];
        }
        nil
    }

    #[inline(never)]
    pub(super) fn next(&mut self) -> Result<Token<'de>, Malformed> {
        let [marker] = self.fixed::<1>()?;
        Ok(match marker {
            0x00..=0x7f => Token::Unsigned(u64::from(marker)),
            0x80..=0x8f => Token::Map(usize::from(marker & 15)),
            0x90..=0x9f => Token::Array(usize::from(marker & 15)),
            0xa0..=0xbf => self.string(usize::from(marker & 31))?,
            0xc0 => Token::Nil,
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4..=0xc6 => {
                let length = self.length(marker - 0xc4)?;
                Token::Bytes(self.take(length)?)
            }
            0xca => Token::Float(f64::from(f32::from_be_bytes(self.fixed()?))),
            0xcb => Token::Float(f64::from_be_bytes(self.fixed()?)),
            0xcc => Token::Unsigned(u64::from(u8::from_be_bytes(self.fixed()?))),
            0xcd => Token::Unsigned(u64::from(u16::from_be_bytes(self.fixed()?))),
            0xce => Token::Unsigned(u64::from(u32::from_be_bytes(self.fixed()?))),
            0xcf => Token::Unsigned(u64::from_be_bytes(self.fixed()?)),
            0xd0 => Token::Signed(i64::from(i8::from_be_bytes(self.fixed()?))),
            0xd1 => Token::Signed(i64::from(i16::from_be_bytes(self.fixed()?))),
            0xd2 => Token::Signed(i64::from(i32::from_be_bytes(self.fixed()?))),
            0xd3 => Token::Signed(i64::from_be_bytes(self.fixed()?)),
            0xd9..=0xdb => {
                let length = self.length(marker - 0xd9)?;
                self.string(length)?
            }
            0xdc | 0xdd => Token::Array(self.length(marker - 0xdb)?),
            0xde | 0xdf => Token::Map(self.length(marker - 0xdd)?),
            0xe0..=0xff => Token::Signed(i64::from(marker as i8)),
            // Extension types are none of ours.
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => return Err(Malformed),
        })
    }

    /// A length of 8, 16 or 32 bits.
    fn length(&mut self, size: u8) -> Result<usize, Malformed> {
        Ok(match size {
            0 => usize::from(u8::from_be_bytes(self.fixed()?)),
            1 => usize::from(u16::from_be_bytes(self.fixed()?)),
            _ => usize::try_from(u32::from_be_bytes(self.fixed()?)).map_err(|_| Malformed)?,
        })
    }

    fn string(&mut self, length: usize) -> Result<Token<'de>, Malformed> {
        std::str::from_utf8(self.take(length)?)
            .map(Token::String)
            .map_err(|_| Malformed)
    }

    fn take(&mut self, length: usize) -> Result<&'de [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }
}
