import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Where the delivery service listens while `vite dev` serves the page. */
const deliveryService = process.env['DELIVERY_SERVICE'] ?? 'http://127.0.0.1:8787';

/**
 * The policy of the built page. Only in the build: the dev server injects an inline script of its own.
 * Styles may be inline because Mantine writes its CSS variables into a <style> element.
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

function csp(): Plugin {
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: contentSecurityPolicy },
        injectTo: 'head-prepend',
      },
    ],
  };
}

export default defineConfig({
  plugins: [react(), csp()],
  // One file, so that everything is there when the network is not.
  build: { target: 'es2022', sourcemap: false, chunkSizeWarningLimit: 775 },
  server: { proxy: { '/v1': { target: deliveryService, ws: true } } },
});
