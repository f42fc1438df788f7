/**
 * The engine host: loads the wasm file, and makes instances of it.
 *
 * The file is compiled once; the `WebAssembly.Module` is kept and instantiated anew for each client and after each
 * panic. Each client has an instance of its own: a panic of one says nothing about another, closing a client frees its
 * memory, and two clients in one page (two databases) share nothing but compiled code. The glue that wasm-bindgen
 * generates would allow one instance a page; the build wraps it in a factory (`wrap-glue.mjs`).
 *
 * A panic is anything thrown that is not an `MlsError`: `unreachable` from Rust's panic handler, an exhausted stack or
 * memory. The instance may then be half-way through anything, so it is never called again.
 *
 * Works under a Content Security Policy of `script-src 'self' 'wasm-unsafe-eval'` with Trusted Types required: no `eval`,
 * no script made from a string.
 */

import { CoreCryptoError, messageOf } from './errors.js';
import type { Category, MlsClientApi } from './mls-types.js';

/** Where the wasm comes from. A promise may be given for any of them, e.g. `fetch(...)`. */
export type WasmSource = URL | string | BufferSource | WebAssembly.Module | Response;

/** A running instance with one empty client in it. */
export interface Engine {
  /**
   * The synchronous client: what the rest of the package calls, and no interface for others.
   * @internal
   */
  readonly client: MlsClientApi;
  /** The kinds of records that this version stores. */
  readonly categories: readonly Category[];
  /** The format of the records. */
  readonly formatVersion: number;
  /** Argon2id (RFC 9106), version 1.3, one lane: 32 bytes from a passphrase. Blocks for as long as it takes. */
  argon2id(passphrase: Uint8Array, salt: Uint8Array, memoryKiB: number, iterations: number): Uint8Array;
  /** Ends the instance: wipes its memory. The client must not be called afterwards. */
  discard(): void;
}

/** Makes engines. A seam: the tests of the loop run over a small one of their own. */
export interface EngineHost {
  /** @throws CoreCryptoError `wasm-unavailable` */
  start(): Promise<Engine>;
}

/** What the wrapped glue gives; see `wrap-glue.mjs`. */
interface Glue {
  (options: { readonly module_or_path: WebAssembly.Module }): Promise<{ readonly memory: WebAssembly.Memory }>;
  readonly MlsClient: {
    new (): MlsClientApi;
    categories(): Category[];
    formatVersion(): number;
    argon2id: Engine['argon2id'];
  };
}

/** One of the builds of the wasm: its glue, and its file beside it. */
export class WasmBuild {
  /** @internal */
  readonly createGlue: () => unknown;
  readonly #file: () => URL;
  #module: Promise<WebAssembly.Module> | undefined;

  /** @param file a function of `new URL(…, import.meta.url)`: what bundlers find, and put beside the app */
  constructor(createGlue: () => unknown, file: () => URL) {
    this.createGlue = createGlue;
    this.#file = file;
  }

  /**
   * The compiled file, shared by all clients of the page.
   * @internal
   */
  module(): Promise<WebAssembly.Module> {
    this.#module ??= forgetOnFailure(compile(this.#file()), () => {
      this.#module = undefined;
    });
    return this.#module;
  }
}

/** Starts instances of a build of the wasm. */
export class BuildEngineHost implements EngineHost {
  readonly #build: WasmBuild;
  readonly #source: WasmSource | PromiseLike<WasmSource> | undefined;
  #module: Promise<WebAssembly.Module> | undefined;

  /** @param source of the wasm file, default: that of the build */
  constructor(build: WasmBuild, source?: WasmSource | PromiseLike<WasmSource>) {
    this.#build = build;
    this.#source = source;
  }

  async start(): Promise<Engine> {
    try {
      const glue = this.#build.createGlue() as Glue;
      const { memory } = await glue({ module_or_path: await this.#compiled() });
      const client = new glue.MlsClient();
      return {
        client,
        categories: glue.MlsClient.categories(),
        formatVersion: glue.MlsClient.formatVersion(),
        argon2id: glue.MlsClient.argon2id,
        discard: () => {
          release(client);
          new Uint8Array(memory.buffer).fill(0);
        },
      };
    } catch (error) {
      throw new CoreCryptoError(
        'wasm-unavailable',
        `cannot start openmls-wasm: ${messageOf(error)}; check that the .wasm file is served and that the Content Security Policy allows 'wasm-unsafe-eval'`,
        { cause: error },
      );
    }
  }

  #compiled(): Promise<WebAssembly.Module> {
    const source = this.#source;
    if (source === undefined) {
      return this.#build.module();
    }
    this.#module ??= forgetOnFailure(Promise.resolve(source).then(compile), () => {
      this.#module = undefined;
    });
    return this.#module;
  }
}

/** A download that failed may succeed the next time. */
function forgetOnFailure<T>(promise: Promise<T>, forget: () => void): Promise<T> {
  promise.catch(forget);
  return promise;
}

async function compile(source: WasmSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) {
    return source;
  }
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    return WebAssembly.compile(source);
  }
  const response = source instanceof Response ? source : await fetch(source);
  if (!response.ok) {
    throw new Error(`${response.url} answered ${response.status} ${response.statusText}`);
  }
  if (response.headers.get('Content-Type')?.startsWith('application/wasm') === true) {
    return WebAssembly.compileStreaming(response);
  }
  // A server that does not know the type: slower, but the same.
  return WebAssembly.compile(await response.arrayBuffer());
}

/**
 * Takes a client out of the glue's FinalizationRegistry, which would otherwise call into the dead instance some day.
 * The instance's memory goes as a whole, so nothing needs to be freed inside it.
 */
function release(client: MlsClientApi): void {
  const object = client as MlsClientApi & { __destroy_into_raw?: () => number };
  object.__destroy_into_raw?.();
}
