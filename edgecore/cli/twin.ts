import { commandLine } from '@kedge/shared/command-line'
import { UserError } from '@kedge/shared/errors'
import { table } from '@kedge/shared/table'
import { follow } from '../control/client.ts'
import { defaultData } from '../settings.ts'
import { asked, idOf, pairsOf } from './device-words.ts'

const help = `Usage: edgecore twin get DEVICE [PROPERTY] [flags]
       edgecore twin set DEVICE PROPERTY=VALUE... [flags]
       edgecore twin watch [DEVICE] [flags]

Works with the twins of this node's devices through the edgecore that runs here, with or without the cloud. get shows
desired and reported values, with PROPERTY the reported value alone. set writes desired values: they stand until the
cloud's next edit of that property. watch writes a line for each change.

DEVICE: its name, or <namespace>/<name>

  -n, --namespace NS    The namespace (default: default)
  -o, --output FORMAT   text or json (default: text)
      --data PATH       The data folder of edgecore (default: KEDGE_DATA, else ${defaultData})
  -h, --help            Print this and end
`

const options = {
  namespace: { type: 'string', short: 'n' },
  output: { type: 'string', short: 'o' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

export interface TwinAround {
  env: Readonly<Record<string, string | undefined>>
  /** Takes what goes to standard output. */
  write: (text: string) => void
  /** Ends `watch`. */
  signal: AbortSignal
}

interface Request {
  data: string
  json: boolean
  namespace: string
  /** What follows the verb. */
  words: string[]
}

interface Side {
  value: string
  metadata?: { timestamp?: number }
}
interface Shown {
  expected?: Side
  actual?: Side
}

/** `edgecore twin …`, `argv` being what follows the word. Throws a `UserError` for what the person can mend. */
export async function twin(argv: readonly string[], around: TwinAround): Promise<void> {
  const { values, positionals } = commandLine('edgecore twin', argv, options)
  const [verb, ...words] = positionals
  if (values.help) return around.write(help)
  const { output = 'text', namespace = 'default' } = values
  if (output !== 'text' && output !== 'json') throw new UserError(`--output: found "${output}"; give text or json`)
  const data = values.data ?? (around.env.KEDGE_DATA || defaultData)
  const request: Request = { data, json: output === 'json', namespace, words }
  if (verb === 'get') return get(request, around)
  if (verb === 'set') return set(request, around)
  if (verb === 'watch') return watch(request, around)
  const found = verb === undefined ? 'nothing' : `"${verb}"`
  throw new UserError(`found ${found} after twin; give get, set or watch (edgecore twin --help tells more)`)
}

async function get({ data, json, namespace, words }: Request, { write }: TwinAround): Promise<void> {
  const [device, property, extra] = words
  if (device === undefined || extra !== undefined) throw new UserError('give edgecore twin get DEVICE [PROPERTY]')
  const twins = await twinsOf(data, idOf(device, namespace))
  if (property === undefined) return write(json ? pretty(twins) : tableOf(twins))
  const shown = twins[property]
  if (shown === undefined)
    throw new UserError(`${device} has no property "${property}"; it has ${listed(Object.keys(twins))}`)
  if (json) return write(pretty(shown))
  if (shown.actual === undefined) throw new UserError(`${property} of ${device} was never reported`)
  write(`${shown.actual.value}\n`)
}

async function set({ data, json, namespace, words }: Request, { write }: TwinAround): Promise<void> {
  const [device, ...pairs] = words
  if (device === undefined || pairs.length === 0) throw new UserError('give edgecore twin set DEVICE PROPERTY=VALUE...')
  const desired = pairsOf(pairs)
  const twin = Object.fromEntries(desired.map(([property, value]) => [property, { expected: { value } }]))
  const result = await asked(data, `/twins/${idOf(device, namespace)}/update`, { event_id: 'edgecore twin set', twin })
  if (json) return write(pretty(result))
  for (const [property, value] of desired) write(`${property} desired ${value}\n`)
}

async function watch({ data, json, namespace, words }: Request, { write, signal }: TwinAround): Promise<void> {
  const [device, extra] = words
  if (extra !== undefined) throw new UserError('give edgecore twin watch [DEVICE]')
  const wanted = device === undefined ? undefined : decodeURIComponent(idOf(device, namespace))
  // A device that is not there would never say a word.
  if (device !== undefined) await twinsOf(data, idOf(device, namespace))
  for await (const line of follow(data, '/documents', signal)) {
    const change = line as { device: string; document: Document }
    if (wanted !== undefined && change.device !== wanted) continue
    write(json ? `${JSON.stringify(change)}\n` : linesOf(change))
  }
  if (!signal.aborted) throw new UserError('edgecore has ended')
}

interface Document {
  timestamp: number
  twin: Record<string, { last: Shown | null; current: Shown | null }>
}

function linesOf({ device, document: { timestamp, twin } }: { device: string; document: Document }): string {
  const at = new Date(timestamp).toISOString()
  const lines = Object.entries(twin).flatMap(([property, { last, current }]) => {
    if (current === null) return [`${at} ${device} ${property} deleted\n`]
    return (['actual', 'expected'] as const).flatMap((side) => {
      const [before, after] = [last?.[side]?.value, current[side]?.value]
      if (after === undefined || before === after) return []
      return [`${at} ${device} ${property} ${side === 'actual' ? 'reported' : 'desired'} ${oneLine(after)}\n`]
    })
  })
  return lines.join('')
}

/** A value may have line breaks of its own. */
function oneLine(text: string): string {
  return /[\p{Cc}]/u.test(text) ? JSON.stringify(text) : text
}

function tableOf(twins: Record<string, Shown>): string {
  const rows = Object.entries(twins).map(([property, { expected, actual }]) => {
    const inSync = expected === undefined ? '' : expected.value === actual?.value ? 'True' : 'False'
    return [property, expected?.value ?? '', actual?.value ?? '', inSync]
  })
  return table(['PROPERTY', 'DESIRED', 'REPORTED', 'IN-SYNC'], rows)
}

async function twinsOf(data: string, id: string): Promise<Record<string, Shown>> {
  const { twin } = (await asked(data, `/twins/${id}/get`, { event_id: 'edgecore twin get' })) as {
    twin: Record<string, Shown>
  }
  return twin
}

function listed(names: readonly string[]): string {
  return names.length > 0 ? names.join(', ') : 'none'
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
