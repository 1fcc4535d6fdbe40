import path from 'node:path'
import { defineConfig } from 'vite'

/** The Worker that `npm start` runs: the pages of the hot-reload server send their requests there. */
const API = `http://127.0.0.1:${process.env.PORT ?? '8787'}`

export default defineConfig({
  root: import.meta.dirname,
  base: '/dashboard/',
  build: {
    outDir: path.join(import.meta.dirname, '../public/dashboard'),
    emptyOutDir: true,
    target: 'es2023',
    // Vite would inline a small file as a `data:` address, which needs an exception in the
    // Content-Security-Policy.
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
        // Only pages of the Worker's own origin can use the session.
        headers: { origin: API },
      },
    },
  },
})
