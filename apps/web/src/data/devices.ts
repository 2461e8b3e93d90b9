import type { DeviceId } from '@driftlog/core'

/** What people call a device here: it has a key, not a name. */
export const deviceName = (device: string, own: DeviceId): string =>
  device === own
    ? 'this window'
    : `device ${device
        .replace(/[^a-z\d]/gi, '')
        .slice(0, 4)
        .toUpperCase()}`
