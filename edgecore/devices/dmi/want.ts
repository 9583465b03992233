import { createHash } from 'node:crypto'
import { canonical } from '@kedge/shared/canonical'
import type { DeviceModel } from '@kedge/shared/devices'
import { visible } from '@kedge/shared/twin'
import type { Entry } from '../registry.ts'
import type { Described } from './describe.ts'

/** A device as a mapper should have it. */
export interface Want {
  described: Described
  /** Tells one content from another: all that a mapper is sent, but not the values that the device reported. */
  hash: string
  /** `<namespace>/<name>` of its model. */
  modelId: string
  modelHash: string
}

/** Models are shared by their devices and never change in place. */
const modelHashes = new WeakMap<DeviceModel, string>()

/** What a mapper should have of a device; undefined when the device, or its model, cannot be read. */
export function wantOf({ namespace, name, device, deviceModel, problem, twins }: Entry): Want | undefined {
  if (device === undefined || deviceModel === undefined || problem !== undefined) return undefined
  const described = { namespace, name, device, model: deviceModel, twins }
  const modelHash = modelHashes.get(deviceModel) ?? hashOf(deviceModel.spec)
  modelHashes.set(deviceModel, modelHash)
  const properties = device.spec?.properties?.map((each) => {
    const value = visible(twins.get(each.name))?.desired.value
    return { ...each, desired: { value, metadata: each.desired?.metadata } }
  })
  const hash = hashOf({ ...device.spec, properties, model: modelHash })
  return { described, hash, modelId: `${namespace}/${deviceModel.metadata.name}`, modelHash }
}

function hashOf(content: unknown): string {
  return createHash('sha1').update(canonical(content)).digest('base64')
}
