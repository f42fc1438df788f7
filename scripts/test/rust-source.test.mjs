// What others can call in a Rust crate, read from its source.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { readCrate } from '../lib/rust-source.mjs'

/** Writes the files of a crate, reads it, and shows its public methods as `Type::name`. */
function read(files, features = []) {
  const folder = mkdtempSync(join(tmpdir(), 'rust-source-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    const { methods, enums } = readCrate(join(folder, 'lib.rs'), { features })
    return { methods, enums, shown: methods.filter((method) => method.public).map(({ type, name }) => `${type}::${name}`) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('public methods of inherent impl blocks, and no others', () => {
  const { shown } = read({ 'lib.rs': `
    pub struct A;
    impl A {
      pub fn offered(&self) -> u8 { fn inner() {} 1 }
      pub(crate) fn ours(&self) {}
      fn private(&self) {}
      pub const fn constant() {}
      pub async unsafe fn both() {}
      pub const NUMBER: [u8; 1] = [{ 1 }];
      pub fn after_the_constant() {}
    }
    impl Clone for A { fn clone(&self) -> Self { A } }
    impl<T> From<fn(T) -> u8> for A { fn from(_: fn(T) -> u8) -> Self { A } }
    impl<'a, F: for<'b> Fn(&'b u8) -> bool> Other<'a, F> where F: Send { pub fn generic(self) {} }
    impl module::path::Named { pub fn by_path() {} }
    pub fn free() {}
    trait T { fn required(&self); }
  ` })
  assert.deepEqual(shown, [
    'A::offered', 'A::constant', 'A::both', 'A::after_the_constant', 'Other::generic', 'Named::by_path',
  ])
})

test('what looks like code inside text is none', () => {
  const { shown } = read({ 'lib.rs': `
    impl A {
      /* { /* nested */ pub fn in_a_comment() { */
      // pub fn in_a_line() {
      /// \`pub fn in_documentation() {\`
      pub fn braces_in_text<'a>(text: &'a str) { let _ = "} pub fn in_a_string() {"; let _ = '{'; let _ = b'\\''; }
      pub fn raw() { let _ = r#"} " pub fn in_a_raw_string() {"#; let _ = "\\"}"; }
      pub fn numbers() { for _ in 0..10 { let _ = 1.5f32; let _ = 0xff_u8; } }
      pub fn last() {}
    }
  ` })
  assert.deepEqual(shown, ['A::braces_in_text', 'A::raw', 'A::numbers', 'A::last'])
})

test('cfg is followed: on modules, impl blocks, methods and variants', () => {
  const files = {
    'lib.rs': `
      #[cfg(test)] mod tests { impl A { pub fn in_tests() {} } }
      #[cfg(feature = "draft")] mod draft;
      mod plain;
      #[cfg(any(feature = "draft", all(test, feature = "x")))] impl A { pub fn drafted() {} }
      impl A {
        #[cfg(not(feature = "draft"))] #[doc(hidden)] pub fn without() {}
        #[cfg(any(not(feature = "draft"), test))]
        #[allow(clippy::type_complexity)]
        pub fn either() {}
      }
      pub enum Kind { #[cfg(feature = "draft")] New { a: u8, b: u8 }, /** old */ Old(u8), Last = 3 }
      enum Private { X }
    `,
    'draft.rs': 'impl A { pub fn of_the_draft() {} }',
    'plain/mod.rs': 'pub mod deeper; impl A { pub fn plain() {} }',
    'plain/deeper.rs': 'impl A { pub fn deeper() {} }',
  }
  assert.deepEqual(read(files).shown, ['A::deeper', 'A::plain', 'A::without', 'A::either'])
  assert.deepEqual(read(files, ['draft']).shown, ['A::of_the_draft', 'A::deeper', 'A::plain', 'A::drafted'])
  assert.deepEqual(read(files).enums.map(({ type, variants }) => [type, variants]), [['Kind', ['Old', 'Last']]])
  assert.deepEqual(read(files, ['draft']).enums[0].variants, ['New', 'Old', 'Last'])
})

test('methods that a macro makes are found under the names they get', () => {
  const { shown } = read({ 'lib.rs': `
    macro_rules! forward {
      ($name:ident, $value:ty, $(#[$meta:meta])*) => { $(#[$meta])* pub fn $name(&self, _: $value) {} };
    }
    impl A { forward!(add, Vec<u8>, /** adds */); forward!(remove, u32,); }
  ` })
  assert.deepEqual(shown, ['A::add', 'A::remove'])
})

test('the type arguments and the documentation of a method are kept', () => {
  const { methods } = read({ 'lib.rs': `
    impl<'a, G> CommitBuilder<'a, Initial, G> {
      /// Does it.
      ///
      /// At length.
      #[inline]
      pub fn build(self) {}
    }
  ` })
  assert.deepEqual(methods.map(({ type, stage, name, doc, line }) => ({ type, stage, name, doc, line })), [
    { type: 'CommitBuilder', stage: "<'a,Initial,G>", name: 'build', doc: 'Does it.', line: 7 },
  ])
})
