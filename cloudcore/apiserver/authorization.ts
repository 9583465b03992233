import { type Attributes, type Authorize, administrators, type User, type Verdict } from '@kedge/shared/kubeapi/access'

const yes: Verdict = { allowed: true, reason: '' }

/** Administrators may do everything, everyone known may look around and ask about themselves. */
export const authorize: Authorize = (user, attributes) => {
  if (user.groups.includes(administrators)) return yes
  if (isLookingAround(attributes) || isAboutSelf(attributes)) return yes
  return { allowed: false, reason: reasonFor(user) }
}

function isLookingAround({ resource, verb, path }: Attributes): boolean {
  if (resource !== '' || (verb !== 'get' && verb !== 'head')) return false
  return /^\/(api|apis|openapi|version|healthz|livez|readyz)(\/|$)/.test(path) || path === '/'
}

function isAboutSelf({ resource, verb }: Attributes): boolean {
  return verb === 'create' && resource.startsWith('selfsubject')
}

function reasonFor({ name }: User): string {
  return name === '' ? 'no user' : 'only administrators may'
}
