import { commandLine } from '@kedge/shared/command-line'
import { parseDuration } from '@kedge/shared/duration'
import { UserError } from '@kedge/shared/errors'
import { stream } from '../control/client.ts'
import { defaultData } from '../settings.ts'
import { onePod, podPath } from './pod-words.ts'

const help = `Usage: edgecore logs POD [flags]

Writes what a container of this node has written, with or without the cloud.

POD: its name, or <namespace>/<name>

  -c, --container NAME   The container (default: the first of the pod)
  -f, --follow           Go on with what comes, until the container ends
      --tail N           The last N lines only
      --since DURATION   Only what is younger than this, for instance 10m
  -p, --previous         Of the run before the last restart
      --timestamps       With the time of each line
  -n, --namespace NS     The namespace (default: default)
      --data PATH        The data folder of edgecore (default: KEDGE_DATA, else ${defaultData})
  -h, --help             Print this and end
`

const options = {
  container: { type: 'string', short: 'c' },
  follow: { type: 'boolean', short: 'f' },
  tail: { type: 'string' },
  since: { type: 'string' },
  previous: { type: 'boolean', short: 'p' },
  timestamps: { type: 'boolean' },
  namespace: { type: 'string', short: 'n' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

export interface LogsAround {
  env: Readonly<Record<string, string | undefined>>
  /** Takes what goes to standard output. */
  write: (text: string) => void
  /** Ends `--follow`. */
  signal: AbortSignal
  /** Milliseconds since the epoch. */
  now: number
}

/** `edgecore logs …`, `argv` being what follows the word. Throws a `UserError` for what the person can mend. */
export async function logs(argv: readonly string[], { env, write, signal, now }: LogsAround): Promise<void> {
  const { values, positionals } = commandLine('edgecore logs', argv, options)
  if (values.help) return write(help)
  const path = podPath(onePod('logs', positionals), values.namespace ?? 'default')
  const query = new URLSearchParams()
  if (values.container !== undefined) query.set('container', values.container)
  if (values.tail !== undefined) query.set('tail', String(tailOf(values.tail)))
  if (values.since !== undefined) query.set('since', String(now - sinceOf(values.since)))
  for (const name of ['follow', 'previous', 'timestamps'] as const) if (values[name]) query.set(name, 'true')
  const data = values.data ?? (env.KEDGE_DATA || defaultData)
  for await (const text of stream(data, `${path}/logs?${query}`, signal)) write(text)
}

function tailOf(text: string): number {
  const lines = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(lines)) return lines
  throw new UserError(`--tail: found "${text}"; give a number of lines`)
}

function sinceOf(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new UserError(`--since: found "${text}"; give a duration such as 30s, 10m or 2h`)
  return ms
}
