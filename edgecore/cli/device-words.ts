import { UserError } from '@kedge/shared/errors'
import { ask } from '../control/client.ts'

/** What edgecore answers. Throws a `UserError` with the reason when it refuses. */
export async function asked(data: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await ask(data, path, body)
  if (answer.code === 200) return answer.body
  const { reason, property } = answer.body as { reason?: string; property?: string }
  const what = property === undefined ? '' : `${property}: `
  throw new UserError(`${what}${reason ?? `edgecore answers ${answer.code}`}`)
}

/** `<namespace>/<name>` of a device that a person names, ready for a path. Throws a `UserError`. */
export function idOf(device: string, namespace: string): string {
  const [first = '', second, ...more] = device.split('/')
  if (more.length > 0 || first === '' || second === '')
    throw new UserError(`found "${device}"; give NAME or NAMESPACE/NAME`)
  const parts = second === undefined ? [namespace, first] : [first, second]
  return parts.map(encodeURIComponent).join('/')
}

/** Reads `PROPERTY=VALUE` words; a value may hold further `=`. Throws a `UserError`. */
export function pairsOf(words: readonly string[]): [string, string][] {
  return words.map((word) => {
    const at = word.indexOf('=')
    if (at <= 0) throw new UserError(`found "${word}"; give PROPERTY=VALUE`)
    return [word.slice(0, at), word.slice(at + 1)]
  })
}
