/** The ordinary build of the wasm: the ciphersuites of RFC 9420. */

import { createGlue } from '../pkg/openmls_wasm.js';
import { BuildEngineHost, WasmBuild, type WasmSource } from './engine.js';

const BUILD = /* @__PURE__ */ new WasmBuild(
  createGlue,
  () => new URL('../pkg/openmls_wasm_bg.wasm', import.meta.url),
);

/** Starts instances of the package's wasm. */
export class WasmEngineHost extends BuildEngineHost {
  /** @param source default: the file next to the package's code, found by bundlers through `import.meta.url`. */
  constructor(source?: WasmSource | PromiseLike<WasmSource>) {
    super(BUILD, source);
  }
}
