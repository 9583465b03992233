import { rfc3339 } from '@kedge/shared/clock'
import { lookAll } from '@kedge/shared/doctor/check'
import type { Found } from '@kedge/shared/doctor/given-settings'
import { told } from '@kedge/shared/doctor/words'
import { aboutMachine, type Piece } from '@kedge/shared/support/gather'
import { logTail } from '@kedge/shared/support/log-tail'
import { filesIn, secretsInFiles } from '@kedge/shared/support/secret-files'
import { dataSummary, deviceSummary, podSummary, secretsOfObject } from '@kedge/shared/support/summaries'
import { version } from '@kedge/shared/version'
import { identityItem } from '../cli/identity-view.ts'
import type { Reader } from '../cli/reader.ts'
import { edgeChecks } from '../doctor/checks.ts'
import { readStanding } from '../doctor/read.ts'
import { findIdentity } from '../identity/keep.ts'
import type { edgecoreProgram } from '../settings.ts'

export interface SupportParts {
  found: Found<typeof edgecoreProgram.table>
  /** The node's database; throws when it cannot be read. */
  reader: () => Reader
  /** The file of the log, where a person names it. */
  log: string | undefined
  self: readonly string[]
  /** Milliseconds since the epoch. */
  now: number
}

/** So many rows of the outbox are listed. */
const mostRows = 500

/** What whoever is asked for help wants to see of a node. */
export function edgePieces(parts: SupportParts): Piece[] {
  const { found, reader, log, now } = parts
  const { data, pid, values } = found
  const findings = lookAll(edgeChecks(parts))
  const patient = { program: 'edgecore', version, at: rfc3339(now) }
  return [
    { name: 'about.json', make: () => aboutMachine({ program: 'edgecore', version, now }) },
    { name: 'settings.yaml', make: () => found.printed ?? `# ${found.faults}\n` },
    { name: 'doctor.txt', make: async () => told(await findings, patient, 'table').out },
    { name: 'doctor.json', make: async () => told(await findings, patient, 'json').out },
    { name: 'standing.json', make: () => (pid === undefined ? undefined : readStanding(data)) },
    { name: 'identity.json', make: () => identityItem(data, now)?.item.object },
    { name: 'pods.json', make: () => pods(reader()) },
    {
      name: 'objects.json',
      make: () => (['configmaps', 'secrets'] as const).flatMap((kind) => held(reader(), kind, dataSummary)),
    },
    { name: 'devices.json', make: () => (['devices'] as const).flatMap((kind) => held(reader(), kind, deviceSummary)) },
    { name: 'twins.json', make: () => twins(reader()) },
    { name: 'outbox.json', make: () => outbox(reader()) },
    { name: 'metrics.txt', make: (signal) => metrics(values.metricsAddress, signal) },
    { name: 'log.txt', make: (signal) => logTail({ file: log, unit: 'edgecore', pid }, signal) },
  ]
}

/** Everything on this node that is known to be secret. What cannot be read cannot be in the archive either. */
export function edgeSecrets({ found, reader }: Pick<SupportParts, 'found' | 'reader'>): string[] {
  const { values, data } = found
  const files = [
    values.cloudPasswordFile,
    values.mqttPasswordFile,
    values.mqttPasswords,
    values.mqttTlsKey,
    values.secretsKeyFile,
  ]
  return [
    ...secretsInFiles([...files, ...filesIn(data, /\.(pem|key)(\.\w+)?$/)]),
    ...attempt(() => [findIdentity(data).identity?.secret ?? '']),
    ...(['pods', 'devices', 'secrets'] as const).flatMap((kind) =>
      attempt(() =>
        reader()
          .objects.list(kind)
          .flatMap(({ content }) => secretsOfObject(content)),
      ),
    ),
    ...attempt(() =>
      reader()
        .staticPods()
        .flatMap(({ content }) => secretsOfObject(content)),
    ),
  ]
}

function attempt(read: () => string[]): string[] {
  try {
    return read()
  } catch {
    return []
  }
}

function held<T extends object>(
  reader: Reader,
  kind: Parameters<Reader['objects']['list']>[0],
  summary: (object: Parameters<typeof dataSummary>[0]) => T,
) {
  return reader.objects
    .list(kind)
    .map(({ content, refused }) => ({ ...summary(content), refused: refused ?? undefined }))
}

function pods(reader: Reader) {
  const statuses = reader.podStatuses()
  return [...reader.objects.list('pods'), ...reader.staticPods()].map(({ content, refused }) => {
    const { namespace, name } = content.metadata
    return { ...podSummary(content, statuses.get(`${namespace}/${name}`)), refused: refused ?? undefined }
  })
}

/** When each property changed, and whether both sides agree; no values. */
function twins(reader: Reader) {
  return [...reader.twins.all()].flatMap(([device, properties]) =>
    [...(properties ?? [])].map(([property, { type, desired, reported, deleted }]) => ({
      ...{ device, property, type, deleted },
      desired: { at: desired.at, version: desired.version, characters: desired.value?.length },
      reported: { at: reported.at, version: reported.version, characters: reported.value?.length },
      same: desired.value === reported.value,
    })),
  )
}

function outbox(reader: Reader) {
  const rows = reader.outbox.all(mostRows).map(({ seq, lane, subject, version, createdAt, refused }) => ({
    ...{ seq, lane, subject, version, createdAt: rfc3339(createdAt) },
    refused: refused ?? undefined,
  }))
  return {
    lanes: Object.fromEntries(reader.outbox.sums()),
    aside: reader.outbox.asideSum(),
    budget: reader.budget,
    rows,
  }
}

async function metrics(
  address: { host: string; port: number } | null,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!address || address.port === 0) return undefined
  const host = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[address.host] ?? address.host
  return (await fetch(`http://${host}:${address.port}/metrics`, { signal })).text()
}
