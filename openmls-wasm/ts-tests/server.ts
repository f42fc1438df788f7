/**
 * Serves the built package and the page of the tests, as an app with a strict policy would: no inline script, no `eval`,
 * Trusted Types required.
 */

import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; img-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cache-Control': 'no-store',
};

/**
 * A page that starts workers: the address of one is checked by Trusted Types, which this page therefore does not demand. An
 * app that does hands its own worker over.
 */
const WITH_WORKERS = {
  ...HEADERS,
  'Content-Security-Policy': HEADERS['Content-Security-Policy'].replace(/; require-trusted-types-for.*/, "; worker-src 'self'"),
};

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
};

/** What a bundler does for an app: bare names become paths. */
const BARE_NAMES: readonly [string, string][] = [
  ['openmls-wasm', '/dist/index.js'],
  ['openmls-wasm/in-worker', '/dist/in-worker.js'],
  ['openmls-wasm/persister-suite', '/dist/persister-suite.js'],
];

/** Everything once more, with the wasm that can be made to panic. */
const WITH_TEST_HOOKS = '/test-hooks';

const page = (prefix: string, script: string): string =>
  `<!doctype html><title>openmls-wasm</title><script type="module" src="${prefix}/ts-tests/dist/page/${script}.js"></script>`;

/**
 * Starts the server on a free port. `/page/<script>` is a page with that script; `/test-hooks/page/<script>` the same with
 * the wasm of `pkg-test`.
 */
export async function startServer(): Promise<{ readonly origin: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
    answer(path).then(
      ({ type, body }) =>
        response.writeHead(200, { ...(path.includes('worker') ? WITH_WORKERS : HEADERS), 'Content-Type': type }).end(body),
      () => response.writeHead(404, HEADERS).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

async function answer(requested: string): Promise<{ type: string; body: string | Buffer }> {
  const prefix = requested.startsWith(`${WITH_TEST_HOOKS}/`) ? WITH_TEST_HOOKS : '';
  let path = requested.slice(prefix.length);
  if (path === '/favicon.ico') {
    return { type: 'image/x-icon', body: '' };
  }
  if (path.startsWith('/page/')) {
    return { type: TYPES['.html'] ?? '', body: page(prefix, path.slice('/page/'.length)) };
  }
  if (prefix !== '') {
    path = path.replace(/^\/pkg\//, '/pkg-test/');
  }
  const body = await readFile(join(ROOT, path));
  const type = TYPES[extname(path)] ?? 'application/octet-stream';
  if (extname(path) !== '.js') {
    return { type, body };
  }
  const resolved = BARE_NAMES.reduce(
    (text, [name, to]) => text.replaceAll(`'${name}'`, `'${prefix}${to}'`),
    body.toString(),
  );
  return { type, body: resolved };
}
