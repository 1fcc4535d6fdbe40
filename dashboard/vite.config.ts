import path from 'node:path'
import { defineConfig } from 'vite'

/** The address of the Worker that `npm start` runs. The hot-reload server forwards API requests to it. */
const API = `http://127.0.0.1:${process.env.PORT ?? '8787'}`

export default defineConfig({
  root: import.meta.dirname,
  base: '/dashboard/',
  build: {
    outDir: path.join(import.meta.dirname, '../public/dashboard'),
    emptyOutDir: true,
    target: 'es2023',
    // Disables inlining. Small files would be `data:` URLs, which the Content-Security-Policy does not allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
    port: 5173,
    proxy: {
      '/dashboard/api': {
        target: API,
        changeOrigin: true,
        // The Worker accepts the session cookie only from pages of its own origin.
        headers: { origin: API },
      },
    },
  },
})
