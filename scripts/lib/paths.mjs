// Where things are. Everything the scripts make goes under Cargo's target folder, which git ignores.
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..')
export const targetDir = process.env.CARGO_TARGET_DIR
  ? resolve(root, process.env.CARGO_TARGET_DIR)
  : join(root, 'target')
/** Tools of this project only: nothing is installed into the user's own folders. */
export const toolsDir = join(targetDir, 'tools')
export const stampsDir = join(targetDir, 'stamps')
export const packageDir = join(root, 'openmls-wasm')
export const frontendDir = join(root, 'frontend')
export const dataDir = join(root, '.data')
/** What `npm run docs` and `npm run coverage` write. */
export const referenceDir = join(root, 'docs', 'reference')

export const isWindows = process.platform === 'win32'
export const exe = (name) => (isWindows ? `${name}.exe` : name)
export const serviceBinary = join(targetDir, 'service', exe('delivery-service'))
