// Turns wasm-bindgen's glue for `--target no-modules` into an ES module with a factory.
//
//   wasm-bindgen --target no-modules --no-typescript --omit-default-module-path \
//     --out-dir openmls-wasm/pkg target/wasm32-unknown-unknown/release/openmls_wasm.wasm
//   node openmls-wasm/wrap-glue.mjs openmls-wasm/pkg
//
// Why: the glue of `--target web` is a module, and a module is a singleton: one wasm instance a page, and none to
// replace it with after a panic. The glue of `no-modules` is one expression; inside a function it can be made as often
// as there are clients, so that a panic poisons one client and no other, and closing a client frees its memory.
// Nothing of the generated text is parsed or changed, so a newer wasm-bindgen needs no newer script.
//
// What comes out has the exports of `--target web` too (`default` = init, `initSync`, `MlsClient`).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HEAD = '// wasm-bindgen glue in a factory: each call makes the bindings of an instance of its own.\n';

const folder = process.argv[2];
if (folder === undefined) {
  console.error('wrap-glue: give the folder of openmls_wasm.js, as in: node wrap-glue.mjs openmls-wasm/pkg');
  process.exit(2);
}
const file = join(folder, 'openmls_wasm.js');
const glue = readFileSync(file, 'utf8');

if (glue.startsWith(HEAD)) {
  process.exit(0);
}
if (!glue.startsWith('let wasm_bindgen = ') || !glue.includes('MlsClient')) {
  console.error(`wrap-glue: ${file} is not the no-modules glue of openmls-wasm; build it with --target no-modules`);
  process.exit(1);
}

// `document` is shadowed: a `no-modules` glue would look up the URL of its own script tag, which a module has not got.
writeFileSync(
  file,
  `${HEAD}export function createGlue(document) {
${glue}
return wasm_bindgen;
}
const shared = /* @__PURE__ */ createGlue();
export default shared;
export const initSync = /* @__PURE__ */ (() => shared.initSync)();
export const MlsClient = /* @__PURE__ */ (() => shared.MlsClient)();
`,
);
