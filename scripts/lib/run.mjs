import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { exe, isWindows, root } from './paths.mjs'
import { Problem } from './say.mjs'

// rustup puts its folder on the PATH of login shells only; a CI job often has none.
if (!which('cargo')) {
  const home = process.env.HOME ?? process.env.USERPROFILE ?? ''
  const bin = join(process.env.CARGO_HOME ?? join(home, '.cargo'), 'bin')
  if (existsSync(join(bin, exe('cargo')))) process.env.PATH = `${bin}${delimiter}${process.env.PATH ?? ''}`
}

/**
 * Runs a command. Its output goes to the terminal unless `quiet`, and is returned either way.
 * @returns {Promise<{code: number, output: string}>} code -1: it could not be started; -2: stopped after `timeoutMs`.
 */
export function run(command, args, { cwd = root, env = {}, quiet = false, shell = false, timeoutMs } = {}) {
  return new Promise((settle) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      shell,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that a run that hangs can be stopped with all its children.
      detached: Boolean(timeoutMs) && !isWindows,
    })
    let output = ''
    let timedOut = false
    const take = (stream) => (chunk) => {
      output += chunk
      if (!quiet) stream.write(chunk)
    }
    child.stdout.setEncoding('utf8').on('data', take(process.stdout))
    child.stderr.setEncoding('utf8').on('data', take(process.stderr))
    const stop = (signal) => {
      try {
        if (isWindows) child.kill(signal)
        else process.kill(-child.pid, signal)
      } catch {
        // It has ended meanwhile.
      }
    }
    const timer = timeoutMs && setTimeout(() => { timedOut = true; stop('SIGKILL') }, timeoutMs)
    // A group of its own does not get the terminal's Ctrl-C: pass it on.
    const interrupted = () => { stop('SIGTERM'); process.exit(130) }
    if (timeoutMs) process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
    const end = (result) => {
      clearTimeout(timer)
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
      settle(result)
    }
    child.on('error', (error) => end({ code: -1, output: `${output}${error.message}\n` }))
    child.on('close', (code) => end({ code: timedOut ? -2 : (code ?? 1), output }))
  })
}

/** As `run`, but a failure is a Problem. */
export async function mustRun(command, args, options = {}, advice = undefined) {
  const result = await run(command, args, options)
  if (result.code === 0) return result.output
  const said = options.quiet ? `\n${result.output.trimEnd()}` : ''
  throw new Problem(`\`${[command, ...args].join(' ')}\` failed (exit code ${result.code}).${said}`, advice)
}

/** The full path of a command on PATH, or undefined. */
export function which(name) {
  const names = isWindows ? [`${name}.exe`, `${name}.cmd`] : [name]
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const candidate of names) {
      if (folder && existsSync(join(folder, candidate))) return join(folder, candidate)
    }
  }
  return undefined
}

/** npm itself: the one that started us, where there is one. */
export function npm(args, options = {}) {
  const npmCli = process.env.npm_execpath
  if (npmCli?.endsWith('.js')) return mustRun(process.execPath, [npmCli, ...args], options)
  return mustRun('npm', args, { ...options, shell: isWindows })
}

/**
 * The script behind a command of an npm package, as seen from `folder` (workspaces may have their own copy).
 * Run it with `process.execPath`: works without a shell on every system.
 */
export function packageCommand(packageName, command, folder = root) {
  const require = createRequire(join(folder, 'package.json'))
  for (const base of require.resolve.paths(packageName) ?? []) {
    const manifest = join(base, packageName, 'package.json')
    if (!existsSync(manifest)) continue
    const { bin } = JSON.parse(readFileSync(manifest, 'utf8'))
    const script = typeof bin === 'string' ? bin : bin?.[command]
    if (script) return join(dirname(manifest), script)
  }
  throw new Problem(`The npm package ${packageName} is not installed.`, 'Run `npm install` in the root of the repository.')
}

/** PATH with these folders first. */
export const pathWith = (...folders) => [...folders.filter(Boolean), process.env.PATH].join(delimiter)
