import type { KubeObject } from '@kedge/shared/objects'

/**
 * What a pod spec asks for that Kedge does not do. Every field of Kubernetes' Pod is in one of these tables or is read by
 * `pod-schema.ts`; a field that is in none is newer than this version, and said to be unknown.
 */

export interface Unsupported {
  /** Nothing is made of a pod that asks for this, since it could not do its work. By field. */
  refused: string[]
  /** The pod runs without it. By field. */
  without: string[]
}

/** True for a value that asks for something. */
type Asks = (value: unknown) => boolean
type Refusals = Record<string, { why: string; asks?: Asks }>

const isSet: Asks = (value) => {
  if (value === undefined || value === null || value === '' || value === false) return false
  return typeof value !== 'object' || Object.keys(value).length > 0
}
const differs =
  (...usual: unknown[]): Asks =>
  (value) =>
    isSet(value) && !usual.includes(value)

/** Read by Kedge, or the business of schedulers and accountants: kubelet passes over the latter as well. */
const podKnown = new Set(
  (
    'containers initContainers volumes restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds hostNetwork ' +
    'hostPID hostIPC shareProcessNamespace hostname hostnameOverride subdomain setHostnameAsFQDN hostAliases dnsPolicy ' +
    'dnsConfig imagePullSecrets readinessGates securityContext nodeName serviceAccountName priority ' +
    'affinity automountServiceAccountToken enableServiceLinks nodeSelector overhead preemptionPolicy priorityClassName ' +
    'schedulerName serviceAccount tolerations topologySpreadConstraints workloadRef'
  ).split(' '),
)
const podRefused: Refusals = {
  hostUsers: { why: 'user namespaces are not supported; leave it out', asks: (value) => value === false },
  os: { why: 'only Linux is', asks: (value) => differs('linux')(fieldsOf(value).name) },
  resourceClaims: { why: 'dynamic resources are not supported; mount a device with hostPath' },
  resources: { why: 'resources of the whole pod are not supported; give them to its containers' },
  runtimeClassName: { why: 'the engine has one runtime; leave it out' },
  schedulingGates: { why: 'the pod is not ready to be scheduled' },
}
const podWithout = { ephemeralContainers: 'not supported, none is started; use exec' }

const podSecurityKnown = new Set(
  (
    'runAsUser runAsGroup runAsNonRoot seccompProfile appArmorProfile seLinuxOptions fsGroup fsGroupChangePolicy ' +
    'supplementalGroups sysctls windowsOptions seLinuxChangePolicy'
  ).split(' '),
)
const podSecurityRefused: Refusals = {
  supplementalGroupsPolicy: { why: 'only Merge is supported', asks: differs('Merge') },
}

const containerKnown = new Set(
  (
    'name image imagePullPolicy restartPolicy command args workingDir env envFrom ports resources volumeMounts ' +
    'startupProbe livenessProbe readinessProbe lifecycle terminationMessagePath terminationMessagePolicy ' +
    'securityContext stdin stdinOnce tty resizePolicy'
  ).split(' '),
)
const containerRefused: Refusals = {
  restartPolicyRules: { why: 'rules of one container are not supported; use the restartPolicy of the pod' },
  volumeDevices: { why: 'block volumes are not supported; mount the device with hostPath' },
}

const securityKnown = new Set(
  (
    'runAsUser runAsGroup runAsNonRoot seccompProfile appArmorProfile seLinuxOptions privileged ' +
    'allowPrivilegeEscalation readOnlyRootFilesystem capabilities procMount windowsOptions'
  ).split(' '),
)

const volumesDone = new Set(['configMap', 'secret', 'downwardAPI', 'projected', 'emptyDir', 'hostPath'])
const sourcesDone = new Set(['configMap', 'secret', 'downwardAPI'])

/** Looks a pod over for what is not done. */
export function unsupportedOf({ spec }: KubeObject): Unsupported {
  const out: Unsupported = { refused: [], without: [] }
  const pod = fieldsOf(spec)
  for (const [field, why] of Object.entries(podWithout)) {
    if (isSet(pod[field])) out.without.push(`spec.${field}: ${why}.`)
  }
  look(out, pod, { at: 'spec', known: podKnown, refused: podRefused, also: Object.keys(podWithout) })
  look(out, fieldsOf(pod.securityContext), {
    at: 'spec.securityContext',
    known: podSecurityKnown,
    refused: podSecurityRefused,
  })
  for (const list of ['initContainers', 'containers']) {
    for (const [index, one] of listOf(pod[list]).entries()) lookAtContainer(out, one, `spec.${list}[${index}]`, list)
  }
  for (const [index, volume] of listOf(pod.volumes).entries()) lookAtVolume(out, volume, `spec.volumes[${index}]`)
  return out
}

interface Table {
  at: string
  known: ReadonlySet<string>
  refused: Refusals
  also?: readonly string[]
}

function look(out: Unsupported, fields: Fields, { at, known, refused, also = [] }: Table): void {
  for (const [field, value] of Object.entries(fields)) {
    if (known.has(field) || also.includes(field)) continue
    const entry = Object.hasOwn(refused, field) ? refused[field] : undefined
    if (entry === undefined) {
      if (isSet(value)) out.without.push(`${at}.${field}: not known to this version of Kedge.`)
    } else if ((entry.asks ?? isSet)(value)) out.refused.push(`${at}.${field}: ${entry.why}`)
  }
}

function lookAtContainer(out: Unsupported, container: Fields, at: string, list: string): void {
  look(out, container, { at, known: containerKnown, refused: containerRefused })
  look(out, fieldsOf(container.securityContext), {
    at: `${at}.securityContext`,
    known: securityKnown,
    refused: {},
  })
  if (isSet(container.restartPolicy) && (list === 'containers' || container.restartPolicy !== 'Always')) {
    const right = list === 'containers' ? 'use the restartPolicy of the pod' : 'only Always is'
    out.refused.push(`${at}.restartPolicy: ${String(container.restartPolicy)} is not supported; ${right}`)
  }
  for (const [index, one] of listOf(container.env).entries()) {
    if (isSet(fieldsOf(one.valueFrom).fileKeyRef)) {
      out.refused.push(`${at}.env[${index}].valueFrom.fileKeyRef: files as variables are not supported`)
    }
  }
  for (const [index, mount] of listOf(container.volumeMounts).entries()) {
    if (mount.recursiveReadOnly === 'Enabled') {
      out.refused.push(`${at}.volumeMounts[${index}].recursiveReadOnly: Enabled is not supported; use IfPossible`)
    }
  }
  const { stopSignal } = fieldsOf(container.lifecycle)
  if (isSet(stopSignal)) out.refused.push(`${at}.lifecycle.stopSignal: not supported; the image says which it is`)
  lookAtResources(out, fieldsOf(container.resources), `${at}.resources`)
}

function lookAtResources(out: Unsupported, { limits, requests, claims }: Fields, at: string): void {
  if (isSet(claims)) out.refused.push(`${at}.claims: dynamic resources are not supported`)
  const names = new Set([...Object.keys(fieldsOf(limits)), ...Object.keys(fieldsOf(requests))])
  for (const name of names) {
    if (name === 'cpu' || name === 'memory') continue
    if (name === 'ephemeral-storage') {
      if (isSet(fieldsOf(limits)[name])) out.without.push(`${at}.limits.${name}: not enforced.`)
    } else out.refused.push(`${at}: the node has no ${name}; mount a device with hostPath`)
  }
}

function lookAtVolume(out: Unsupported, { name, ...sources }: Fields, at: string): void {
  const given = Object.keys(sources).filter((source) => sources[source] !== undefined)
  if (given.length === 0) out.refused.push(`${at}: names no source`)
  for (const source of given) {
    if (!volumesDone.has(source)) {
      out.refused.push(`${at}.${source}: not supported; use hostPath, emptyDir, configMap, secret or projected`)
    }
  }
  const { medium, sizeLimit } = fieldsOf(sources.emptyDir)
  if (isSet(sizeLimit) && !isSet(medium)) out.without.push(`${at}.emptyDir.sizeLimit: not enforced on disk.`)
  if (differs('Memory')(medium)) out.refused.push(`${at}.emptyDir.medium: ${String(medium)} is not supported`)
  for (const [index, source] of listOf(fieldsOf(sources.projected).sources).entries()) {
    for (const kind of Object.keys(source)) {
      if (sourcesDone.has(kind)) continue
      const here = `${at}.projected.sources[${index}].${kind}`
      // Kubernetes adds this volume to every pod by itself; the pods that never look at it must run.
      const byItself = kind === 'serviceAccountToken' && String(name).startsWith('kube-api-access-')
      if (byItself) out.without.push(`${here}: not supported, no token is written.`)
      else out.refused.push(`${here}: not supported; put what the pod needs into a Secret`)
    }
  }
}

type Fields = Record<string, unknown>

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : []
}
