// The generated glue as TypeScript sees it (`rootDirs` lays this folder over the package's). wasm-bindgen's own types
// are not used: `MlsClientApi` in mls-types.ts says more than they can.

/** Makes the bindings of one wasm instance: the `init` function with the exported classes as properties. */
export function createGlue(): unknown;
