import { expect } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'

/** The topics of the lamp begin with it, in the form with the namespace and in the one without. */
export const base = '$hw/events/device/default/lamp'
export const short = '$hw/events/device/lamp'
/** What answers bear that no test knows before. */
export const time = expect.any(Number)
export const uuid = expect.stringMatching(/^[0-9a-f-]{36}$/)
export const noDevice = 'update rejected due to the device is not existed'

/** A node with one lamp, and a client that hears all that is said of it from now on. */
export async function lamp(desired: Record<string, string> = {}) {
  const node = await DeviceNode.start()
  await node.apply(model(), device('lamp', { desired }))
  const client = await (await node.connect()).subscribe('$hw/#')
  await client.settled()
  client.seen.length = 0
  return { node, client }
}
