import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import * as z from 'zod'
import { ask, type KubeAccess } from './kube.ts'

const Node = z.object({
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })) }),
})

/** Whether the node is Ready, and in touch with cloudcore. */
export async function isReady(access: KubeAccess, name: string): Promise<boolean> {
  const { status, body } = await ask(access, 'GET', `/api/v1/nodes/${name}`)
  const node = Node.safeParse(body)
  return status === 200 && node.success && readyAndConnected(node.data)
}

/** A node that is out of reach by design stays Ready for a while; its own condition `Connected` then says False. */
export function readyAndConnected({ status: { conditions } }: z.infer<typeof Node>): boolean {
  const of = (type: string) => conditions.find((condition) => condition.type === type)?.status
  return of('Ready') === 'True' && of('Connected') !== 'False'
}

/**
 * How many nodes cloudcore has a link to and is in agreement with, by its metrics. Kubernetes alone cannot tell: after a
 * restart of everything its nodes are still as Ready as they were.
 */
export async function nodesInSync(metricsUrl: string): Promise<number> {
  const text = await (await fetch(metricsUrl, { signal: AbortSignal.timeout(10_000) })).text()
  const counts = [...text.matchAll(/^kedge_cloud_nodes\{state="(?:level|changing)"\} (\d+)/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

const Manifest = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({ name: z.string(), namespace: z.string().default('default') }),
})

/**
 * Creates the objects of a YAML file that are not there yet; those that are stay as they are, for they may have been
 * edited since. Resolves with the names of the created ones.
 */
export async function createFrom(access: KubeAccess, file: string): Promise<string[]> {
  const created: string[] = []
  for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
    const object: unknown = document.toJS()
    const { kind, metadata } = Manifest.parse(object)
    if (await create(access, object)) created.push(`${kind.toLowerCase()}/${metadata.name}`)
  }
  return created
}

/** Creates an object. Resolves with whether it is new; throws when the API refuses it. */
export async function create(access: KubeAccess, object: unknown): Promise<boolean> {
  const { apiVersion, kind, metadata } = Manifest.parse(object)
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const path = `${base}/namespaces/${metadata.namespace}/${kind.toLowerCase()}s`
  const { status, body } = await ask(access, 'POST', path, object)
  if (status === 201 || status === 409) return status === 201
  throw new Error(`create ${kind} ${metadata.name}: ${status} ${messageOf(body)}`)
}

function messageOf(body: unknown): string {
  const parsed = z.object({ message: z.string() }).safeParse(body)
  return parsed.success ? parsed.data.message : JSON.stringify(body)
}
