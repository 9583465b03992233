import { commandLine } from '@kedge/shared/command-line'
import type { DeviceMethod } from '@kedge/shared/devices'
import { UserError } from '@kedge/shared/errors'
import { table } from '@kedge/shared/table'
import { defaultData } from '../settings.ts'
import { asked, idOf, pairsOf } from './device-words.ts'

const help = `Usage: edgecore method list DEVICE [flags]
       edgecore method call DEVICE METHOD PROPERTY=VALUE... [flags]

Works with the methods of a Device (spec.methods) through the edgecore that runs here, with or without the cloud. A call
writes desired values of properties that the method names; the device's driver or mapper carries them out.

DEVICE: its name, or <namespace>/<name>

  -n, --namespace NS   The namespace (default: default)
      --data PATH      The data folder of edgecore (default: KEDGE_DATA, else ${defaultData})
  -h, --help           Print this and end
`

const options = {
  namespace: { type: 'string', short: 'n' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** `edgecore method …`, `argv` being what follows the word. Returns what to say; throws a `UserError`. */
export async function method(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { values, positionals } = commandLine('edgecore method', argv, options)
  if (values.help) return help
  const [verb, device, name, ...words] = positionals
  const data = values.data ?? (env.KEDGE_DATA || defaultData)
  if ((verb !== 'list' && verb !== 'call') || device === undefined || (verb === 'list') !== (name === undefined)) {
    throw new UserError('give edgecore method list DEVICE or edgecore method call DEVICE METHOD PROPERTY=VALUE...')
  }
  const id = idOf(device, values.namespace ?? 'default')
  const { methods } = (await asked(data, `/methods/${id}`)) as { methods: DeviceMethod[] }
  return name === undefined ? listOf(device, methods) : call({ data, id, device, name, words, methods })
}

function listOf(device: string, methods: readonly DeviceMethod[]): string {
  if (methods.length === 0) return `${device} has no methods.\n`
  const rows = methods.map(({ name, propertyNames, description }) => [
    name ?? '',
    (propertyNames ?? []).join(','),
    description ?? '',
  ])
  return table(['METHOD', 'PROPERTIES', 'DESCRIPTION'], rows)
}

interface Call {
  data: string
  /** Ready for a path. */
  id: string
  device: string
  name: string
  words: readonly string[]
  methods: readonly DeviceMethod[]
}

async function call({ data, id, device, name, words, methods }: Call): Promise<string> {
  const found = methods.find((method) => method.name === name)
  const names = methods.map((method) => method.name).join(', ') || 'none'
  if (found === undefined) throw new UserError(`${device} has no method "${name}"; it has ${names}`)
  const may = found.propertyNames ?? []
  const values = pairsOf(words)
  if (values.length === 0) throw new UserError(`give PROPERTY=VALUE; ${name} sets ${may.join(', ') || 'no property'}`)
  const foreign = values.find(([property]) => !may.includes(property))
  if (foreign) throw new UserError(`${name} does not set "${foreign[0]}"; it sets ${may.join(', ') || 'no property'}`)
  const twin = Object.fromEntries(values.map(([property, value]) => [property, { expected: { value } }]))
  await asked(data, `/twins/${id}/update`, { event_id: `edgecore method call ${name}`, twin })
  return values.map(([property, value]) => `${property} desired ${value}\n`).join('')
}
