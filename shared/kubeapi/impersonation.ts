import { type Attributes, type Authorize, denied, type User } from './access.ts'
import type { ApiRequest } from './call.ts'
import { badRequest } from './status.ts'

const everyone = 'system:authenticated'

/**
 * As whom a request acts (`kubectl --as`): its sender, unless it names another in `Impersonate-User` and the sender may
 * `impersonate` that user and each of the groups. Throws a `StatusError`: 400 for groups of nobody, 403.
 */
export function actingUser({ headers, user }: Pick<ApiRequest, 'headers' | 'user'>, authorize: Authorize): User {
  const name = valuesOf(headers['impersonate-user']).join()
  const uid = valuesOf(headers['impersonate-uid']).join()
  const groups = valuesOf(headers['impersonate-group'])
  if (name === '') {
    if (groups.length === 0 && uid === '') return user
    throw badRequest('Impersonate-Group and Impersonate-Uid say nothing without Impersonate-User')
  }
  const asked = [userAttributes(name), ...groups.map((group) => attributesOf('groups', group))]
  for (const attributes of asked) {
    const verdict = authorize(user, attributes)
    if (!verdict.allowed) throw denied(user, attributes, verdict)
  }
  const given = groups.length > 0 ? groups : accountGroups(name)
  return { name, uid, groups: [...new Set([...given, everyone])] }
}

/** Node joins the values of a header that comes more than once. */
function valuesOf(header: string | string[] | undefined): string[] {
  return [header ?? []].flat().flatMap((value) => value.split(/, */).filter((one) => one !== ''))
}

function attributesOf(resource: string, name: string, namespace = ''): Attributes {
  return { verb: 'impersonate', group: '', resource, subresource: '', namespace, name, fields: '', path: '' }
}

const account = /^system:serviceaccount:([^:]+):([^:]+)$/

function userAttributes(name: string): Attributes {
  const [, namespace, accountName] = account.exec(name) ?? []
  return accountName === undefined
    ? attributesOf('users', name)
    : attributesOf('serviceaccounts', accountName, namespace)
}

function accountGroups(name: string): string[] {
  const [, namespace] = account.exec(name) ?? []
  return namespace === undefined ? [] : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
}
