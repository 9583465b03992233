import { UserError } from '@kedge/shared/errors'

/** The path of a pod that a person names, NAME or NAMESPACE/NAME. Throws a `UserError`. */
export function podPath(pod: string, namespace: string): string {
  const [first = '', second, ...more] = pod.split('/')
  if (more.length > 0 || first === '' || second === '')
    throw new UserError(`found "${pod}"; give a pod as NAME or NAMESPACE/NAME`)
  const parts = second === undefined ? [namespace, first] : [first, second]
  return `/pods/${parts.map(encodeURIComponent).join('/')}`
}

/** The one pod that a command is about. Throws a `UserError` for none and for more. */
export function onePod(command: string, words: readonly string[]): string {
  const [pod, extra] = words
  if (pod === undefined) throw new UserError(`which pod? Give edgecore ${command} POD`)
  if (extra !== undefined) throw new UserError(`found "${extra}" after the pod; give one pod`)
  return pod
}
