import { deltas, many, slowDisk } from './devices/local.ts'
import { mappers } from './devices/mappers.ts'

export const name = 'devices'

/** What devices cost by the ways that they are attached; `twins` has the rates of MQTT. */
export const parts = { mappers, deltas, many, 'slow-disk': slowDisk }
