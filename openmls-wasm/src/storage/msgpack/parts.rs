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
//! number of lists, neighbours of a part (2 bytes each)
//!     | offset of each list (4 bytes), its length (3), levels of a part or 0 for neighbours (1)
//!     | MessagePack, a list being nil
//! ```
//!
//! all numbers little-endian. A part is its elements' MessagePack, one after the other. One of which
//! every element is nil does not exist: blank leaves cost nothing, and a new secret tree is one
//! secret. Which elements are together in a part is the list's [`Layout`].
//!
//! By position and not by content: chunks that are found by their content need a list of all of them,
//! which at a thousand members is as large as the ratchets of eight, and would be written each time.

use std::{ops::Range, sync::Arc};

use zeroize::Zeroizing;

use super::{
    layout::{Layout, Place, PER_PART},
    read::Reader,
    write::{Buffer, Writer, NIL},
    Encode, Malformed,
};

/// The longest lists that are read, and the most elements of all lists together: more leaves than a group can
/// have in practice, and less than what would exhaust memory if somebody made the numbers up.
const MAX_LENGTH: usize = 1 << 22;
const MAX_ELEMENTS: usize = 4 * MAX_LENGTH;

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
pub(crate) fn to_parts(value: &dyn Encode) -> Result<Encoded, Malformed> {
    to_changed_parts(value, Known::default())
}

/// Encodes a value in parts, and leaves out those that are as known. Each is compared as soon as it
/// has been encoded, and the next takes its place: there are never more in memory than have changed, and
/// one of each band that is under way.
pub(crate) fn to_changed_parts(value: &dyn Encode, known: Known) -> Result<Encoded, Malformed> {
    write(value, What::Changed(known))
}

/// The head, and the shape of each part: a hash of all that is in it but byte strings.
///
/// Where the shape of an element and what the head says determine its byte strings, parts of the same
/// shape are the same, and need not be written to find that out: looking at the shapes of the
/// ratchets of a thousand members takes a small part of the time that encoding them does.
pub(crate) fn to_shapes(value: &dyn Encode) -> Result<Encoded, Malformed> {
    write(value, What::Shapes)
}

/// Encodes these parts, given in order, and no others.
pub(crate) fn to_some_parts(value: &dyn Encode, ids: &[u64]) -> Result<Encoded, Malformed> {
    write(value, What::Only(ids.into()))
}

fn write(value: &dyn Encode, what: What) -> Result<Encoded, Malformed> {
    let parts = Parts {
        what,
        body: Buffer::with_capacity(1024),
        ..Parts::default()
    };
    let mut writer = Writer::with_parts(1024, parts);
    value.encode_to(&mut writer)?;
    let (rest, parts) = writer.into_parts();
    let gone = match parts.what {
        What::Changed(known) => known.gone(),
        _ => vec![],
    };
    let mut head = Buffer::with_capacity(4 + 8 * parts.lists.len() + rest.as_slice().len());
    let number = u16::try_from(parts.lists.len()).map_err(|_| Malformed)?;
    head.append(&number.to_le_bytes());
    head.append(&(PER_PART as u16).to_le_bytes());
    for list in &parts.lists {
        head.append(&list.offset.to_le_bytes());
        let levels = u32::from(list.layout.levels());
        head.append(&(list.length | levels << LENGTH_BITS).to_le_bytes());
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
    part: impl Fn(u64) -> Option<&'a [u8]>,
) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let (per_part, lists, rest) = split(head)?;
    let mut writer = Writer::with_capacity(rest.len() + size_hint);
    let mut copied = 0;
    let mut elements = 0;
    for (number, list) in lists.chunks_exact(8).enumerate() {
        let (offset, length) = list.split_at_checked(4).ok_or(Malformed)?;
        let (offset, length) = (read_u32(offset)?, read_u32(length)?);
        let layout = Layout::read((length >> LENGTH_BITS) as u8, per_part)?;
        let length = length & ((1 << LENGTH_BITS) - 1);
        elements += length;
        if length > MAX_LENGTH || elements > MAX_ELEMENTS || rest.get(offset) != Some(&NIL) {
            return Err(Malformed);
        }
        writer.append(rest.get(copied..offset).ok_or(Malformed)?);
        copied = offset + 1;
        writer.array_header(length)?;
        let part = |index| part(id_of(number, index));
        append_elements(&mut writer, layout, length, part)?;
    }
    writer.append(rest.get(copied..).ok_or(Malformed)?);
    Ok(writer.into_bytes())
}

/// Puts the elements of a list in order again.
fn append_elements<'a>(
    writer: &mut Writer,
    layout: Layout,
    length: usize,
    part: impl Fn(usize) -> Option<&'a [u8]>,
) -> Result<(), Malformed> {
    // Of each band the part under way, and what is left of it, if it exists.
    let mut bands: Vec<Option<(usize, Option<Reader<'a>>)>> = vec![];
    let is_used_up =
        |rest: &Option<Reader<'_>>| rest.as_ref().is_none_or(|elements| elements.is_empty());
    for position in 0..length {
        let place = layout.place_of(position);
        if bands.len() <= place.band {
            bands.resize_with(place.band + 1, || None);
        }
        let band = bands.get_mut(place.band).ok_or(Malformed)?;
        if band.as_ref().is_none_or(|(part, _)| *part != place.part) {
            if band.as_ref().is_some_and(|(_, rest)| !is_used_up(rest)) {
                return Err(Malformed);
            }
            *band = Some((place.part, part(place.index()).map(Reader::new)));
        }
        match band {
            Some((_, Some(elements))) => writer.append(elements.take_value()?),
            _ => writer.nil(),
        }
    }
    match bands.iter().flatten().all(|(_, rest)| is_used_up(rest)) {
        true => Ok(()),
        false => Err(Malformed),
    }
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

/// The bits of a number in a head that are a length; the others are the levels of a part.
const LENGTH_BITS: u32 = 24;

fn id_of(list: usize, index: usize) -> u64 {
    ((list as u64) << 32) | index as u64
}

/// The parts of a value as they are stored, by their ids, in order: those that have not come up yet.
#[derive(Default)]
pub(crate) struct Known(Vec<(u64, Option<Stored>)>);

/// A part that is stored, with something in front of it.
pub(crate) struct Stored {
    pub(crate) value: Arc<Zeroizing<Vec<u8>>>,
    /// Where in `value` the part begins.
    pub(crate) start: usize,
}

impl Known {
    /// `parts` by their ids, in order.
    pub(crate) fn new(parts: impl Iterator<Item = (u64, Stored)>) -> Self {
        Self(parts.map(|(id, stored)| (id, Some(stored))).collect())
    }

    /// Whether a part is stored, with this content.
    fn has(&mut self, id: u64, content: &[u8]) -> bool {
        let Ok(at) = self.0.binary_search_by_key(&id, |(stored, _)| *stored) else {
            return false;
        };
        let stored = self.0.get_mut(at).and_then(|(_, stored)| stored.take());
        stored.is_some_and(|stored| stored.value.get(stored.start..) == Some(content))
    }

    /// What is stored and has not come up.
    fn gone(self) -> Vec<u64> {
        let left = self.0.into_iter().filter(|(_, stored)| stored.is_some());
        left.map(|(id, _)| id).collect()
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
    lists: Vec<List>,
    open: Option<OpenList>,
    /// The part that the element under way is in.
    part: OpenPart,
}

struct List {
    /// Where in the rest it belongs.
    offset: u32,
    length: u32,
    layout: Layout,
}

struct OpenList {
    depth: usize,
    length: usize,
    layout: Layout,
    /// The element under way.
    position: usize,
    /// The parts under way of other bands than that of the element, by their bands.
    others: Vec<OpenPart>,
}

#[derive(Default)]
struct OpenPart {
    place: Place,
    id: u64,
    content: Buffer,
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
        open.is_some_and(|open| open.depth == depth && !self.part.is_wanted)
    }

    /// What is written to, inside a list.
    #[inline]
    pub(super) fn content(&mut self) -> Option<&mut Buffer> {
        match self.open {
            Some(_) => Some(&mut self.part.content),
            None => None,
        }
    }

    /// Takes up something of the shape of an element.
    pub(super) fn mix(&mut self, value: u64) {
        let part = &mut self.part;
        part.shape = (part.shape ^ value)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(23);
        part.mixed += 1;
    }

    pub(super) fn mix_nil(&mut self) {
        self.mix(u64::MAX);
        self.part.nils += 1;
    }

    /// Whether the list is put into parts. One inside another stays where it is: those that grow with
    /// the members are in none, and whoever changes a head can rely on where its lists are.
    pub(super) fn begin_list(
        &mut self,
        depth: usize,
        offset: usize,
        length: usize,
        layout: Layout,
    ) -> Result<bool, Malformed> {
        if depth > 1 || length <= PER_PART {
            return Ok(false);
        }
        if length > MAX_LENGTH {
            return Err(Malformed);
        }
        self.lists.push(List {
            offset: u32::try_from(offset).map_err(|_| Malformed)?,
            length: length as u32,
            layout,
        });
        self.open = Some(OpenList {
            depth,
            length,
            layout,
            position: 0,
            others: vec![],
        });
        self.begin_element();
        Ok(true)
    }

    pub(super) fn end_element(&mut self, depth: usize) {
        let Some(open) = self.open.as_mut().filter(|open| open.depth == depth) else {
            return;
        };
        self.part.elements += 1;
        open.position += 1;
        if open.position < open.length {
            self.begin_element();
        }
    }

    pub(super) fn end_list(&mut self, depth: usize) {
        if self.open.as_ref().is_none_or(|open| open.depth != depth) {
            return;
        }
        let others = self.open.take().map(|open| open.others);
        let last = std::mem::take(&mut self.part);
        for part in others.into_iter().flatten().chain([last]) {
            self.finish(&part);
        }
    }

    /// Turns to the part that the next element is in.
    fn begin_element(&mut self) {
        let Some(open) = &mut self.open else { return };
        let place = open.layout.place_of(open.position);
        if self.part.elements > 0 && self.part.place == place {
            return;
        }
        if self.part.place.band != place.band {
            let most = place.band.max(self.part.place.band);
            if open.others.len() <= most {
                open.others.resize_with(most + 1, OpenPart::default);
            }
            let here = std::mem::take(&mut self.part);
            if let Some(left) = open.others.get_mut(here.place.band) {
                *left = here;
            }
            if let Some(taken_up) = open.others.get_mut(place.band) {
                self.part = std::mem::take(taken_up);
            }
            if self.part.elements > 0 && self.part.place == place {
                return;
            }
        }
        let layout = open.layout;
        let mut ended = std::mem::take(&mut self.part);
        self.finish(&ended);
        ended.content.truncate(0);
        let id = id_of(self.lists.len() - 1, place.index());
        let is_wanted = match &self.what {
            What::Only(ids) => ids.binary_search(&id).is_ok(),
            _ => true,
        };
        self.part = OpenPart {
            place,
            id,
            content: ended.content,
            is_wanted,
            // So that no part of neighbours is taken for one of levels: the same ids stand for others.
            shape: u64::from(layout.levels()),
            ..OpenPart::default()
        };
    }

    fn finish(&mut self, part: &OpenPart) {
        let content = part.content.as_slice();
        let is_blank = match &self.what {
            // Something is taken up of every element, so there was nothing else in any of them.
            What::Shapes => part.mixed == part.elements && part.nils == part.elements,
            _ => content.len() == part.elements && content.iter().all(|byte| *byte == NIL),
        };
        // The first element of a list is written to learn what the list is of.
        if is_blank || !part.is_wanted || part.elements == 0 {
            return;
        }
        let is_known = match &mut self.what {
            What::Changed(known) => known.has(part.id, content),
            _ => false,
        };
        if is_known {
            return;
        }
        let start = self.body.as_slice().len();
        self.body.append(content);
        let finished = Part {
            id: part.id,
            bytes: start..start + content.len(),
            shape: part.shape,
        };
        // Parts of several bands end in the order of their last elements.
        let at = self.finished.partition_point(|other| other.id < part.id);
        self.finished.insert(at, finished);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::{
        super::{from_slice, layout::INNER_NODES},
        *,
    };

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Value {
        before: Vec<u8>,
        short: Vec<Vec<Option<Element>>>,
        parent_nodes: Vec<Option<Element>>,
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
            parent_nodes: (0..length).map(element).collect(),
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
        for length in [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 100, 127] {
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
    fn a_value_that_is_passed_on_is_in_the_same_parts() {
        let encoded = to_parts(&value(31)).unwrap();
        let parts = stored(&encoded);
        let part = |id| parts.get(&id).map(Vec::as_slice);
        let whole = assemble(&encoded.head, 0, part).unwrap();
        let again = to_parts(&super::super::Raw(&whole)).unwrap();
        assert_eq!(again.head, encoded.head);
        assert_eq!(stored(&again), parts);
    }

    /// A part that has more, or less, than its elements; and one that stands in the place of another.
    #[test]
    fn parts_that_are_not_those_of_the_list_are_refused() {
        let encoded = to_parts(&value(31)).unwrap();
        let parts = stored(&encoded);
        for id in parts.keys().filter(|id| **id < id_of(1, 0)) {
            for change in [-1, 1] {
                let mut changed = parts.clone();
                let part = changed.get_mut(id).unwrap();
                match change {
                    1 => part.push(NIL),
                    _ => part.truncate(part.len() - 1),
                }
                assert!(read(&encoded.head, &changed).is_err(), "{id:x}");
            }
        }
    }

    #[test]
    fn a_changed_element_changes_its_part_and_nothing_else() {
        let before = value(100);
        let mut after = before.clone();
        after.parent_nodes[50] = after.parent_nodes[49].clone();
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

    /// Before there were layouts all lists were cut into neighbours, and zeros stood where levels are now.
    #[test]
    fn a_tree_that_was_cut_into_neighbours_is_read() {
        let mut value = value(31);
        value.short = vec![];
        let encoded = to_parts(&value).unwrap();
        let mut head = encoded.head.to_vec();
        // The list of inner nodes is the first; the other one is in neighbours anyway.
        assert_ne!(std::mem::take(&mut head[4 + 7]), 0);
        let known = stored(&encoded);
        let mut writer = Writer::with_capacity(0);
        let part = |index| known.get(&id_of(0, index)).map(Vec::as_slice);
        let layout = Layout::of_field(INNER_NODES);
        append_elements(&mut writer, layout, 31, part).unwrap();
        let elements = writer.into_bytes();
        let mut reader = Reader::new(&elements);
        let mut parts: BTreeMap<u64, Vec<u8>> = known.clone();
        parts.retain(|id, _| *id >= id_of(1, 0));
        for position in 0..31 {
            let part = parts.entry(id_of(0, position / PER_PART)).or_default();
            part.extend_from_slice(reader.take_value().unwrap());
        }
        assert_ne!(parts, known);
        assert_eq!(read(&head, &parts).unwrap(), value);
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
            Known::new(parts.iter().map(stored))
        };
        let encoded = to_changed_parts(&before, known()).unwrap();
        assert_eq!((encoded.parts().count(), encoded.gone.len()), (0, 0));
        let mut after = before;
        after.parent_nodes[50] = after.parent_nodes[49].clone();
        after.parent_nodes[90..].fill(None);
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
        blank.parent_nodes.fill(None);
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
                assert_ne!(lie.ok(), Some(value(20)), "{position}/{bit}");
            }
        }
    }
}
