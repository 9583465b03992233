import type { KubeObject } from '../objects.ts'

/** The CustomResourceDefinitions of Device and DeviceModel, as applied to a cluster. */
export function deviceCrds(): KubeObject[] {
  throw new Error('deviceCrds is not written yet')
}
