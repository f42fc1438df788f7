//! What `npm run bench` needs from a native build: the state of groups that take long to build up, and
//! the times of the same operations natively.
//!
//! `cargo run --profile service -p openmls-wasm --example bench -- fixture <folder> <groups> <members>…`
//! `cargo run --profile service -p openmls-wasm --example bench -- codecs <file>…`
//!
//! | file | what it holds |
//! |---|---|
//! | `world` | a group in use: all have spoken, many have committed |
//! | `observed` | a store that is watched |
//! | `native` | the times of operations |
//! | `codecs` | what other encodings of the same values would cost |
//! | `file` | the format of the files for the page |
//! | `clock` | time, natively and in wasm |

mod clock;
mod codecs;
mod file;
mod native;
mod observed;
mod world;

use std::path::{Path, PathBuf};

use file::Lists;
use openmls_wasm::storage::{Record, Scope};
use serde_json::{json, Map, Value};
use world::{client, records, restored, settle, World};

/// As many epochs as are retained by default.
const EPOCHS: usize = 10;
/// Members other than Alice who commit: enough that few nodes of the tree are blank.
const COMMITTERS: usize = 128;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &words[..] {
        ["fixture", folder, groups, members @ ..] if !members.is_empty() => {
            let members: Vec<usize> = members
                .iter()
                .map(|number| number.parse().unwrap())
                .collect();
            fixture(Path::new(folder), groups.parse().unwrap(), &members);
        }
        ["codecs", files @ ..] if !files.is_empty() => {
            let tables: Vec<Value> = files
                .iter()
                .map(|path| codecs::table(&std::fs::read(path).unwrap()))
                .collect();
            println!("{}", json!(tables));
        }
        _ => panic!("bench fixture <folder> <groups> <members>… | bench codecs <file>…"),
    }
}

fn fixture(folder: &Path, groups: usize, sizes: &[usize]) {
    std::fs::create_dir_all(folder).unwrap();
    let path = |name: String| -> PathBuf { folder.join(name) };
    let mut times = Map::new();
    let mut small: Option<(Vec<Record>, Vec<u8>)> = None;
    for members in sizes {
        let start = clock::now();
        let (mut world, lists, mut time) = group(*members);
        if small.is_none() {
            small = Some((records(&mut world.alice), world.group.clone()));
        }
        if let (Some((alice, group)), true) = (&small, Some(members) == sizes.last()) {
            let joiner = lists.records("joiner");
            let large = native::large(
                alice,
                group,
                &world.packages,
                &joiner,
                &lists.list("welcome")[0],
            );
            time["large"] = large;
        }
        lists.write(&path(format!("members-{members}.bin")));
        times.insert(members.to_string(), time);
        println!("{members} members: {:.1} s", (clock::now() - start) / 1e3);
    }
    let start = clock::now();
    many_groups(groups).write(&path("groups.bin".into()));
    println!("{groups} groups: {:.1} s", (clock::now() - start) / 1e3);
    std::fs::write(path("native.json".into()), Value::Object(times).to_string()).unwrap();
}

/// Two members of a group in use, and one who is about to join it. `fresh` is Alice before anybody else
/// has committed: the nodes of the tree are blank, and a commit is encrypted to every leaf.
fn group(members: usize) -> (World, Lists, Value) {
    let mut world = World::new(members);
    let fresh = records(&mut world.alice);
    world.others_commit(COMMITTERS);
    for _ in 0..EPOCHS {
        world.all_speak();
        world.next_epoch();
    }
    world.all_speak();
    let (alice, bob) = (records(&mut world.alice), records(&mut world.bob));
    let mut joiner = client("joiner");
    let package = joiner.generate_key_packages(1).unwrap();
    let entry = restored(&alice)
        .add_members(&world.group, &package, None)
        .unwrap();
    let mut lists = Lists::default();
    lists.add("group", vec![world.group.clone()]);
    lists.add_records("alice", &alice);
    lists.add_records("bob", &bob);
    lists.add_records("fresh", &fresh);
    lists.add_records("joiner", &records(&mut joiner));
    lists.add("welcome", vec![entry.welcome.unwrap()]);
    lists.add("packages", world.packages.clone());
    let mut times = native::measure(&alice, &bob, &world.group);
    times["storageFresh"] = native::storage_share(&fresh, &world.group);
    (world, lists, times)
}

/// A client in so many groups, of which it is the only member; its records group by group.
fn many_groups(groups: usize) -> Lists {
    let mut alice = client("alice");
    for _ in 0..groups {
        alice.create_group(None).unwrap();
        settle(&mut alice);
    }
    let is_of_client = |record: &&Record| record.category.scope() != Scope::Group;
    let all = records(&mut alice);
    let of_client: Vec<Record> = all.iter().filter(is_of_client).cloned().collect();
    let mut of_groups: Vec<Record> = all
        .into_iter()
        .filter(|record| !is_of_client(&record))
        .collect();
    // By the id, which is random: the first part of each key. The sort is stable.
    of_groups.sort_by(|one, other| group_of(one).cmp(group_of(other)));
    let mut lists = Lists::default();
    lists.add_records("client", &of_client);
    lists.add_records("groups", &of_groups);
    lists
}

fn group_of(record: &Record) -> &str {
    record.key.split('/').next().unwrap_or_default()
}
