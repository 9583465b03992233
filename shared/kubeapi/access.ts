import { StatusError } from './status.ts'

/** Who sends a request, as its authenticator knows them. */
export interface User {
  name: string
  uid: string
  groups: readonly string[]
}

/** What a request wants to do. */
export interface Attributes {
  /** get, list, watch, create, update, patch, delete, deletecollection. */
  verb: string
  group: string
  /** Plural name; empty for a path that is no resource. */
  resource: string
  subresource: string
  namespace: string
  name: string
  /** The field selector of a list or watch. */
  fields: string
  /** For what is no resource: `/healthz`. */
  path: string
}

export interface Verdict {
  allowed: boolean
  /** For people: why not. */
  reason: string
}

export type Authorize = (user: User, attributes: Attributes) => Verdict

/** Members of this group may do everything. */
export const administrators = 'system:masters'

/** The refusal of a request, in Kubernetes' words. */
export function denied(user: User, attributes: Attributes, { reason }: Verdict): StatusError {
  const { verb, group, resource, subresource, namespace, name, path } = attributes
  const what = subresource === '' ? resource : `${resource}/${subresource}`
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`
  const why = reason === '' ? '' : `: ${reason}`
  if (resource === '') {
    return forbiddenStatus(`forbidden: User "${user.name}" cannot ${verb} path "${path}"${why}`, {})
  }
  const qualified = group === '' ? resource : `${resource}.${group}`
  const subject = name === '' ? qualified : `${qualified} "${name}"`
  return forbiddenStatus(
    `${subject} is forbidden: User "${user.name}" cannot ${verb} resource "${what}" in API group "${group}" ${where}${why}`,
    { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), kind: resource },
  )
}

function forbiddenStatus(message: string, details: Record<string, unknown>): StatusError {
  return new StatusError({ code: 403, reason: 'Forbidden', message, details })
}
