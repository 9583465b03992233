import { type Cause, duplicate, forbidden, invalid, notFound, required } from './causes.ts'
import { dnsLabelFaults, envNameFaults, portNameFaults } from './names.ts'
import { amountOf } from './quantity.ts'
import { asArray, asObject, isObject, type Json } from './schema.ts'

/** What the containers of a pod may refer to, and what they must not repeat. */
export interface PodContext {
  volumes: ReadonlySet<unknown>
  /** Names of the containers seen so far. */
  names: Set<string>
  /** `<hostIP>/<protocol>/<port>` of the containers seen so far. */
  hostPorts: Set<string>
}

/** What is wrong with one container; `at` is where it stands, `init` whether it runs first and ends. */
export function checkContainer(container: Json, at: string, init: boolean, pod: PodContext): Cause[] {
  return [
    ...checkName(container.name, at, pod.names),
    ...checkImage(container.image, at),
    ...asArray(container.env).flatMap((one, index) => checkEnv(asObject(one), `${at}.env[${index}]`)),
    ...checkPorts(asArray(container.ports).map(asObject), at, pod),
    ...checkMounts(asArray(container.volumeMounts).map(asObject), at, pod),
    ...checkResources(asObject(container.resources), `${at}.resources`),
    ...checkProbes(container, at, init),
  ]
}

function checkName(name: unknown, at: string, names: Set<string>): Cause[] {
  if (typeof name !== 'string' || name === '') return []
  const faults = dnsLabelFaults(name).map((fault) => invalid(`${at}.name`, name, fault))
  if (names.has(name)) faults.push(duplicate(`${at}.name`, name))
  names.add(name)
  return faults
}

function checkImage(image: unknown, at: string): Cause[] {
  if (typeof image !== 'string' || image === image.trim()) return []
  return [invalid(`${at}.image`, image, 'must not have leading or trailing whitespace')]
}

const sources = ['configMapKeyRef', 'fieldRef', 'resourceFieldRef', 'secretKeyRef', 'fileKeyRef']

function checkEnv({ name, value, valueFrom }: Json, at: string): Cause[] {
  const causes: Cause[] = []
  if (typeof name === 'string' && name !== '') {
    causes.push(...envNameFaults(name).map((fault) => invalid(`${at}.name`, name, fault)))
  }
  if (!isObject(valueFrom)) return causes
  const given = sources.filter((source) => valueFrom[source] !== undefined)
  if (given.length === 0) {
    const wanted = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'
    causes.push(invalid(`${at}.valueFrom`, '', `must specify one of: ${wanted}`))
  } else if (typeof value === 'string' && value !== '') {
    causes.push(invalid(`${at}.valueFrom`, '', 'may not be specified when `value` is not empty'))
  }
  if (given.length > 1) {
    causes.push(invalid(`${at}.valueFrom`, '', 'may not have more than one field specified at a time'))
  }
  return causes
}

function checkPorts(ports: Json[], at: string, pod: PodContext): Cause[] {
  const names = new Set<string>()
  return ports.flatMap((port, index) => {
    const here = `${at}.ports[${index}]`
    const { name, containerPort, hostPort, hostIP = '', protocol } = port
    const causes: Cause[] = []
    if (typeof name === 'string' && name !== '') {
      causes.push(...portNameFaults(name).map((fault) => invalid(`${here}.name`, name, fault)))
      if (names.has(name)) causes.push(duplicate(`${here}.name`, name))
      names.add(name)
    }
    if (containerPort !== undefined) causes.push(...checkPort(containerPort, `${here}.containerPort`))
    if (typeof hostPort !== 'number' || hostPort === 0) return causes
    causes.push(...checkPort(hostPort, `${here}.hostPort`))
    const id = `${protocol}/${hostIP}/${hostPort}`
    if (pod.hostPorts.has(id)) causes.push(duplicate(`${here}.hostPort`, id))
    pod.hostPorts.add(id)
    return causes
  })
}

function checkPort(port: unknown, at: string): Cause[] {
  if (typeof port === 'number' && port >= 1 && port <= 65535) return []
  return [invalid(at, port, 'must be between 1 and 65535, inclusive')]
}

function checkMounts(mounts: Json[], at: string, pod: PodContext): Cause[] {
  const paths = new Set<unknown>()
  return mounts.flatMap(({ name, mountPath, subPath }, index) => {
    const here = `${at}.volumeMounts[${index}]`
    const causes: Cause[] = []
    if (name !== undefined && name !== '' && !pod.volumes.has(name)) causes.push(notFound(`${here}.name`, name))
    if (paths.has(mountPath)) causes.push(invalid(`${here}.mountPath`, mountPath, 'must be unique'))
    paths.add(mountPath)
    if (typeof subPath === 'string') causes.push(...checkSubPath(subPath, `${here}.subPath`))
    return causes
  })
}

/** A path inside of a volume. */
export function checkSubPath(path: string, at: string): Cause[] {
  const causes: Cause[] = []
  if (path.startsWith('/')) causes.push(invalid(at, path, 'must be a relative path'))
  if (path.split('/').includes('..')) causes.push(invalid(at, path, "must not contain '..'"))
  return causes
}

function checkResources({ limits, requests }: Json, at: string): Cause[] {
  const causes: Cause[] = []
  for (const [field, amounts] of Object.entries({ limits, requests })) {
    for (const [name, amount] of Object.entries(asObject(amounts))) {
      const fault = 'must be greater than or equal to 0'
      if ((amountOf(amount) ?? 0) < 0) causes.push(invalid(`${at}.${field}[${name}]`, amount, fault))
    }
  }
  for (const [name, request] of Object.entries(asObject(requests))) {
    const limit = asObject(limits)[name]
    if (limit !== undefined && (amountOf(request) ?? 0) > (amountOf(limit) ?? 0)) {
      causes.push(invalid(`${at}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`))
    }
  }
  return causes
}

const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep']

function checkProbes(container: Json, at: string, init: boolean): Cause[] {
  const causes: Cause[] = []
  for (const field of ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle']) {
    const value = container[field]
    if (value === undefined) continue
    if (init && container.restartPolicy !== 'Always') {
      causes.push(forbidden(`${at}.${field}`, 'may not be set for init containers without restartPolicy=Always'))
    } else if (field === 'lifecycle') {
      for (const [hook, handler] of Object.entries(asObject(value))) {
        if (hook !== 'stopSignal') causes.push(...checkHandler(asObject(handler), `${at}.lifecycle.${hook}`))
      }
    } else causes.push(...checkProbe(asObject(value), `${at}.${field}`, field !== 'readinessProbe'))
  }
  return causes
}

const counts = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold']

function checkProbe(probe: Json, at: string, once: boolean): Cause[] {
  const causes = checkHandler(probe, at)
  for (const field of counts) {
    const value = probe[field]
    if (typeof value === 'number' && value < 0) {
      causes.push(invalid(`${at}.${field}`, value, 'must be greater than or equal to 0'))
    }
  }
  if (once && typeof probe.successThreshold === 'number' && probe.successThreshold > 1) {
    causes.push(invalid(`${at}.successThreshold`, probe.successThreshold, 'must be 1'))
  }
  return causes
}

function checkHandler(handler: Json, at: string): Cause[] {
  const given = handlers.filter((name) => handler[name] !== undefined)
  if (given.length === 0) return [required(at, 'must specify a handler type')]
  return given.slice(1).map((name) => forbidden(`${at}.${name}`, 'may not specify more than 1 handler type'))
}
