import type { Clock } from '@kedge/shared/clock'
import type { Entry } from '../registry.ts'
import { type Candidate, choose } from './choice.ts'
import { type WireDevice, type WireModel, wireDevice, wireModel } from './describe.ts'
import { type Want, wantOf } from './want.ts'

/** `v1beta1.MapperRegisterResponse` */
export interface Registered {
  modelList: WireModel[]
  deviceList: WireDevice[]
}

/** What is left is sent by calls: gRPC clients take 4 MB, and KubeEdge's mappers wait for one second. */
const limits = { bytes: 3_000_000, ms: 150 }

/** The devices that a mapper serves once it has registered beside `others`, as many as fit into the answer. */
export function wantsAtRegistration(
  mapper: Candidate,
  { others, entries, clock }: { others: readonly Candidate[]; entries: Iterable<Entry>; clock: Clock },
): Want[] {
  const deadline = clock.monotonic() + limits.ms
  const wants: Want[] = []
  let bytes = 0
  for (const entry of entries) {
    if (choose(entry.device, [mapper, ...others]) !== mapper) continue
    const want = wantOf(entry)
    if (want === undefined) continue
    bytes += sizeOf(want)
    if (bytes > limits.bytes || clock.monotonic() > deadline) break
    wants.push(want)
  }
  return wants
}

/** About as many bytes as a device takes in a message. */
function sizeOf({ described: { device, model } }: Want): number {
  return JSON.stringify([device.spec, model.spec]).length
}

export function answerOf(wants: readonly Want[]): Registered {
  const models = new Map(wants.map(({ modelId, described }) => [modelId, described]))
  return {
    modelList: [...models.values()].map(({ namespace, model }) => wireModel(namespace, model)),
    deviceList: wants.map(({ described }) => wireDevice(described)),
  }
}
