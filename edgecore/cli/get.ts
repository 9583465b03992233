import { commandLine } from '@kedge/shared/command-line'
import { UserError } from '@kedge/shared/errors'
import { nearest } from '@kedge/shared/near'
import { table } from '@kedge/shared/table'
import { defaultData } from '../settings.ts'
import { keyFileOf, openReader } from './reader.ts'
import { type Item, type View, type ViewName, views } from './views.ts'

const help = `Usage: edgecore get KIND [NAME] [flags]

Reads what this node holds, whether edgecore runs or not.

KIND: pods, configmaps, secrets, devices, twins (NAME is a device), outbox (NAME is a subject),
identity (who this board is, and how long its certificate is good)

  -n, --namespace NS     The namespace (default: default)
  -A, --all-namespaces   All namespaces
  -o, --output FORMAT    table, wide, json or yaml (default: table)
      --data PATH        The data folder of edgecore (default: KEDGE_DATA, else ${defaultData})
      --show-secrets     Show the values of Secrets, too
      --secrets-key-file PATH  The key of Secrets, when edgecore was handed one (default: KEDGE_SECRETS_KEY_FILE)
  -h, --help             Print this and end
`

const options = {
  namespace: { type: 'string', short: 'n' },
  'all-namespaces': { type: 'boolean', short: 'A' },
  output: { type: 'string', short: 'o' },
  data: { type: 'string' },
  'show-secrets': { type: 'boolean' },
  'secrets-key-file': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

const aliases: Record<string, ViewName> = {
  pod: 'pods',
  po: 'pods',
  configmap: 'configmaps',
  cm: 'configmaps',
  secret: 'secrets',
  device: 'devices',
  twin: 'twins',
}

/** A table that may be long has no more rows than these. */
const mostRows = 1000

/** What `get` reads of the world around it. */
export interface GetAround {
  env: Readonly<Record<string, string | undefined>>
  /** Milliseconds since the epoch. */
  now: number
}

/** What goes to standard output, and what to standard error. */
export interface Said {
  out: string
  note: string
}

/**
 * `edgecore get …`, `argv` being what follows the word `get`. Throws a UserError for a command line that is not right,
 * a database that cannot be read, and a NAME that is not there.
 */
export async function get(argv: readonly string[], { env, now }: GetAround): Promise<Said> {
  const { values, positionals } = commandLine('edgecore get', argv, options)
  if (values.help) return { out: help, note: '' }
  const [kind, name, extra] = positionals
  if (extra !== undefined) throw new UserError(`found "${extra}" after the name; give one name at most`)
  const view = viewOf(kind)
  const output = values.output ?? 'table'
  if (!['table', 'wide', 'json', 'yaml'].includes(output))
    throw new UserError(`--output: found "${output}"; give table, wide, json or yaml`)
  const data = values.data ?? (env.KEDGE_DATA || defaultData)
  if (view === 'identity') {
    const { identityItem } = await import('./identity-view.ts')
    const found = identityItem(data, now)
    if (found === undefined) return { out: '', note: 'This board has not joined; edgecore join makes it a node.\n' }
    const said = await print([found.item], { view, output, single: true, namespace: '' })
    return { ...said, note: found.note }
  }
  const reader = openReader(data, keyFileOf(values['secrets-key-file'], env))
  try {
    const shown: View = views[view]
    const most = (output === 'table' || output === 'wide') && name === undefined ? mostRows : undefined
    const viewing = { showSecrets: values['show-secrets'] ?? false, now, ...(most && { most }) }
    const all = shown.items(reader, viewing)
    const namespace = values['all-namespaces'] ? undefined : (values.namespace ?? 'default')
    const items = all.filter((item) => matches(item, namespace, name))
    if (name !== undefined && items.length === 0) throw new UserError(notFound(view, name, namespace))
    const said = await print(items, { view, output, single: name !== undefined && view !== 'twins', namespace })
    const below = most !== undefined && items.length > 0 ? shown.note?.(reader, viewing) : undefined
    return below ? { ...said, note: `${said.note}${below}` } : said
  } finally {
    reader.close()
  }
}

function viewOf(kind: string | undefined): ViewName {
  if (kind === undefined) throw new UserError(`what to get? Give one of ${Object.keys(views).join(', ')}`)
  if (Object.hasOwn(views, kind)) return kind as ViewName
  const alias = Object.hasOwn(aliases, kind) ? aliases[kind] : undefined
  if (alias !== undefined) return alias
  const near = nearest(kind, Object.keys(views))
  const advice = near === undefined ? `give one of ${Object.keys(views).join(', ')}` : `did you mean ${near}?`
  throw new UserError(`no such kind "${kind}"; ${advice}`)
}

function matches(item: Item, namespace: string | undefined, name: string | undefined): boolean {
  const inNamespace = namespace === undefined || item.namespace === undefined || item.namespace === namespace
  return inNamespace && (name === undefined || item.name === name)
}

function notFound(view: ViewName, name: string, namespace: string | undefined): string {
  const where = view === 'outbox' || namespace === undefined ? 'on this node' : `in namespace ${namespace} on this node`
  return `${view === 'twins' ? 'twins of ' : `${view} `}"${name}" not found ${where}`
}

interface Printing {
  view: ViewName
  output: string
  /** A NAME was given: the object itself rather than a list of one. */
  single: boolean
  /** Undefined for all. */
  namespace: string | undefined
}

async function print(items: Item[], { view, output, single, namespace }: Printing): Promise<Said> {
  if (output !== 'table' && output !== 'wide') {
    const objects = items.map(({ object }) => object)
    const content = single ? objects[0] : { apiVersion: 'v1', kind: 'List', items: objects }
    return { out: output === 'json' ? `${JSON.stringify(content, null, 2)}\n` : await yaml(content), note: '' }
  }
  if (items.length === 0) return { out: '', note: `No ${view} held${namespaced(view, namespace)}.\n` }
  const all = namespace === undefined && view !== 'outbox'
  const { header, wideHeader = [] }: View = views[view]
  const columns = output === 'wide' ? [...header, ...wideHeader] : header
  const rows = items.map((item) => {
    const cells = output === 'wide' ? [...item.cells, ...(item.wide ?? [])] : item.cells
    return all ? [item.namespace ?? '', ...cells] : cells
  })
  return { out: table(all ? ['NAMESPACE', ...columns] : columns, rows), note: '' }
}

function namespaced(view: ViewName, namespace: string | undefined): string {
  return view === 'outbox' || namespace === undefined ? ' on this node' : ` in namespace ${namespace}`
}

async function yaml(content: unknown): Promise<string> {
  // Loaded only here: edgecore itself does without while it runs.
  const { stringify } = await import('@kedge/shared/yaml')
  return stringify(content, { lineWidth: 0 })
}
