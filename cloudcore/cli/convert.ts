import { readFileSync } from 'node:fs'
import { explain, UserError } from '@kedge/shared/errors'
import { parseAllDocuments, stringify } from 'yaml'
import { convert, type Manifest } from '../convert/convert.ts'

const help = `Usage: cloudcore convert device FILE

Writes the Devices and DeviceModels in FILE (YAML or JSON, - for standard input) that are in KubeEdge's v1alpha2 form
anew in v1beta1, for kubectl apply -f -. Other objects are written as they are. What v1beta1 has no place for is said
on standard error.

  -h, --help   Print this and end
`

export interface ConvertAround {
  /** Says something to the person, beside the output. */
  note: (line: string) => void
}

/** `cloudcore convert …`, `argv` being what follows the word. Returns the manifests; throws a UserError. */
export function convertCommand(argv: readonly string[], { note }: ConvertAround): string {
  if (argv.includes('-h') || argv.includes('--help')) return help
  const [what, file, ...more] = argv
  if (what !== 'device' || file === undefined || more.length > 0) {
    throw new UserError(`found "${['convert', ...argv].join(' ')}"; the command is: cloudcore convert device FILE`)
  }
  const objects = read(file).flatMap(itemsOf)
  if (objects.length === 0) throw new UserError(`${file}: there is no object in it`)
  const written = objects.map((object, index) => {
    const name = `${object.kind ?? 'object'} ${nameIn(object) ?? index + 1}`
    const converted = convert(object)
    if (!converted.ok) throw new UserError(`${file}: ${name}: ${converted.reason}`)
    for (const line of converted.notes) note(`${name}: ${line}`)
    return stringify(converted.object, { lineWidth: 0 })
  })
  return written.join('---\n')
}

function read(file: string): Manifest[] {
  const documents = parseAllDocuments(contentOf(file))
  if (!Array.isArray(documents)) return []
  return documents.flatMap((document, index) => {
    const [error] = document.errors
    if (error) throw new UserError(`${file}: document ${index + 1}: ${error.message}`)
    const object: unknown = document.toJS()
    if (object === null) return []
    if (typeof object !== 'object' || Array.isArray(object)) {
      throw new UserError(`${file}: document ${index + 1}: found ${JSON.stringify(object)}, an object is needed`)
    }
    return [object as Manifest]
  })
}

function contentOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    throw new UserError(`${file} cannot be read: ${explain(error)}`, { cause: error })
  }
}

/** What `kubectl get -o yaml` writes of several objects is one List. */
function itemsOf(object: Manifest): Manifest[] {
  return object.kind === 'List' && Array.isArray(object.items) ? (object.items as Manifest[]) : [object]
}

function nameIn({ metadata }: Manifest): string | undefined {
  const name = (metadata as { name?: unknown } | undefined)?.name
  return typeof name === 'string' ? name : undefined
}
