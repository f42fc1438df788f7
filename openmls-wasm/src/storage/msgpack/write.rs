//! Writing MessagePack: markers and bytes.

use zeroize::{Zeroize, Zeroizing};

use super::{layout::Layout, parts::Parts, Malformed};

/// The marker of no value.
pub(super) const NIL: u8 = 0xc0;

/// Bytes that leave no copy behind when they grow.
#[derive(Default)]
pub(crate) struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Adds `length` bytes, to be overwritten.
    pub(super) fn grow(&mut self, length: usize) -> &mut [u8] {
        self.reserve(length);
        let before = self.0.len();
        self.0.resize(before + length, 0);
        self.0.get_mut(before..).unwrap_or_default()
    }

    fn reserve(&mut self, additional: usize) {
        let needed = self.0.len() + additional;
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.0.capacity()));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            *self.0 = larger;
        }
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        match self.0.len() < self.0.capacity() {
            true => self.0.push(byte),
            false => self.append(&[byte]),
        }
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

/// Writes a value into a buffer; with [`Parts`], long lists go there.
pub(crate) struct Writer {
    out: Buffer,
    parts: Option<Parts>,
    /// Whether what comes is not written, but taken up into a shape.
    probing: bool,
}

impl Writer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            out: Buffer::with_capacity(capacity),
            parts: None,
            probing: false,
        }
    }

    /// A writer that keeps long lists out of the value, in parts.
    pub(super) fn with_parts(capacity: usize, parts: Parts) -> Self {
        Self {
            out: Buffer::with_capacity(capacity),
            parts: Some(parts),
            probing: false,
        }
    }

    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.out.into_bytes()
    }

    pub(super) fn into_parts(self) -> (Buffer, Parts) {
        (self.out, self.parts.unwrap_or_default())
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.target().append(bytes);
    }

    /// The header of a list that is not one of bytes. `depth` tells it from the lists inside it.
    pub(super) fn begin_list(
        &mut self,
        depth: usize,
        length: usize,
        layout: Layout,
    ) -> Result<(), Malformed> {
        if let Some(parts) = &mut self.parts {
            if parts.begin_list(depth, self.out.as_slice().len(), length, layout)? {
                self.probing = parts.is_probing();
                // Where the list belongs; a value as good as any, so that the rest can be read alone.
                self.out.append(&[NIL]);
                return Ok(());
            }
        }
        self.array_header(length)
    }

    pub(super) fn end_element(&mut self, depth: usize) {
        if let Some(parts) = &mut self.parts {
            parts.end_element(depth);
        }
    }

    pub(super) fn end_list(&mut self, depth: usize) {
        if let Some(parts) = &mut self.parts {
            parts.end_list(depth);
            self.probing = parts.is_probing();
        }
    }

    /// Whether what is written now is only looked at for its shape.
    pub(super) fn is_probing(&self) -> bool {
        self.probing
    }

    /// Whether the next element of the list at `depth` need not be written.
    pub(super) fn is_skipping(&self, depth: usize) -> bool {
        let parts = self.parts.as_ref();
        parts.is_some_and(|parts| parts.is_skipping(depth))
    }

    /// Takes up something of a shape.
    pub(super) fn mix(&mut self, value: u64) {
        if let Some(parts) = &mut self.parts {
            parts.mix(value);
        }
    }

    /// Bytes of a list of bytes, whose header has been written.
    #[inline]
    pub(super) fn byte_string(
        &mut self,
        length: usize,
        bytes: impl Iterator<Item = Result<u8, Malformed>>,
    ) -> Result<(), Malformed> {
        if self.probing {
            return Ok(());
        }
        let room = self.target().grow(length);
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = byte?;
        }
        Ok(())
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.target().push(byte);
    }

    /// What is written to: the value, or the part under way.
    #[inline]
    fn target(&mut self) -> &mut Buffer {
        let part = self.parts.as_mut().and_then(Parts::content);
        part.unwrap_or(&mut self.out)
    }

    pub(super) fn nil(&mut self) {
        match &mut self.parts {
            Some(parts) if self.probing => parts.mix_nil(),
            _ => self.byte(NIL),
        }
    }

    pub(super) fn bool(&mut self, value: bool) {
        if self.probing {
            return self.mix(u64::from(value));
        }
        self.byte(0xc2 + u8::from(value));
    }

    pub(super) fn unsigned(&mut self, value: u64) {
        if self.probing {
            return self.mix(value);
        }
        if let Ok(small) = u8::try_from(value) {
            if small >= 0x80 {
                self.byte(0xcc);
            }
            self.byte(small);
        } else if let Ok(value) = u16::try_from(value) {
            self.byte(0xcd);
            self.append(&value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.byte(0xce);
            self.append(&value.to_be_bytes());
        } else {
            self.byte(0xcf);
            self.append(&value.to_be_bytes());
        }
    }

    pub(super) fn signed(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.unsigned(value),
            Err(_) if self.probing => self.mix(value as u64),
            Err(_) => {
                self.byte(0xd3);
                self.append(&value.to_be_bytes());
            }
        }
    }

    pub(super) fn float(&mut self, value: f64) {
        if self.probing {
            return self.mix(value.to_bits());
        }
        self.byte(0xcb);
        self.append(&value.to_be_bytes());
    }

    pub(super) fn string(&mut self, value: &str) -> Result<(), Malformed> {
        if self.probing {
            value.bytes().for_each(|byte| self.mix(u64::from(byte)));
            return Ok(());
        }
        match value.len() {
            length @ 0..=31 => self.byte(0xa0 | length as u8),
            length => self.length(length, Some(0xd9), 0xda)?,
        }
        self.append(value.as_bytes());
        Ok(())
    }

    /// The name of a field or variant: known from where it stands, so it is no part of a shape.
    pub(super) fn name(&mut self, name: &str) -> Result<(), Malformed> {
        match self.probing {
            true => Ok(()),
            false => self.string(name),
        }
    }

    pub(super) fn bytes_header(&mut self, length: usize) -> Result<(), Malformed> {
        if self.probing {
            self.mix(0);
            return Ok(());
        }
        self.length(length, Some(0xc4), 0xc5)
    }

    pub(super) fn array_header(&mut self, length: usize) -> Result<(), Malformed> {
        match length {
            _ if self.probing => self.mix(length as u64),
            0..=15 => self.byte(0x90 | length as u8),
            _ => self.length(length, None, 0xdc)?,
        }
        Ok(())
    }

    pub(super) fn map_header(&mut self, length: usize) -> Result<(), Malformed> {
        match length {
            _ if self.probing => self.mix(length as u64),
            0..=15 => self.byte(0x80 | length as u8),
            _ => self.length(length, None, 0xde)?,
        }
        Ok(())
    }

    /// A marker for 8 bits of length, if there is one; the next two are for 16 and 32.
    fn length(&mut self, length: usize, bits8: Option<u8>, bits16: u8) -> Result<(), Malformed> {
        if let (Ok(length), Some(marker)) = (u8::try_from(length), bits8) {
            self.append(&[marker, length]);
        } else if let Ok(length) = u16::try_from(length) {
            self.byte(bits16);
            self.append(&length.to_be_bytes());
        } else {
            let length = u32::try_from(length).map_err(|_| Malformed)?;
            self.byte(bits16 + 1);
            self.append(&length.to_be_bytes());
        }
        Ok(())
    }
}
