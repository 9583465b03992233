import { commandLine } from '@kedge/shared/command-line'
import { UserError } from '@kedge/shared/errors'
import { manifestsOf, type Proposal } from '@kedge/shared/proposals'
import { table } from '@kedge/shared/table'
import { defaultData } from '../settings.ts'
import { asked } from './device-words.ts'
import type { Said } from './get.ts'

const help = `Usage: edgecore discover [NAME...] [flags]

Writes Device and DeviceModel manifests for what zigbee2mqtt and Home Assistant's MQTT discovery announce on the local
broker and this node does not have yet, for kubectl apply -f -. NAME: only these devices.

  -n, --namespace NS    The namespace of the manifests (default: default)
  -o, --output FORMAT   yaml, json or table (default: yaml)
      --data PATH       The data folder of edgecore (default: KEDGE_DATA, else ${defaultData})
  -h, --help            Print this and end
`

const options = {
  namespace: { type: 'string', short: 'n' },
  output: { type: 'string', short: 'o' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** `edgecore discover …`, `argv` being what follows the word. Throws a `UserError`. */
export async function discover(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Said> {
  const { values, positionals: wanted } = commandLine('edgecore discover', argv, options)
  if (values.help) return { out: help, note: '' }
  const { output = 'yaml', namespace = 'default' } = values
  if (!['yaml', 'json', 'table'].includes(output))
    throw new UserError(`--output: found "${output}"; give yaml, json or table`)
  const data = values.data ?? (env.KEDGE_DATA || defaultData)
  const path = `/discovered?namespace=${encodeURIComponent(namespace)}`
  const { proposals } = (await asked(data, path)) as { proposals: Proposal[] }
  const names = new Set(proposals.map(nameOf))
  const missing = wanted.find((name) => !names.has(name))
  if (missing !== undefined) {
    throw new UserError(
      `"${missing}" is not announced, or this node has it already; there is ${[...names].join(', ') || 'nothing'}`,
    )
  }
  const chosen = wanted.length === 0 ? proposals : proposals.filter((proposal) => wanted.includes(nameOf(proposal)))
  const note = chosen
    .map((proposal) => proposal.notes.map((line) => `${nameOf(proposal)}: ${line}\n`).join(''))
    .join('')
  if (chosen.length === 0) return { out: '', note: 'Nothing new is announced on the local broker.\n' }
  return { out: await written(chosen, output), note }
}

function nameOf({ device }: Proposal): string {
  return String(device.metadata.name)
}

async function written(proposals: readonly Proposal[], output: string): Promise<string> {
  if (output === 'table') {
    const rows = proposals.map(({ id, model, device }) => {
      const { properties } = device.spec as { properties: { name: string }[] }
      return [
        String(device.metadata.name),
        String(model.metadata.name),
        properties.map(({ name }) => name).join(','),
        id,
      ]
    })
    return table(['NAME', 'MODEL', 'PROPERTIES', 'ANNOUNCED-AS'], rows)
  }
  const objects = manifestsOf(proposals)
  if (output === 'json') return `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, null, 2)}\n`
  const { stringify } = await import('@kedge/shared/yaml')
  return objects.map((object) => stringify(object, { lineWidth: 0 })).join('---\n')
}
