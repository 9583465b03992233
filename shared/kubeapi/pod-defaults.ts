import type { KubeObject } from '../objects.ts'
import { asArray, asObject, isObject, type Json } from './schema.ts'

/** Fills in what API servers fill in when a pod is created or updated, in place. */
export function applyPodDefaults(pod: KubeObject): void {
  if (!isObject(pod.spec)) return
  const { spec } = pod
  fill(spec, {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    enableServiceLinks: true,
    securityContext: {},
  })
  sameAccount(spec)
  for (const volume of objects(spec.volumes)) volumeDefaults(volume)
  const all = [...objects(spec.initContainers), ...objects(spec.containers), ...objects(spec.ephemeralContainers)]
  for (const container of all) containerDefaults(container, spec.hostNetwork === true)
}

function objects(value: unknown): Json[] {
  return asArray(value).filter(isObject)
}

/** Sets what is missing or empty. */
function fill(object: Json, defaults: Json): void {
  for (const [name, value] of Object.entries(defaults)) {
    if (object[name] === undefined || object[name] === null || object[name] === '') object[name] = value
  }
}

/** serviceAccount is the older name of serviceAccountName: both say the same. */
function sameAccount(spec: Json): void {
  const account = spec.serviceAccountName || spec.serviceAccount
  if (account) Object.assign(spec, { serviceAccountName: account, serviceAccount: account })
}

function containerDefaults(container: Json, hostNetwork: boolean): void {
  fill(container, {
    imagePullPolicy: pullPolicy(String(container.image ?? '')),
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    resources: {},
  })
  for (const port of objects(container.ports)) {
    fill(port, { protocol: 'TCP' })
    if (hostNetwork && typeof port.containerPort === 'number') fill(port, { hostPort: port.containerPort })
  }
  for (const { valueFrom } of objects(container.env)) {
    const { fieldRef, resourceFieldRef } = asObject(valueFrom)
    if (isObject(fieldRef)) fill(fieldRef, { apiVersion: 'v1' })
    if (isObject(resourceFieldRef)) fill(resourceFieldRef, { divisor: '0' })
  }
  const resources = container.resources
  if (isObject(resources) && isObject(resources.limits)) {
    resources.requests = { ...resources.limits, ...asObject(resources.requests) }
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (isObject(probe)) probeDefaults(probe)
  }
  for (const hook of Object.values(asObject(container.lifecycle))) handlerDefaults(asObject(hook))
}

/** The newest image is always pulled; one with a tag of its own or a digest only when it is not there. */
function pullPolicy(image: string): string {
  if (image.includes('@')) return 'IfNotPresent'
  const [, tag = 'latest'] = /:([^:/]+)$/.exec(image) ?? []
  return tag === 'latest' ? 'Always' : 'IfNotPresent'
}

function probeDefaults(probe: Json): void {
  fill(probe, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 })
  for (const field of ['timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const) {
    if (probe[field] === 0) probe[field] = probeZero[field]
  }
  handlerDefaults(probe)
  if (isObject(probe.grpc) && probe.grpc.service === undefined) probe.grpc.service = ''
}

const probeZero = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }

function handlerDefaults(handler: Json): void {
  if (isObject(handler.httpGet)) fill(handler.httpGet, { path: '/', scheme: 'HTTP' })
}

function volumeDefaults(volume: Json): void {
  if (Object.keys(volume).every((field) => field === 'name')) volume.emptyDir = {}
  for (const source of [volume.secret, volume.configMap, volume.downwardAPI, volume.projected]) {
    if (isObject(source)) fill(source, { defaultMode: 0o644 })
  }
  if (isObject(volume.hostPath) && volume.hostPath.type === undefined) volume.hostPath.type = ''
  for (const { fieldRef } of objects(asObject(volume.downwardAPI).items)) itemDefaults(fieldRef)
  for (const source of objects(asObject(volume.projected).sources)) {
    if (isObject(source.serviceAccountToken)) fill(source.serviceAccountToken, { expirationSeconds: 3600 })
    for (const { fieldRef } of objects(asObject(source.downwardAPI).items)) itemDefaults(fieldRef)
  }
}

function itemDefaults(fieldRef: unknown): void {
  if (isObject(fieldRef)) fill(fieldRef, { apiVersion: 'v1' })
}
