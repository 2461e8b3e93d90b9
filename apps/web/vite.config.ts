import process from 'node:process'
import react from '@vitejs/plugin-react'
import { defaultClientConditions, defineConfig } from 'vite'
import { VitePWA } from 'vite-plugin-pwa'

const syncServer = process.env['DRIFTLOG_SERVER'] ?? 'http://localhost:4000'

export default defineConfig({
  // The workspace packages are bundled from their sources: nothing has to be built before, and a change shows at once.
  // With `es2015` RxJS comes as the modules that it is written in; by default it is ES5 with helpers.
  resolve: { conditions: ['driftlog-source', 'es2015', ...defaultClientConditions] },
  build: {
    target: 'es2022',
    // libsodium carries its WebAssembly inside; it is cached once, so a large chunk costs nothing at the next start.
    chunkSizeWarningLimit: 2000,
  },
  server: {
    // For development: what belongs to the server, `driftlog serve --demo`, comes from there.
    proxy: { '/config.json': syncServer, '/spaces': { target: syncServer, ws: true } },
  },
  plugins: [
    react(),
    VitePWA({
      strategies: 'injectManifest',
      srcDir: 'src/app',
      filename: 'service-worker.ts',
      registerType: 'prompt',
      injectRegister: false,
      injectManifest: {
        // The wasm belongs to the shell: without it the database cannot start offline.
        globPatterns: ['**/*.{html,js,css,svg,png,wasm,webmanifest}'],
        maximumFileSizeToCacheInBytes: 8 * 1024 * 1024,
      },
      manifest: {
        id: '/',
        name: 'Driftlog tasks',
        short_name: 'Driftlog',
        description: 'Tasks that work without a network and meet again when there is one.',
        start_url: '/',
        display: 'standalone',
        background_color: '#fbfaf7',
        theme_color: '#0b6b70',
        icons: [
          { src: '/icon.svg', sizes: 'any', type: 'image/svg+xml' },
          { src: '/icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: '/icon-512.png', sizes: '512x512', type: 'image/png' },
          { src: '/icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
        ],
      },
    }),
  ],
})
