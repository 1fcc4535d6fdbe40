import path from 'node:path'
import vue from '@vitejs/plugin-vue'
import { type Connect, defineConfig, type Plugin } from 'vite'
import { portalTokens, type Site } from './portal-token.ts'

const PAGES = ['html', 'react', 'vue']

/**
 * The origin of the OpenMonetize Edge server, which serves the widgets and handles their requests. The pages refer to
 * it as `%VITE_METER%`.
 */
const meter = process.env.VITE_METER ?? 'http://localhost:8787'
process.env.VITE_METER = meter
const port = Number(process.env.PORT ?? 5174)

export default defineConfig({
  root: import.meta.dirname,
  plugins: [
    vue({ template: { compilerOptions: { isCustomElement: (tag) => tag.startsWith('om-') } } }),
    backend({
      meter,
      api_key: process.env.OPENMONETIZE_API_KEY ?? '',
      origin: process.env.ORIGIN ?? `http://localhost:${port}`,
      token_seconds: Number(process.env.TOKEN_SECONDS ?? 900),
    }),
  ],
  server: { host: 'localhost', port, strictPort: true },
  preview: {
    host: '127.0.0.1',
    port,
    strictPort: true,
    headers: {
      'Content-Security-Policy': [
        "default-src 'none'",
        `script-src 'self' ${meter}`,
        `connect-src 'self' ${meter}`,
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        'trusted-types vue',
      ].join('; '),
    },
  },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: PAGES.map((page) => path.join(import.meta.dirname, page, 'index.html')) },
  },
})

/** Returns a Vite plugin that adds the site's backend to the development server and to the preview server. */
function backend(site: Site): Plugin {
  const use = ({ middlewares }: { readonly middlewares: Connect.Server }) => {
    middlewares.use('/portal-token', (request, response) => void portalTokens(site)(request, response))
  }
  return { name: 'backend', configureServer: use, configurePreviewServer: use }
}
