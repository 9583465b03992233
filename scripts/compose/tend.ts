import { readFileSync } from 'node:fs'
import { sleep } from '@kedge/shared/service'
import { parseAllDocuments } from 'yaml'
import * as z from 'zod'
import { ask, type KubeAccess } from '../fleet/kube.ts'
import { create } from '../fleet/nodes.ts'

const Named = z.looseObject({ metadata: z.looseObject({ name: z.string() }) })
const DeviceManifest = Named.extend({
  kind: z.literal('Device'),
  spec: z.looseObject({ nodeName: z.string() }),
})
const ModelManifest = Named.extend({ kind: z.literal('DeviceModel') })
const NodeList = z.object({ items: z.array(Named) })

/** A model, and a Device of it on some node, to make others by. */
export interface Sample {
  model: z.infer<typeof ModelManifest>
  device: z.infer<typeof DeviceManifest>
}

/** Reads a manifest with one DeviceModel and one Device. Throws where it has others. */
export function readSample(path: string): Sample {
  const [model, device] = parseAllDocuments(readFileSync(path, 'utf8')).map((document): unknown => document.toJS())
  return { model: ModelManifest.parse(model), device: DeviceManifest.parse(device) }
}

/** The same device on another node, by a name of its own. */
export function deviceOn(node: string, { device }: Sample): z.infer<typeof DeviceManifest> {
  const name = `${device.metadata.name}-${node}`
  return { ...device, metadata: { ...device.metadata, name }, spec: { ...device.spec, nodeName: node } }
}

export interface TendOptions {
  /** Read anew for each look: cloudcore may not have written its kubeconfig yet, or written another. */
  access: () => KubeAccess
  /** Sees to it that nodes can join, and says so when something was to be done. */
  token: () => Promise<void>
  sample: Sample
  say: (text: string) => void
  signal: AbortSignal
}

/**
 * Keeps a join token ready, and gives each node that appears a virtual device of its own, until the signal aborts. A
 * device that is deleted stays away.
 */
export async function tend({ access, token, sample, say, signal }: TendOptions): Promise<void> {
  const tended = new Set<string>()
  let complaint = ''
  while (!signal.aborted) {
    await token()
      .then(() => look(access(), sample, tended, say))
      .then(
        () => (complaint = ''),
        (error: Error) => {
          // Once: cloudcore may be away for long.
          if (complaint !== error.message) say(`waiting for cloudcore: ${error.message}`)
          complaint = error.message
        },
      )
    await sleep(2000, signal)
  }
}

async function look(
  access: KubeAccess,
  sample: Sample,
  tended: Set<string>,
  say: (text: string) => void,
): Promise<void> {
  const { status, body } = await ask(access, 'GET', '/api/v1/nodes')
  if (status !== 200) throw new Error(`list nodes: ${status}`)
  const fresh = NodeList.parse(body)
    .items.map(({ metadata }) => metadata.name)
    .filter((name) => !tended.has(name))
  if (fresh.length > 0) await create(access, sample.model)
  for (const node of fresh) {
    const device = deviceOn(node, sample)
    if (await create(access, device)) say(`${device.metadata.name} is a new virtual device on ${node}`)
    tended.add(node)
  }
}
