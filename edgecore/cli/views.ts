import { rfc3339 } from '@kedge/shared/clock'
import type { KubeObject } from '@kedge/shared/objects'
import { age } from '@kedge/shared/table'
import type { Slot, Twin } from '@kedge/shared/twin'
import { imagesOf } from '../node/pod-images.ts'
import type { HeldObject } from '../store/objects.ts'
import type { Reader } from './reader.ts'

/** One thing that `edgecore get` shows. */
export interface Item {
  /** Undefined for what no namespace holds. */
  namespace?: string
  name: string
  cells: string[]
  /** What `-o wide` has more. */
  wide?: string[]
  /** What `-o json` and `-o yaml` print. */
  object: unknown
}

export interface ViewOptions {
  showSecrets: boolean
  /** At most so many, where a view may be long; all unless given. */
  most?: number
  /** Milliseconds since the epoch. */
  now: number
}

export interface View {
  header: readonly string[]
  /** Of the columns that `-o wide` has more. */
  wideHeader?: readonly string[]
  items(reader: Reader, options: ViewOptions): Item[]
  /** What stands below the table. */
  note?: (reader: Reader, options: ViewOptions) => string
}

/** The kinds of `edgecore get`, each with its columns. */
export const views = {
  pods: { header: ['NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE'], wideHeader: ['IP', 'IMAGES'], items: pods },
  configmaps: { header: ['NAME', 'DATA'], items: configMaps },
  secrets: { header: ['NAME', 'TYPE', 'DATA'], items: secrets },
  devices: { header: ['NAME', 'MODEL', 'PROTOCOL', 'STATE', 'LAST ONLINE'], items: devices },
  twins: { header: ['DEVICE', 'PROPERTY', 'TYPE', 'DESIRED', 'REPORTED', 'CHANGED'], items: twins },
  outbox: { header: ['SEQ', 'LANE', 'SUBJECT', 'VERSION', 'AGE', 'REFUSED'], items: outbox, note: outboxNote },
  // It lies in a file of its own: `identity-view.ts`.
  identity: {
    header: ['NODE', 'CLOUD', 'CERTIFICATE', 'UNTIL', 'STATE'],
    wideHeader: ['RENEWAL', 'GENERATION'],
    items: () => [],
  },
} as const satisfies Record<string, View>

export type ViewName = keyof typeof views

interface ContainerStatus {
  name?: string
  ready?: boolean
  restartCount?: number
  state?: Record<string, { reason?: string } | undefined>
}

function pods(reader: Reader, { now }: ViewOptions): Item[] {
  const statuses = reader.podStatuses()
  return [...reader.objects.list('pods'), ...reader.staticPods()].map((held) => {
    const status = statuses.get(idOf(held.content)) ?? {}
    const names = stayingIn(held.content)
    const all = [...listOf(status.initContainerStatuses), ...listOf(status.containerStatuses)] as ContainerStatus[]
    const containers = all.filter(({ name = '' }) => names.has(name))
    const started = typeof status.startTime === 'string' ? Date.parse(status.startTime) : Number.NaN
    const item = itemOf(held, { ...shown(held), status }, [
      `${containers.filter(({ ready }) => ready).length}/${names.size}`,
      held.refused === null ? phaseOf(held.content, status, containers) : `Refused: ${held.refused}`,
      String(containers.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0)),
      Number.isNaN(started) ? '-' : age(now - started),
    ])
    return { ...item, wide: [String(status.podIP ?? '-'), imagesOf(held.content).join(',')] }
  })
}

/** The names of those that are to stay, as kubectl counts them: sidecars, too. */
function stayingIn({ spec = {} }: KubeObject): Set<string> {
  const sidecars = listOf(spec.initContainers).filter(({ restartPolicy }) => restartPolicy === 'Always')
  return new Set([...sidecars, ...listOf(spec.containers)].map(({ name }) => String(name)))
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value : []
}

/** In one word what kubectl would say: the reason a container waits or ended for, else the phase. */
function phaseOf({ metadata }: KubeObject, status: Record<string, unknown>, containers: ContainerStatus[]): string {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating'
  const reasons = containers.flatMap(({ state }) => state?.waiting?.reason ?? state?.terminated?.reason ?? [])
  return reasons[0] ?? String(status.reason ?? status.phase ?? 'Pending')
}

function configMaps(reader: Reader): Item[] {
  return reader.objects.list('configmaps').map((held) => {
    const entries = { ...record(held.content.data), ...record(held.content.binaryData) }
    return itemOf(held, shown(held), [String(Object.keys(entries).length)])
  })
}

function secrets(reader: Reader, { showSecrets }: ViewOptions): Item[] {
  return reader.objects.list('secrets').map((held) => {
    const data = record(held.content.data)
    const object = showSecrets ? shown(held) : veiled(shown(held))
    return itemOf(held, object, [String(held.content.type ?? 'Opaque'), String(Object.keys(data).length)])
  })
}

/** With the values hidden, and of the fields beside them only those that are known to hold none. */
function veiled({ apiVersion, kind, metadata, type, data, immutable, refused }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata, type, immutable, refused, data: mapValues(record(data), hidden) }
}

function hidden(value: unknown): string {
  return `(hidden, ${Buffer.from(String(value), 'base64').length} bytes)`
}

function devices(reader: Reader, { now }: ViewOptions): Item[] {
  const rows = new Map(reader.twins.devices().map((row) => [row.device, row]))
  const all = reader.twins.all()
  return reader.objects.list('devices').map((held) => {
    const row = rows.get(idOf(held.content))
    const lastOnline = row?.lastOnline ?? undefined
    const status = {
      twins: living(all.get(idOf(held.content))).map(([propertyName, twin]) => ({ propertyName, ...twinStatus(twin) })),
      state: row?.state ?? 'unknown',
      lastOnlineTime: lastOnline === undefined ? undefined : rfc3339(lastOnline),
    }
    return itemOf(held, { ...shown(held), status }, [
      String(record(held.content.spec?.deviceModelRef).name ?? ''),
      String(record(held.content.spec?.protocol).protocolName ?? ''),
      held.refused === null ? status.state : `Refused: ${held.refused}`,
      lastOnline === undefined ? '-' : `${age(now - lastOnline)} ago`,
    ])
  })
}

function twinStatus({ type, desired, reported }: Twin): Record<string, unknown> {
  return { observedDesired: valueStatus(desired, type), reported: valueStatus(reported, type) }
}

function valueStatus({ value, at }: Slot, type: string): Record<string, unknown> | undefined {
  return value === undefined ? undefined : { value, metadata: { timestamp: String(at ?? ''), type } }
}

function twins(reader: Reader, { now }: ViewOptions): Item[] {
  return [...reader.twins.all()].flatMap(([device, properties]) => {
    const [namespace = '', name = ''] = device.split('/')
    return living(properties).map(([property, { type, desired, reported }]) => {
      const changed = Math.max(desired.at ?? 0, reported.at ?? 0)
      return {
        namespace,
        name,
        cells: [name, property, type, desired.value ?? '-', reported.value ?? '-', changed ? age(now - changed) : '-'],
        object: { namespace, device: name, property, type, desired: slot(desired), reported: slot(reported) },
      }
    })
  })
}

function slot({ value, at, version }: Slot): Record<string, unknown> {
  return { value, at: at === undefined ? undefined : new Date(at).toISOString(), version }
}

function living(properties: ReadonlyMap<string, Twin> = new Map()): [string, Twin][] {
  return [...properties].filter(([, twin]) => !twin.deleted)
}

function outbox(reader: Reader, { now, most }: ViewOptions): Item[] {
  return reader.outbox.all(most).map(({ createdAt, refused, ...row }) => ({
    name: row.subject,
    cells: [String(row.seq), row.lane, row.subject, String(row.version), age(now - createdAt), refused ?? ''],
    object: { ...row, createdAt: new Date(createdAt).toISOString(), refused: refused ?? undefined },
  }))
}

/** How much waits in each lane and, where there is one, how the budget of the link stands. */
function outboxNote({ outbox, budget }: Reader, { most = 0 }: ViewOptions): string {
  const sums = [...outbox.sums()].filter(([, { reports }]) => reports > 0)
  const aside = outbox.asideSum().reports
  const total = sums.reduce((sum, [, { reports }]) => sum + reports, aside)
  const lines = sums.map(([lane, { reports, bytes }]) => `${lane}: ${reports} waiting, ${Math.ceil(bytes / 1024)} KiB`)
  if (aside > 0) lines.push(`set aside: ${aside}, Kubernetes will never take them`)
  if (total > most) lines.push(`The first ${most} of ${total} are shown; -o json prints all.`)
  if (budget !== undefined) lines.push(`link budget: ${budget.spent} of ${budget.limit} bytes spent on the present day`)
  return lines.map((line) => `${line}\n`).join('')
}

function itemOf({ content }: HeldObject, object: unknown, cells: string[]): Item {
  const { name, namespace } = content.metadata
  return { name, namespace, cells: [name, ...cells], object }
}

/** An object as it is printed: beside what Kubernetes knows of it, why this edge refuses it. */
function shown({ content, refused }: HeldObject): KubeObject {
  return refused === null ? content : { ...content, refused }
}

function idOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function mapValues(values: Record<string, unknown>, change: (value: unknown) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]))
}
