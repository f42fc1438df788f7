// node scripts/openmls-suite.mjs [-- arguments for the tests]: OpenMLS's own tests, with our store under them.
//
// The sources are the ones that Cargo has fetched for the workspace. They are copied below Cargo's target folder and
// changed there; nothing of OpenMLS is in this repository. What changes:
//   - the crate `openmls_memory_storage` becomes one whose `MemoryStorage` is our GranularStorage, compiled from
//     openmls-wasm/src/storage as it is, and so OpenMLS's test providers, which use that name, run on it;
//   - tests that need what is not there are left out; the list below says why, and the script prints it;
//   - benches and examples are dropped from the manifest, with the dependencies that only they have.
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { packageDir, root, targetDir } from './lib/paths.mjs'
import { run } from './lib/run.mjs'
import { Problem, main, say } from './lib/say.mjs'
import { rustCounts } from './lib/suites.mjs'

const suite = join(targetDir, 'openmls-suite')
const openmls = join(suite, 'openmls')
const features = ['test-utils', 'extensions-draft', 'fork-resolution']
const minutes = 60_000

const leftOut = {
  'The test vectors are not part of the published crate': ['read_test_vectors', 'test_read_vectors'],
  "Uses MemoryStorage's second implementation of the trait, for the test version 65535": ['storage::test::'],
  "Reads a MemoryStorage's own dump of itself": ['storage::kat_storage_stability::'],
}

main(async () => {
  const original = await found('openmls', root)
  const storage = await found('openmls_memory_storage', root)
  say(`OpenMLS ${original.version}'s own tests over GranularStorage (features: ${features.join(', ')})`)
  rmSync(openmls, { recursive: true, force: true })
  cpSync(original.folder, openmls, { recursive: true, filter: (path) => !/[/\\](benches|examples)$/.test(path) })
  patchManifest()
  patchSources()
  writeStorageCrate(storage.version)
  // The versions that the workspace has locked; Cargo adds those that only the tests need.
  cpSync(join(root, 'Cargo.lock'), join(openmls, 'Cargo.lock'))
  for (const [reason, names] of Object.entries(leftOut)) say(`left out: ${names.join(', ')}\n  ${reason}.`)

  const store = await found('openmls_memory_storage', openmls)
  if (store.source !== null) throw new Problem('OpenMLS is not running on our store: the patch was not applied.')

  const skip = Object.values(leftOut).flat().flatMap((name) => ['--skip', name])
  const extra = process.argv.slice(2).filter((argument) => argument !== '--')
  const started = Date.now()
  const { code, output } = await run(
    'cargo',
    ['test', '--lib', '--tests', '--no-fail-fast', '--features', features.join(','), '--', ...skip, ...extra],
    { cwd: openmls, env: { CARGO_TARGET_DIR: join(suite, 'target') }, timeoutMs: 40 * minutes },
  )
  const { passed, failed } = rustCounts(output)
  const seconds = Math.round((Date.now() - started) / 1000)
  say(`OpenMLS's own tests over GranularStorage: ${passed} passed, ${failed} failed, in ${seconds} s with the build`)
  process.exitCode = code === 0 && failed === 0 && passed > 0 ? 0 : 1
})

/** What Cargo says about a crate that the workspace in `cwd` depends on. */
async function found(name, cwd) {
  const { code, output } = await run('cargo', ['metadata', '--format-version', '1', '--features', cwd === root ? '' : features.join(',')], { cwd, quiet: true })
  if (code !== 0) throw new Problem(`\`cargo metadata\` failed in ${cwd}.`, output)
  const json = output.split('\n').find((line) => line.startsWith('{'))
  const crate = JSON.parse(json).packages.find((crate) => crate.name === name)
  if (!crate) throw new Problem(`${cwd} does not depend on ${name}.`)
  return { folder: dirname(crate.manifest_path), version: crate.version, source: crate.source }
}

function edit(path, change) {
  const before = readFileSync(path, 'utf8')
  const after = change(before)
  if (after === before) throw new Problem(`${path} is not what this script expects; it is made for openmls 0.9.2.`)
  writeFileSync(path, after)
}

function patchManifest() {
  const unneeded = /^\[\[(bench|example)\]\]|^\[dev-dependencies\.(criterion|clap|indicatif)\]/
  edit(join(openmls, 'Cargo.toml'), (manifest) => {
    const sections = manifest.split(/^(?=\[)/m).filter((section) => !unneeded.test(section))
    return `${sections.join('')}
[workspace]

[patch.crates-io]
openmls_memory_storage = { path = "../openmls_memory_storage" }

# As in the workspace: cryptography without optimization takes many times longer than the tests themselves.
[profile.dev.package."*"]
opt-level = 1
debug = false
[profile.dev]
debug = "line-tables-only"
`
  })
}

function patchSources() {
  edit(join(openmls, 'src', 'storage.rs'), (source) => source.replaceAll('#[cfg(test)]', '#[cfg(any())]'))
  // In its own repository OpenMLS is a dev-dependency of itself; publishing strips that.
  edit(join(openmls, 'src', 'tree', 'tests_and_kats', 'kats', 'secret_tree.rs'), (source) => source.replaceAll(' openmls::', ' crate::'))
  // The files that `include_str!` wants. They are no JSON, so that no test can pass without its vectors.
  const vectors = join(openmls, 'test_vectors')
  mkdirSync(vectors, { recursive: true })
  for (const path of readdirSync(join(openmls, 'src'), { recursive: true })) {
    if (!path.endsWith('.rs')) continue
    const source = readFileSync(join(openmls, 'src', path), 'utf8')
    for (const [, name] of source.matchAll(/test_vectors\/([\w-]+\.json)/g)) writeFileSync(join(vectors, name), 'not published')
  }
}

/** A crate that OpenMLS takes for its `openmls_memory_storage`. */
function writeStorageCrate(version) {
  const folder = join(suite, 'openmls_memory_storage')
  mkdirSync(join(folder, 'src'), { recursive: true })
  const manifest = readFileSync(join(packageDir, 'Cargo.toml'), 'utf8')
  const dependency = (name) => {
    const found = manifest.match(new RegExp(`^${name} = .*$`, 'm'))
    if (!found) throw new Problem(`openmls-wasm no longer depends on ${name}: change scripts/openmls-suite.mjs.`)
    return found[0]
  }
  writeFileSync(join(folder, 'Cargo.toml'), `[package]
name = "openmls_memory_storage"
version = "${version}"
edition = "2021"

[features]
# The host's build of OpenMLS's test macro has it too, without asking for the draft.
default = ["extensions-draft"]
extensions-draft = ["openmls_traits/extensions-draft"]
test-utils = ["openmls_traits/test-utils"]
# Features that OpenMLS names; the storage methods of the latter are not ours.
draft-ietf-mls-pq-ciphersuites = []
persistence = []
virtual-clients-draft = []
# Known to the sources of the store.
test-hooks = []

[dependencies]
openmls_traits = "=${version}"
${['serde', 'thiserror', 'xxhash-rust', 'zeroize'].map(dependency).join('\n')}
`)
  const sources = JSON.stringify(join(packageDir, 'src', 'storage', 'mod.rs'))
  writeFileSync(join(folder, 'src', 'lib.rs'), `#![forbid(unsafe_code)]
#![allow(dead_code)]
#[path = ${sources}]
pub mod storage;

pub use storage::{GranularStorage as MemoryStorage, StorageError as MemoryStorageError};

/// OpenMLS's tests clone their provider to try something twice.
#[cfg(feature = "test-utils")]
impl Clone for MemoryStorage {
    fn clone(&self) -> Self {
        let copy = Self::default();
        let records = self.records().expect("the records of the original");
        copy.hydrate(records).expect("the copy is empty");
        copy
    }
}
`)
}
