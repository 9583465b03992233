import { commandLine } from '@kedge/shared/command-line'
import { explain, UserError } from '@kedge/shared/errors'
import type { Env } from '@kedge/shared/settings'
import { age, table } from '@kedge/shared/table'
import { defaultMetricsAddress } from '../settings.ts'
import type { NodePage, ObjectPage } from '../sync/pages.ts'
import type { ObjectVersion } from '../sync/standing.ts'

const help = `Usage: cloudcore get sync [flags]

Asks a cloudcore that runs what its edge nodes hold: each node, or each object of one node with the version that the
node should hold and the one that it has confirmed.

      --node NAME                   The objects of this node
  -o, --output FORMAT               table or json (default: table)
      --metrics-address HOST:PORT   Where that cloudcore serves its metrics
                                    (default: KEDGE_METRICS_ADDRESS, else ${defaultMetricsAddress})
  -h, --help                        Print this and end
`

const options = {
  node: { type: 'string' },
  output: { type: 'string', short: 'o' },
  'metrics-address': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** What `get` reads of the world around it. */
export interface GetAround {
  env: Env
  /** Milliseconds since the epoch. */
  now: number
}

/** `cloudcore get …`, `argv` being what follows the word. Returns what to say; throws a UserError. */
export async function getCommand(argv: readonly string[], { env, now }: GetAround): Promise<string> {
  const { values, positionals } = commandLine('cloudcore get', argv, options)
  if (values.help) return help
  const [what, ...more] = positionals
  if (what !== 'sync' || more.length > 0) {
    throw new UserError(
      `found "${['get', ...positionals].join(' ')}"; the command is: cloudcore get sync [--node NAME]`,
    )
  }
  const output = values.output ?? 'table'
  if (output !== 'table' && output !== 'json') throw new UserError(`--output: found "${output}"; give table or json`)
  const address = values['metrics-address'] ?? (env.KEDGE_METRICS_ADDRESS || defaultMetricsAddress)
  const content =
    values.node === undefined
      ? await read(address, '/nodes')
      : await read(address, `/nodes/${encodeURIComponent(values.node)}/objects`)
  if (content === undefined) throw new UserError(`node "${values.node}" is not known to this cloudcore`)
  if (output === 'json') return `${JSON.stringify(content, null, 2)}\n`
  return values.node === undefined ? nodesTable(content as NodePage[]) : objectsTable(content as ObjectPage[], now)
}

/** A page of the status server; undefined when there is none. */
async function read(address: string, path: string): Promise<unknown> {
  const advice = 'start cloudcore, or give its address with --metrics-address HOST:PORT'
  try {
    const response = await fetch(`http://${address}${path}`)
    if (response.status === 404) return undefined
    if (!response.ok) throw new Error(`it answers ${response.status}`)
    return await response.json()
  } catch (error) {
    const cause = (error as Error).cause ?? error
    throw new UserError(`no cloudcore answers at ${address} (${explain(cause)}): ${advice}`, { cause: error })
  }
}

function nodesTable(nodes: readonly NodePage[]): string {
  const rows = nodes.map(({ node, state, revision, objects }) => [
    node,
    state,
    revision === null ? '-' : `${revision}`,
    ...[objects.held, objects.sending, objects.waiting, objects.refused, objects.unknown].map(String),
  ])
  return table(['NODE', 'SYNC', 'REVISION', 'HELD', 'SENDING', 'WAITING', 'REFUSED', 'UNKNOWN'], rows)
}

function objectsTable(objects: readonly ObjectPage[], now: number): string {
  const rows = objects.map(({ key, state, reason, wanted, held, since }) => [
    key,
    versionText(wanted),
    held === null ? '-' : versionText(held),
    state,
    age(now - Date.parse(since)),
    reason ?? '',
  ])
  return table(['OBJECT', 'WANTED', 'HELD', 'STATE', 'SINCE', 'REASON'], rows)
}

/** A resourceVersion, and the generation where the kind counts it. */
function versionText({ resourceVersion, generation }: Partial<ObjectVersion>): string {
  return generation === undefined ? (resourceVersion ?? '-') : `${resourceVersion ?? '-'} (generation ${generation})`
}
