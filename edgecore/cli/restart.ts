import { commandLine } from '@kedge/shared/command-line'
import { defaultData } from '../settings.ts'
import { asked } from './device-words.ts'
import { onePod, podPath } from './pod-words.ts'

const help = `Usage: edgecore restart POD [flags]

Restarts the containers of a pod of this node in a new sandbox, from the images that are here, with or without the
cloud; with -c one container, where it is. Each has the pod's grace to end.

POD: its name, or <namespace>/<name>

  -c, --container NAME   Only this container
  -n, --namespace NS     The namespace (default: default)
      --data PATH        The data folder of edgecore (default: KEDGE_DATA, else ${defaultData})
  -h, --help             Print this and end
`

const options = {
  container: { type: 'string', short: 'c' },
  namespace: { type: 'string', short: 'n' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** `edgecore restart …`, `argv` being what follows the word. Returns what to say; throws a `UserError`. */
export async function restart(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { values, positionals } = commandLine('edgecore restart', argv, options)
  if (values.help) return help
  const pod = onePod('restart', positionals)
  const path = podPath(pod, values.namespace ?? 'default')
  const { container } = values
  const data = values.data ?? (env.KEDGE_DATA || defaultData)
  const { restarted } = (await asked(data, `${path}/restart`, { container })) as { restarted: string[] }
  return restarted.map((name) => `container ${name} of pod ${pod} was stopped and is started again\n`).join('')
}
