// The types of the wrapped glue (wrap-glue.mjs). The build copies this file next to it; before there is a build,
// `rootDirs` in tsconfig.json lets the compiler find it here. wasm-bindgen's own types are not used: `MlsClientApi` in
// mls-types.ts says more than they can.

/** Makes the bindings of one wasm instance: the `init` function, with the exported classes as properties. */
export function createGlue(): unknown;
