import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { exe, toolsDir } from '../lib/paths.mjs'
import { mustRun, run, which } from '../lib/run.mjs'
import { step } from '../lib/say.mjs'

/**
 * A command-line tool written in Rust: the one on PATH if `accepts` its version, else one built into target/tools.
 * @returns {Promise<string>} its full path
 */
export async function ensureCargoTool({ command, crate, version, accepts, usually }) {
  const local = join(toolsDir, 'bin', exe(command))
  for (const candidate of [which(command), local]) {
    if (candidate && existsSync(candidate) && accepts(await versionOf(candidate))) return candidate
  }
  await step(`Building ${crate} ${version}, once`, usually, () =>
    mustRun('cargo', ['install', crate, '--version', `=${version}`, '--locked', '--force', '--quiet', '--root', toolsDir], {
      quiet: true,
      env: {
        // One folder for all tools: they share many dependencies.
        CARGO_TARGET_DIR: join(toolsDir, 'build'),
        // Built to run a few times: quick to compile matters more than quick to run.
        CARGO_PROFILE_RELEASE_OPT_LEVEL: '1',
        CARGO_PROFILE_RELEASE_LTO: 'off',
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
        CARGO_PROFILE_RELEASE_DEBUG: '0',
        RUSTFLAGS: '',
      },
    }, 'Is the network reachable? Run this again when it is; what has been compiled is kept.'))
  return local
}

async function versionOf(path) {
  const { code, output } = await run(path, ['--version'], { quiet: true })
  return code === 0 ? (output.match(/\d+\.\d+\.\d+/)?.[0] ?? '') : ''
}
