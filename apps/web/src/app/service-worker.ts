/// <reference lib="webworker" />
// Serves the shell of the app without a network. It holds no data: tasks live in IndexedDB, the connection in localStorage.
import { cleanupOutdatedCaches, createHandlerBoundToURL, precacheAndRoute } from 'workbox-precaching'
import { NavigationRoute, registerRoute } from 'workbox-routing'

declare const self: ServiceWorkerGlobalScope & { __WB_MANIFEST: Array<{ url: string; revision: string | null }> }

precacheAndRoute(self.__WB_MANIFEST)
cleanupOutdatedCaches()
registerRoute(new NavigationRoute(createHandlerBoundToURL('index.html')))

// The first visit is already an offline visit: without claiming it, its page would be served from the network until a reload.
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

// A new version waits until the person asks for it: swapping it under a half-typed note would reload the page.
self.addEventListener('message', (event: ExtendableMessageEvent) => {
  const message: unknown = event.data
  if (typeof message === 'object' && message !== null && 'type' in message && message.type === 'SKIP_WAITING') {
    void self.skipWaiting()
  }
})
