//! The file that the page of the benchmark reads: lists of byte strings, each under a name.
//!
//! ```text
//! number of lists | for each: length of its name, name, number of strings, for each: length, bytes
//! ```
//!
//! all numbers 4 bytes, little-endian. A record is three strings: category, key, value.

use std::path::Path;

use openmls_wasm::storage::{Category, Record, Value};

#[derive(Default)]
pub struct Lists(pub Vec<(String, Vec<Vec<u8>>)>);

impl Lists {
    pub fn add(&mut self, name: &str, strings: Vec<Vec<u8>>) {
        self.0.push((name.into(), strings));
    }

    pub fn add_records(&mut self, name: &str, records: &[Record]) {
        let strings = records.iter().flat_map(|record| {
            [
                record.category.name().as_bytes().to_vec(),
                record.key.as_bytes().to_vec(),
                record.value.to_vec(),
            ]
        });
        self.add(name, strings.collect());
    }

    pub fn list(&self, name: &str) -> &[Vec<u8>] {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or(&[], |(_, strings)| strings)
    }

    pub fn records(&self, name: &str) -> Vec<Record> {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
        let record = |strings: &[Vec<u8>]| Record {
            category: Category::from_name(&text(&strings[0])).unwrap(),
            key: text(&strings[1]),
            value: Value::new(strings[2].clone().into()),
        };
        self.list(name).chunks_exact(3).map(record).collect()
    }

    pub fn write(&self, path: &Path) {
        let mut bytes = vec![];
        let number = |bytes: &mut Vec<u8>, value: usize| {
            bytes.extend((value as u32).to_le_bytes());
        };
        number(&mut bytes, self.0.len());
        for (name, strings) in &self.0 {
            number(&mut bytes, name.len());
            bytes.extend(name.as_bytes());
            number(&mut bytes, strings.len());
            for string in strings {
                number(&mut bytes, string.len());
                bytes.extend(string);
            }
        }
        std::fs::write(path, bytes).unwrap();
    }

    pub fn read(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let mut take = |length: usize| {
            let (taken, after) = rest.split_at(length);
            rest = after;
            taken
        };
        let mut lists = vec![];
        let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap()) as usize;
        for _ in 0..number(take(4)) {
            let length = number(take(4));
            let name = String::from_utf8(take(length).to_vec()).unwrap();
            let strings = (0..number(take(4))).map(|_| {
                let length = number(take(4));
                take(length).to_vec()
            });
            lists.push((name, strings.collect()));
        }
        Self(lists)
    }
}
