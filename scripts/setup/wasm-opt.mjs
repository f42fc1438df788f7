// wasm-opt comes with the npm package binaryen, compiled to wasm: the same version on every machine.
import { packageCommand } from '../lib/run.mjs'

/** @returns {string} the script to run with node */
export const wasmOptScript = () => packageCommand('binaryen', 'wasm-opt')
