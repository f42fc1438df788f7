// Rust itself has to be there; what it lacks for this project is added: the wasm target, clippy, rustfmt.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isWindows, root } from '../lib/paths.mjs'
import { mustRun, run, which } from '../lib/run.mjs'
import { Problem, step } from '../lib/say.mjs'

const wasmTarget = 'wasm32-unknown-unknown'

export async function ensureRust() {
  const found = await run('rustc', ['--version'], { quiet: true })
  if (found.code !== 0 || !which('cargo')) {
    throw new Problem('Rust is missing: neither `rustc` nor `cargo` was found.', 'Install Rust with rustup (see the Rust web site), open a new terminal and run this again.')
  }
  const needed = readFileSync(join(root, 'Cargo.toml'), 'utf8').match(/^rust-version = "([\d.]+)"/m)?.[1] ?? '0'
  const version = found.output.match(/rustc (\d+\.\d+)/)?.[1] ?? '0'
  if (isOlder(version, needed)) {
    throw new Problem(`Rust ${version} is too old: this project needs ${needed} or later.`, 'Run `rustup update stable`.')
  }
  if (process.platform === 'linux' && !which('cc')) {
    throw new Problem('No C compiler (`cc`) was found; Rust needs one to link, and SQLite is compiled with it.', 'On Debian or Ubuntu: `apt-get install build-essential`.')
  }
}

export async function ensureWasmTarget() {
  const sysroot = (await mustRun('rustc', ['--print', 'sysroot'], { quiet: true })).trim()
  if (existsSync(join(sysroot, 'lib', 'rustlib', wasmTarget, 'lib'))) return
  await rustup(`the Rust target ${wasmTarget}`, '10 s', ['target', 'add', wasmTarget])
}

export async function ensureRustComponents() {
  for (const [component, probe] of [['clippy', 'clippy'], ['rustfmt', 'fmt']]) {
    const found = await run('cargo', [probe, '--version'], { quiet: true })
    if (found.code !== 0) await rustup(`the Rust component ${component}`, '10 s', ['component', 'add', component])
  }
}

async function rustup(what, usually, args) {
  if (!which('rustup')) {
    throw new Problem(`${capital(what)} is missing, and so is \`rustup\` to add it.`, `Install Rust with rustup, or add ${what} the way your Rust was installed${isWindows ? '' : ' (a package of your distribution)'}.`)
  }
  await step(`Installing ${what}`, usually, () =>
    mustRun('rustup', args, { quiet: true }, 'Is the network reachable? Run this again when it is.'))
}

const capital = (text) => text[0].toUpperCase() + text.slice(1)

function isOlder(version, needed) {
  const [a, b] = [version, needed].map((text) => text.split('.').map(Number))
  return a[0] !== b[0] ? a[0] < b[0] : a[1] < (b[1] ?? 0)
}
