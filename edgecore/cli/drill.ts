import { commandLine } from '@kedge/shared/command-line'
import { formatDuration, parseDuration } from '@kedge/shared/duration'
import { UserError } from '@kedge/shared/errors'
import { table } from '@kedge/shared/table'
import { stream } from '../control/client.ts'
import type { DrillEvent } from '../node/drill.ts'
import { defaultData } from '../settings.ts'

const help = `Usage: edgecore drill --yes|--dry-run [flags]

Proves that this node comes back without the cloud: puts the link down, asks no registry, takes every pod down by its
grace, and waits until each runs again from what is on this node. Ends with 0 when all came back, else with 1.

      --dry-run            Only say what would be done, and what would not come back
      --yes                Do it: every pod of this node is restarted
      --timeout DURATION   How long the pods have to come back (default: 2m)
      --data PATH          The data folder of edgecore (default: KEDGE_DATA, else ${defaultData})
  -h, --help               Print this and end
`

const options = {
  'dry-run': { type: 'boolean' },
  yes: { type: 'boolean' },
  timeout: { type: 'string' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

export interface DrillAround {
  env: Readonly<Record<string, string | undefined>>
  /** Takes what goes to standard output. */
  write: (text: string) => void
  /** Breaks the drill off: what is down comes up again. */
  signal: AbortSignal
}

/** `edgecore drill …`, `argv` being what follows the word. Resolves with the exit code; throws a `UserError`. */
export async function drill(argv: readonly string[], { env, write, signal }: DrillAround): Promise<number> {
  const { values, positionals } = commandLine('edgecore drill', argv, options)
  if (values.help) {
    write(help)
    return 0
  }
  if (positionals[0] !== undefined) throw new UserError(`found "${positionals[0]}"; a drill is about the whole node`)
  const dryRun = values['dry-run'] ?? false
  if (!dryRun && !values.yes)
    throw new UserError(
      'a drill restarts every pod of this node: give --yes to do it, --dry-run to see what is expected',
    )
  const timeoutMs = timeoutOf(values.timeout ?? '2m')
  const data = values.data ?? (env.KEDGE_DATA || defaultData)
  const rows = new Map<string, string[]>()
  let ok: boolean | undefined
  for await (const event of events(data, { dryRun, timeoutMs }, signal)) {
    for (const line of told(event, rows, { dryRun, timeoutMs })) write(`${line}\n`)
    if (event.is === 'done') ok = event.ok
  }
  if (rows.size > 0) write(table(['POD', 'RESULT', 'AFTER', 'WHY'], [...rows.values()]))
  if (signal.aborted) throw new UserError('broken off: what was down comes up again')
  if (ok === undefined) throw new UserError('edgecore has ended before the drill was over')
  return ok ? 0 : 1
}

interface Wish {
  dryRun: boolean
  timeoutMs: number
}

async function* events(data: string, wish: Wish, signal: AbortSignal): AsyncGenerator<DrillEvent> {
  let rest = ''
  for await (const text of stream(data, '/drill', signal, wish)) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield JSON.parse(line) as DrillEvent
  }
}

/** The result of a pod that is neither back nor given up. */
const pending = '?'

/** What is said of an event at once; what becomes of each pod is noted in its row. */
function told(event: DrillEvent, rows: Map<string, string[]>, { dryRun, timeoutMs }: Wish): string[] {
  switch (event.is) {
    case 'plan': {
      for (const { pod, skipped } of event.pods)
        rows.set(pod, [pod, skipped ? 'left alone' : dryRun ? 'would be restarted' : pending, '-', skipped ?? ''])
      const simulated = event.engine === 'simulated' ? ['The engine of this node is simulated: so is this drill.'] : []
      if (event.pods.length === 0) return [...simulated, 'This node has no pods.', ...expected(event)]
      return [...simulated, ...expected(event)]
    }
    case 'alone':
      return [event.linked ? 'The link is down and no registry is asked.' : 'No registry is asked.']
    case 'down': {
      const pods = event.pods === 1 ? '1 pod comes' : `${event.pods} pods come`
      const down = `All is down after ${seconds(event.ms)}.`
      return [event.pods === 0 ? down : `${down} Waiting until ${pods} back, at most ${formatDuration(timeoutMs)}.`]
    }
    case 'back':
      rows.set(event.pod, [event.pod, 'back', seconds(event.ms), ''])
      return []
    case 'missing':
      rows.set(event.pod, [event.pod, 'NOT BACK', '-', event.why])
      return []
    case 'failed':
      for (const row of rows.values()) if (row[1] === pending) row[1] = 'not known'
      return [`The drill failed: ${event.why}`]
    case 'done': {
      if (dryRun) return []
      const known = [...rows.values()].every(([, result]) => result !== 'not known')
      const outcome = event.ok ? 'Everything came back.' : known ? 'Not everything came back.' : 'Nothing is proven.'
      return [`${outcome} This took ${seconds(event.ms)}.`]
    }
  }
}

function expected({ unready }: Extract<DrillEvent, { is: 'plan' }>): string[] {
  if (unready.length === 0) return ['Nothing is expected to go wrong.']
  return unready.map(({ reason, message }) => `Expected to go wrong: ${reason}: ${message}`)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)}s`
}

function timeoutOf(text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0) return ms
  throw new UserError(`--timeout: found "${text}"; give a duration such as ${formatDuration(90_000)}`)
}
