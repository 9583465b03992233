import type { KubeObject } from '../objects.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { age, humanDuration } from './human-duration.ts'
import { asArray, asObject } from './schema.ts'

function countOf(value: unknown): number {
  return Object.keys(asObject(value)).length
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export const namespaceColumns = [
  nameColumn,
  column('Status', 'Active, or Terminating while it is being deleted.', ({ status }) => textOf(status?.phase)),
  ageColumn,
]

export const configMapColumns = [
  nameColumn,
  column('Data', 'Number of entries.', ({ data, binaryData }) => countOf(data) + countOf(binaryData)),
  ageColumn,
]

export const secretColumns = [
  nameColumn,
  column('Type', 'Says what the entries are for.', ({ type }) => textOf(type)),
  column('Data', 'Number of entries.', ({ data }) => countOf(data)),
  ageColumn,
]

export const serviceAccountColumns = [
  nameColumn,
  column('Secrets', 'Number of secrets that belong to it.', ({ secrets }) => asArray(secrets).length),
  ageColumn,
]

export const leaseColumns = [
  nameColumn,
  column('Holder', 'Who holds the lease.', ({ spec }) => textOf(spec?.holderIdentity)),
  ageColumn,
]

export const crdColumns = [
  nameColumn,
  column('Created At', 'When it was created.', ({ metadata }) => textOf(metadata.creationTimestamp), { type: 'date' }),
]

export const csrColumns = [
  nameColumn,
  ageColumn,
  column('SignerName', 'Who is asked to sign.', ({ spec }) => textOf(spec?.signerName)),
  column('Requestor', 'Who asks.', ({ spec }) => textOf(spec?.username)),
  column('RequestedDuration', 'How long the certificate should live.', ({ spec }) => {
    const seconds = spec?.expirationSeconds
    return typeof seconds === 'number' ? humanDuration(seconds * 1000) : '<none>'
  }),
  column('Condition', 'Approved, denied, failed, issued, or pending.', requestState),
]

function requestState({ status }: KubeObject): string {
  const types = new Set(asArray(status?.conditions).map((one) => textOf(asObject(one).type)))
  const parts: string[] = []
  if (types.has('Denied')) parts.push('Denied')
  else if (types.has('Approved')) parts.push('Approved')
  else parts.push('Pending')
  if (types.has('Failed')) parts.push('Failed')
  if (textOf(status?.certificate) !== '') parts.push('Issued')
  return parts.join(',')
}

/** Both shapes of Event: the stored one of core/v1 and the one of events.k8s.io. */
export const eventColumns = [
  column('Last Seen', 'Time since it last happened.', (object, now) => age(lastSeen(object), now)),
  column('Type', 'Normal or Warning.', ({ type }) => textOf(type)),
  column('Reason', 'What happened, in one word.', ({ reason }) => textOf(reason)),
  column('Object', 'What it happened to.', ({ involvedObject, regarding }) => {
    const { kind, name } = asObject(involvedObject ?? regarding)
    return name ? `${textOf(kind).toLowerCase()}/${textOf(name)}` : textOf(kind).toLowerCase()
  }),
  column(
    'Subobject',
    'Which part of it.',
    ({ involvedObject, regarding }) => textOf(asObject(involvedObject ?? regarding).fieldPath),
    { priority: 1 },
  ),
  column('Source', 'Who says it.', sourceText, { priority: 1 }),
  column('Message', 'What happened, in a sentence.', ({ message, note }) => textOf(message ?? note).trim()),
  column('First Seen', 'Time since it first happened.', (object, now) => age(firstSeen(object), now), { priority: 1 }),
  column('Count', 'How many times it happened.', countSeen, { priority: 1 }),
  { ...nameColumn, priority: 1 },
]

function firstSeen({ firstTimestamp, deprecatedFirstTimestamp, eventTime }: KubeObject): unknown {
  return firstTimestamp ?? deprecatedFirstTimestamp ?? eventTime
}

function lastSeen(object: KubeObject): unknown {
  const inSeries = asObject(object.series).lastObservedTime
  return inSeries ?? object.lastTimestamp ?? object.deprecatedLastTimestamp ?? firstSeen(object)
}

function countSeen({ series, count, deprecatedCount }: KubeObject): number {
  const found = asObject(series).count ?? count ?? deprecatedCount
  return typeof found === 'number' && found > 0 ? found : 1
}

function sourceText(object: KubeObject): string {
  const { component, host } = asObject(object.source ?? object.deprecatedSource)
  const by = textOf(component) || textOf(object.reportingComponent) || textOf(object.reportingController)
  const at = textOf(host) || textOf(object.reportingInstance)
  return at === '' ? by : `${by}, ${at}`
}
