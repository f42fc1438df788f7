import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { exe, toolsDir } from '../lib/paths.mjs'
import { mustRun, run, which } from '../lib/run.mjs'
import { step } from '../lib/say.mjs'

const advice = 'Is the network reachable? Run this again when it is; what has been compiled is kept.'

const quickBuild = {
  // One folder for all tools: they share many dependencies.
  CARGO_TARGET_DIR: join(toolsDir, 'build'),
  // Built to run a few times: quick to compile matters more than quick to run.
  CARGO_PROFILE_RELEASE_OPT_LEVEL: '1',
  CARGO_PROFILE_RELEASE_LTO: 'off',
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  CARGO_PROFILE_RELEASE_DEBUG: '0',
  RUSTFLAGS: '',
}

/**
 * A command-line tool written in Rust: the one on PATH if `accepts` its version, else one built into target/tools.
 * @returns {Promise<string>} its full path
 */
export async function ensureCargoTool({ command, crate, version, accepts, usually }) {
  const local = join(toolsDir, 'bin', exe(command))
  for (const candidate of [which(command), local]) {
    if (candidate && existsSync(candidate) && accepts(await versionOf(candidate))) return candidate
  }
  await step(`Building ${crate} ${version}, once`, usually, async () => {
    const args = ['install', crate, '--version', `=${version}`, '--force', '--quiet', '--root', toolsDir]
    const locked = await run('cargo', [...args, '--locked'], { quiet: true, env: quickBuild })
    // A mirror of the registry may lack a version that the tool's own lock file names: take what the mirror has.
    if (locked.code !== 0) await mustRun('cargo', args, { quiet: true, env: quickBuild }, advice)
  })
  return local
}

async function versionOf(path) {
  const { code, output } = await run(path, ['--version'], { quiet: true })
  return code === 0 ? (output.match(/\d+\.\d+\.\d+/)?.[0] ?? '') : ''
}
