import { commandLine } from '@kedge/shared/command-line'
import { UserError } from '@kedge/shared/errors'
import { ask } from '../control/client.ts'
import { defaultData } from '../settings.ts'
import { asked } from './device-words.ts'
import { onePod, podPath } from './pod-words.ts'

const help = `Usage: edgecore exec POD [flags] -- COMMAND [ARG...]

Runs a command in a container of this node, with or without the cloud, and ends with its exit code.

POD: its name, or <namespace>/<name>

  -c, --container NAME   The container (default: the first of the pod)
  -i, --stdin            Pass standard input on
  -t, --tty              In a terminal of its own
  -n, --namespace NS     The namespace (default: default)
      --data PATH        The data folder of edgecore (default: KEDGE_DATA, else ${defaultData})
  -h, --help             Print this and end
`

const options = {
  container: { type: 'string', short: 'c' },
  stdin: { type: 'boolean', short: 'i' },
  tty: { type: 'boolean', short: 't' },
  namespace: { type: 'string', short: 'n' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** The terminal that `exec` runs in. */
export interface Terminal {
  stdin: NodeJS.ReadStream
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
}

export interface ExecAround {
  env: Readonly<Record<string, string | undefined>>
  terminal: Terminal
}

/** `edgecore exec …`, `argv` being what follows the word. Resolves with the command's exit code; throws a `UserError`. */
export async function exec(argv: readonly string[], { env, terminal }: ExecAround): Promise<number> {
  const split = argv.indexOf('--')
  const { values, positionals } = commandLine('edgecore exec', split === -1 ? argv : argv.slice(0, split), options)
  if (values.help) {
    terminal.stdout.write(help)
    return 0
  }
  const command = split === -1 ? [] : argv.slice(split + 1)
  const path = podPath(onePod('exec', positionals), values.namespace ?? 'default')
  if (command.length === 0) throw new UserError('which command? Give edgecore exec POD -- COMMAND [ARG...]')
  const { container, stdin = false, tty = false } = values
  if (tty && !terminal.stdin.isTTY) throw new UserError('-t needs a terminal as standard input: leave it out')
  const data = values.data ?? (env.KEDGE_DATA || defaultData)
  const wish = { container, command, stdin, tty }
  const streamed = await ask(data, `${path}/stream`, wish)
  if (streamed.code === 200) {
    const { runStreamed } = await import('./exec-stream.ts')
    return runStreamed({ url: (streamed.body as { url: string }).url, stdin, tty, terminal })
  }
  // What is wrong with the pod is said by either; an engine that streams nothing may still run a command.
  if (streamed.code !== 502 || stdin || tty) throw new UserError((streamed.body as { reason: string }).reason)
  return whole(await asked(data, `${path}/exec`, { container, command }), terminal)
}

function whole(answer: unknown, { stdout, stderr }: Terminal): number {
  const ended = answer as { exitCode: number; stdout: string; stderr: string }
  stdout.write(Buffer.from(ended.stdout, 'base64'))
  stderr.write(Buffer.from(ended.stderr, 'base64'))
  return ended.exitCode
}
