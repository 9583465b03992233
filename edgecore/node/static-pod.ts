import { createHash } from 'node:crypto'
import { canonical } from '@kedge/shared/canonical'
import { dnsLabelFaults, dnsSubdomainFaults } from '@kedge/shared/kubeapi/names'
import { type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import { podRefsInDetail } from '@kedge/shared/pod-refs'
import * as z from 'zod'
import { readPod } from '../pods/spec.ts'

/** As kubelet marks the pods of its folder. */
export const sourceAnnotation = 'kubernetes.io/config.source'
export const hashAnnotation = 'kubernetes.io/config.hash'

const Manifest = z.looseObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Pod'),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().default('default'),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.record(z.string(), z.unknown()),
})

export type StaticRead = { ok: true; key: Key; content: KubeObject } | { ok: false; reason: string }

/**
 * A Pod of the node's own folder, as kubelet makes it: the node's name at the end of its own, and a uid that follows
 * from what it says, so that another content is another pod.
 */
export function readStaticPod(document: unknown, nodeName: string): StaticRead {
  const parsed = Manifest.safeParse(document)
  if (!parsed.success) return { ok: false, reason: faultsOf(parsed.error) }
  const { metadata, spec } = parsed.data
  const { namespace } = metadata
  const name = `${metadata.name}-${nodeName}`
  const nameFault = dnsSubdomainFaults(name)[0]
  if (nameFault !== undefined) return { ok: false, reason: `metadata.name: found "${metadata.name}"; ${nameFault}` }
  const [namespaceFault] = dnsLabelFaults(namespace)
  if (namespaceFault !== undefined)
    return { ok: false, reason: `metadata.namespace: found "${namespace}"; ${namespaceFault}` }
  const uid = uidOf(canonical({ nodeName, metadata, spec }))
  const annotations = { ...metadata.annotations, [sourceAnnotation]: 'file', [hashAnnotation]: uid }
  const content: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, uid, ...(metadata.labels && { labels: metadata.labels }), annotations },
    spec: { ...spec, nodeName },
  }
  const reason = faultOf(content)
  return reason === undefined ? { ok: true, key: keyOf('pods', namespace, name), content } : { ok: false, reason }
}

function faultOf(content: KubeObject): string | undefined {
  const { refusal } = readPod(content, null)
  if (refusal !== undefined) return refusal.message
  const [ref] = podRefsInDetail(content)
  if (ref === undefined) return undefined
  const kind = ref.resource === 'secrets' ? 'Secret' : 'ConfigMap'
  const by = ref.by.is === 'pod' ? 'imagePullSecrets' : `${ref.by.is} ${ref.by.name}`
  return `${by}: refers to ${kind} "${ref.name}"; a static pod cannot use objects of the API, put a hostPath in its place`
}

/** In the form of a UUID (RFC 9562, version 8: made in a way of our own). */
function uidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

function faultsOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.') || 'the document'}: ${message}`)
    .join('; ')
}
