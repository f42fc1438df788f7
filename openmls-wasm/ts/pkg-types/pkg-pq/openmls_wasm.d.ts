// The types of the other build's glue are the same.
export * from '../pkg/openmls_wasm.js';
