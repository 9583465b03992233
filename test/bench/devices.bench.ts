import { many, slowDisk } from './devices/local.ts'
import { mappers } from './devices/mappers.ts'

export const name = 'devices'

/** What devices cost by the ways that they are attached; `twins` has the rates of MQTT, `link` the way of a desired value. */
export const parts = { mappers, many, 'slow-disk': slowDisk }
