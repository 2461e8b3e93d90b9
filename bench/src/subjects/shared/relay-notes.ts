const RELAY = 'devices in memory; a bare relay that keeps all messages in memory and stores nothing; WebSocket'

/** For subjects that bring no server. */
export const RELAY_NOTES = {
  W6: RELAY,
  'W6-ingest': `${RELAY}; CPU and memory are those of the devices`,
}
