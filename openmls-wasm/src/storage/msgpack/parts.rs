//! A value in parts: long lists apart from the rest, a few elements to a part.
//!
//! OpenMLS hands its largest values over whole, whatever changed in them: a ratchet tree of a
//! thousand leaves for one new key, the ratchets of everybody for one message. Their size is in
//! lists that have an element per member and keep their order, so an element that did not change is
//! in the same part as before, and that part is the same bytes as before. Whoever stores the parts
//! under keys of their own writes those that differ (G9).
//!
//! The value without those lists is its head. It says where they belong and how long they are:
//!
//! ```text
//! number of lists, elements of a part (2 bytes each)
//!     | offset and length of each list (4 bytes each) | MessagePack, a list being nil
//! ```
//!
//! all numbers little-endian. A part is its elements' MessagePack, one after the other. One of which
//! every element is nil does not exist: blank leaves cost nothing, and a new secret tree is one
//! secret.
//!
//! By position and not by content: chunks that are found by their content need a list of all of them,
//! which at a thousand members is as large as the ratchets of eight, and would be written each time.

use std::{iter::Peekable, ops::Range, sync::Arc, vec::IntoIter};

use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    ser,
    write::{Buffer, Writer, NIL},
    Malformed,
};

/// How many elements of a list are one part; a list of no more stays where it is. Eight ratchets are
/// about as much as what is written beside them with every message; fewer would be more records to
/// read when a group is loaded, at a fixed price each. Tests have parts in the smallest groups.
const PER_PART: usize = if cfg!(feature = "test-hooks") { 2 } else { 8 };

/// The longest list that is read: more leaves than a group can have in practice, and less than what
/// would exhaust memory if somebody made the number up.
const MAX_LENGTH: usize = 1 << 22;

/// A value in parts, or those of its parts that were asked for.
pub(crate) struct Encoded {
    /// The rest of the value, and where the lists belong.
    pub(crate) head: Zeroizing<Vec<u8>>,
    /// The ids of those that were known and that there are no more, in order.
    pub(crate) gone: Vec<u64>,
    body: Buffer,
    parts: Vec<Part>,
}

struct Part {
    id: u64,
    bytes: Range<usize>,
    shape: u64,
}

impl Encoded {
    /// The parts by their ids, in order: the list's number in the upper half, the part's in the
    /// lower.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let body = self.body.as_slice();
        let content = |part: &Part| body.get(part.bytes.clone()).unwrap_or_default();
        self.parts.iter().map(move |part| (part.id, content(part)))
    }

    /// The shapes of the parts by their ids, in order.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.parts.iter().map(|part| (part.id, part.shape))
    }
}

/// Encodes a value in parts.
#[cfg(any(test, feature = "test-hooks"))]
pub(crate) fn to_parts<T: Serialize + ?Sized>(value: &T) -> Result<Encoded, Malformed> {
    to_changed_parts(value, Known::default())
}

/// Encodes a value in parts, and leaves out those that are as known. Each is compared as soon as it
/// has been encoded, and the next takes its place: there are never more in memory than have changed.
pub(crate) fn to_changed_parts<T: Serialize + ?Sized>(
    value: &T,
    known: Known,
) -> Result<Encoded, Malformed> {
    write(value, What::Changed(known))
}

/// The head, and the shape of each part: a hash of all that is in it but byte strings.
///
/// Where the shape of an element and what the head says determine its byte strings, parts of the same
/// shape are the same, and need not be written to find that out: looking at the shapes of the
/// ratchets of a thousand members takes a small part of the time that encoding them does.
pub(crate) fn to_shapes<T: Serialize + ?Sized>(value: &T) -> Result<Encoded, Malformed> {
    write(value, What::Shapes)
}

/// Encodes these parts, given in order, and no others.
pub(crate) fn to_some_parts<T: Serialize + ?Sized>(
    value: &T,
    ids: &[u64],
) -> Result<Encoded, Malformed> {
    write(value, What::Only(ids.into()))
}

fn write<T: Serialize + ?Sized>(value: &T, what: What) -> Result<Encoded, Malformed> {
    let parts = Parts {
        what,
        body: Buffer::with_capacity(1024),
        ..Parts::default()
    };
    let mut writer = Writer::with_parts(1024, parts);
    value.serialize(&mut ser::Serializer::new(&mut writer))?;
    let (rest, parts) = writer.into_parts();
    let gone = match parts.what {
        What::Changed(known) => known.gone(),
        _ => vec![],
    };
    let mut head = Buffer::with_capacity(4 + 8 * parts.lists.len() + rest.as_slice().len());
    let number = u16::try_from(parts.lists.len()).map_err(|_| Malformed)?;
    head.append(&number.to_le_bytes());
    head.append(&(PER_PART as u16).to_le_bytes());
    for (offset, length) in &parts.lists {
        head.append(&offset.to_le_bytes());
        head.append(&length.to_le_bytes());
    }
    head.append(rest.as_slice());
    Ok(Encoded {
        head: head.into_bytes(),
        gone,
        body: parts.body,
        parts: parts.finished,
    })
}

/// The value as one piece again, with the parts that `part` finds.
pub(crate) fn assemble<'a>(
    head: &[u8],
    size_hint: usize,
    mut part: impl FnMut(u64) -> Option<&'a [u8]>,
) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let (per_part, lists, rest) = split(head)?;
    let mut writer = Writer::with_capacity(rest.len() + size_hint);
    let mut copied = 0;
    for (number, list) in lists.chunks_exact(8).enumerate() {
        let (offset, length) = list.split_at_checked(4).ok_or(Malformed)?;
        let (offset, length) = (read_u32(offset)?, read_u32(length)?);
        if length > MAX_LENGTH || rest.get(offset) != Some(&NIL) {
            return Err(Malformed);
        }
        writer.append(rest.get(copied..offset).ok_or(Malformed)?);
        copied = offset + 1;
        writer.array_header(length)?;
        for index in 0..length.div_ceil(per_part) {
            match part(id_of(number, index)) {
                Some(content) => writer.append(content),
                None => (index * per_part..length)
                    .take(per_part)
                    .for_each(|_| writer.nil()),
            }
        }
    }
    writer.append(rest.get(copied..).ok_or(Malformed)?);
    Ok(writer.into_bytes())
}

/// The MessagePack of a head, a list that is in parts being nil.
pub(crate) fn rest_of(head: &[u8]) -> Result<&[u8], Malformed> {
    split(head).map(|(_, _, rest)| rest)
}

/// The ids that parts of the list have whose place in the rest of a head is `offset`; `None` if there
/// is no list in parts.
pub(crate) fn ids_of_list(head: &[u8], offset: usize) -> Result<Option<Range<u64>>, Malformed> {
    let (_, lists, _) = split(head)?;
    for (number, list) in lists.chunks_exact(8).enumerate() {
        if read_u32(list)? == offset {
            return Ok(Some(id_of(number, 0)..id_of(number + 1, 0)));
        }
    }
    Ok(None)
}

/// A head of MessagePack without lists in parts.
pub(crate) fn head_of(whole: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut head = Buffer::with_capacity(4 + whole.len());
    head.append(&[0, 0]);
    head.append(&(PER_PART as u16).to_le_bytes());
    head.append(whole);
    head.into_bytes()
}

/// The elements of a part, the places of the lists, and the MessagePack without them.
fn split(head: &[u8]) -> Result<(usize, &[u8], &[u8]), Malformed> {
    let (sizes, rest) = head.split_first_chunk::<4>().ok_or(Malformed)?;
    let number = usize::from(u16::from_le_bytes([sizes[0], sizes[1]]));
    let per_part = usize::from(u16::from_le_bytes([sizes[2], sizes[3]]));
    let (lists, rest) = rest.split_at_checked(8 * number).ok_or(Malformed)?;
    if per_part == 0 {
        return Err(Malformed);
    }
    Ok((per_part, lists, rest))
}

fn read_u32(bytes: &[u8]) -> Result<usize, Malformed> {
    let bytes = bytes.first_chunk::<4>().ok_or(Malformed)?;
    usize::try_from(u32::from_le_bytes(*bytes)).map_err(|_| Malformed)
}

fn id_of(list: usize, index: usize) -> u64 {
    ((list as u64) << 32) | index as u64
}

/// The parts of a value as they are stored.
#[derive(Default)]
pub(crate) struct Known {
    parts: Option<Peekable<IntoIter<(u64, Stored)>>>,
    gone: Vec<u64>,
}

/// A part that is stored, with something in front of it.
pub(crate) struct Stored {
    pub(crate) value: Arc<Zeroizing<Vec<u8>>>,
    /// Where in `value` the part begins.
    pub(crate) start: usize,
}

impl Known {
    /// `parts` by their ids, in order.
    pub(crate) fn new(parts: Vec<(u64, Stored)>) -> Self {
        Self {
            parts: Some(parts.into_iter().peekable()),
            gone: vec![],
        }
    }

    /// Whether the next part, whose id is greater than that of the one before it, is stored.
    fn has(&mut self, id: u64, content: &[u8]) -> bool {
        let Some(parts) = &mut self.parts else {
            return false;
        };
        while let Some((passed, _)) = parts.next_if(|(stored, _)| *stored < id) {
            self.gone.push(passed);
        }
        parts
            .next_if(|(stored, _)| *stored == id)
            .is_some_and(|(_, stored)| stored.value.get(stored.start..) == Some(content))
    }

    fn gone(mut self) -> Vec<u64> {
        let left = self.parts.into_iter().flatten();
        self.gone.extend(left.map(|(id, _)| id));
        self.gone
    }
}

/// Which parts are written, and how.
enum What {
    /// Those that are not as known.
    Changed(Known),
    /// Their shapes.
    Shapes,
    /// Those with these ids, which are in order.
    Only(Vec<u64>),
}

impl Default for What {
    fn default() -> Self {
        What::Changed(Known::default())
    }
}

/// The lists of a value that is being written.
#[derive(Default)]
pub(super) struct Parts {
    what: What,
    body: Buffer,
    finished: Vec<Part>,
    /// Where in the rest each list belongs, and its length.
    lists: Vec<(u32, u32)>,
    open: Option<OpenList>,
}

struct OpenList {
    depth: usize,
    /// The part under way: its index, where it begins, and how many elements it has.
    index: usize,
    start: usize,
    elements: usize,
    is_wanted: bool,
    shape: u64,
    /// How much has been taken up into the shape, and how much of that was nil.
    mixed: usize,
    nils: usize,
}

impl Parts {
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether what is written now is only looked at for its shape.
    pub(super) fn is_probing(&self) -> bool {
        self.is_open() && matches!(self.what, What::Shapes)
    }

    /// Whether an element of the list at `depth` is in a part that nobody asked for.
    pub(super) fn is_skipping(&self, depth: usize) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| open.depth == depth && !open.is_wanted)
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.body.append(bytes);
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.body.push(byte);
    }

    pub(super) fn grow(&mut self, length: usize) -> &mut [u8] {
        self.body.grow(length)
    }

    /// Takes up something of the shape of an element.
    pub(super) fn mix(&mut self, value: u64) {
        if let Some(open) = &mut self.open {
            open.shape = (open.shape ^ value)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(23);
            open.mixed += 1;
        }
    }

    pub(super) fn mix_nil(&mut self) {
        self.mix(u64::MAX);
        if let Some(open) = &mut self.open {
            open.nils += 1;
        }
    }

    /// Whether the list is put into parts. One inside another stays where it is: those that grow with
    /// the members are in none, and whoever changes a head can rely on where its lists are.
    pub(super) fn begin_list(
        &mut self,
        depth: usize,
        offset: usize,
        length: usize,
    ) -> Result<bool, Malformed> {
        if depth > 1 || length <= PER_PART {
            return Ok(false);
        }
        if length > MAX_LENGTH {
            return Err(Malformed);
        }
        let offset = u32::try_from(offset).map_err(|_| Malformed)?;
        self.lists.push((offset, length as u32));
        self.open = Some(OpenList {
            depth,
            index: 0,
            start: 0,
            elements: 0,
            is_wanted: true,
            shape: 0,
            mixed: 0,
            nils: 0,
        });
        self.begin_part();
        Ok(true)
    }

    pub(super) fn end_element(&mut self, depth: usize) {
        let Some(open) = self.open.as_mut().filter(|open| open.depth == depth) else {
            return;
        };
        open.elements += 1;
        if open.elements == PER_PART {
            self.end_part();
            self.begin_part();
        }
    }

    pub(super) fn end_list(&mut self, depth: usize) {
        if self.open.as_ref().is_some_and(|open| open.depth == depth) {
            self.end_part();
            self.open = None;
        }
    }

    fn begin_part(&mut self) {
        let list = self.lists.len() - 1;
        let Some(open) = &mut self.open else { return };
        open.start = self.body.as_slice().len();
        open.elements = 0;
        open.shape = 0;
        open.mixed = 0;
        open.nils = 0;
        open.is_wanted = match &self.what {
            What::Only(ids) => ids.binary_search(&id_of(list, open.index)).is_ok(),
            _ => true,
        };
    }

    fn end_part(&mut self) {
        let list = self.lists.len() - 1;
        let Some(open) = &mut self.open else { return };
        let bytes = open.start..self.body.as_slice().len();
        let id = id_of(list, open.index);
        open.index += 1;
        let shape = open.shape;
        let content = self.body.as_slice().get(bytes.clone()).unwrap_or_default();
        let is_blank = match &self.what {
            // Something is taken up of every element, so there was nothing else in any of them.
            What::Shapes => open.mixed == open.elements && open.nils == open.elements,
            _ => content.len() == open.elements && content.iter().all(|byte| *byte == NIL),
        };
        // The first element of a list is written to learn what the list is of.
        let is_left_out = is_blank || !open.is_wanted || open.elements == 0;
        let is_known = match &mut self.what {
            What::Changed(known) if !is_left_out => known.has(id, content),
            _ => false,
        };
        if is_left_out || is_known {
            self.body.truncate(open.start);
        } else {
            self.finished.push(Part { id, bytes, shape });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::{super::from_slice, *};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Value {
        before: Vec<u8>,
        short: Vec<Vec<Option<Element>>>,
        long: Vec<Option<Element>>,
        between: String,
        other: Vec<u32>,
        after: Vec<u8>,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Element {
        inner: Vec<u64>,
        bytes: Vec<u8>,
    }

    fn value(length: usize) -> Value {
        let element = |number: usize| {
            (!number.is_multiple_of(3)).then(|| Element {
                inner: vec![1 << 40; number],
                bytes: vec![7; number],
            })
        };
        Value {
            before: vec![0; 100],
            short: vec![(0..length).map(element).collect()],
            long: (0..length).map(element).collect(),
            between: "between".into(),
            other: (0..length as u32).map(|number| number + 300).collect(),
            after: vec![9],
        }
    }

    fn stored(encoded: &Encoded) -> BTreeMap<u64, Vec<u8>> {
        let owned = |(id, content): (u64, &[u8])| (id, content.to_vec());
        encoded.parts().map(owned).collect()
    }

    fn read(head: &[u8], parts: &BTreeMap<u64, Vec<u8>>) -> Result<Value, Malformed> {
        let part = |id| parts.get(&id).map(Vec::as_slice);
        from_slice(&assemble(head, 0, part)?)
    }

    #[test]
    fn reads_back_what_it_wrote_and_is_the_same_value_in_one_piece() {
        for length in [0, 1, 2, 3, 8, 9, 16, 17, 100] {
            let value = value(length);
            let encoded = to_parts(&value).unwrap();
            let parts = stored(&encoded);
            assert_eq!(parts.is_empty(), length <= PER_PART, "{length}");
            assert_eq!(read(&encoded.head, &parts).unwrap(), value, "{length}");
            let mut writer = Writer::with_capacity(0);
            super::super::to_writer(&mut writer, &value).unwrap();
            let part = |id| parts.get(&id).map(Vec::as_slice);
            let whole = assemble(&encoded.head, 0, part).unwrap();
            assert_eq!(whole, writer.into_bytes(), "{length}");
        }
    }

    #[test]
    fn a_changed_element_changes_its_part_and_nothing_else() {
        let before = value(100);
        let mut after = before.clone();
        after.long[50] = after.long[49].clone();
        let (before, after) = (to_parts(&before).unwrap(), to_parts(&after).unwrap());
        assert_eq!(before.head, after.head);
        let (before, after) = (stored(&before), stored(&after));
        let changed: Vec<_> = before
            .iter()
            .filter(|(id, part)| after.get(id) != Some(part))
            .collect();
        assert_eq!(changed.len(), 1);
        assert_eq!(before.len(), after.len());
    }

    #[test]
    fn what_is_known_is_left_out_and_what_is_gone_is_told() {
        let before = value(100);
        let parts = stored(&to_parts(&before).unwrap());
        let known = || {
            let stored = |(id, part): (&u64, &Vec<u8>)| {
                let value = Arc::new(Zeroizing::new([b"front", &part[..]].concat()));
                (*id, Stored { value, start: 5 })
            };
            Known::new(parts.iter().map(stored).collect())
        };
        let encoded = to_changed_parts(&before, known()).unwrap();
        assert_eq!((encoded.parts().count(), encoded.gone.len()), (0, 0));
        let mut after = before;
        after.long[50] = after.long[49].clone();
        after.long[90..].fill(None);
        after.other.truncate(40);
        let whole = stored(&to_parts(&after).unwrap());
        let encoded = to_changed_parts(&after, known()).unwrap();
        let changed = stored(&encoded);
        assert!(changed.len() < 6, "{}", changed.len());
        let mut now = parts.clone();
        now.retain(|id, _| !encoded.gone.contains(id));
        now.extend(changed);
        assert_eq!(now, whole);
    }

    #[test]
    fn blank_elements_take_no_room() {
        let mut blank = value(800);
        blank.long.fill(None);
        blank.short = vec![];
        blank.other = vec![];
        let encoded = to_parts(&blank).unwrap();
        assert_eq!(encoded.parts().count(), 0);
        assert_eq!(read(&encoded.head, &BTreeMap::new()).unwrap(), blank);
    }

    #[test]
    fn a_head_that_lies_is_refused() {
        let encoded = to_parts(&value(20)).unwrap();
        let parts = stored(&encoded);
        for length in 0..encoded.head.len() {
            assert!(read(&encoded.head[..length], &parts).is_err(), "{length}");
        }
        // Every number in front of the MessagePack: a list more, elsewhere, or of another length.
        // A longer list may read back with blank elements at its end; never as what was written.
        for position in 0..4 + 8 * 2 {
            for bit in 0..8 {
                let mut head = encoded.head.to_vec();
                head[position] ^= 1 << bit;
                let lie = read(&head, &parts);
                // How many elements a part has matters only where one is missing.
                assert!(
                    (2..4).contains(&position) || lie.is_err() || lie.ok() != Some(value(20)),
                    "{position}/{bit}"
                );
            }
        }
    }
}
