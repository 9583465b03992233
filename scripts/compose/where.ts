import { readFileSync } from 'node:fs'
import { UserError } from '@kedge/shared/errors'

/** What a service of the fleet needs to speak to Kubernetes. */
export interface Where {
  /** The kubeconfig that cloudcore or k3s has written for people on their machine. */
  kubeconfig: string
  /** Where that API is from a container. */
  server: string
}

export type Profile = 'chaos' | 'mosquitto' | 'k3s'

const embedded: Where = { kubeconfig: '/var/lib/kedge/cloudcore/kubeconfig', server: 'https://kubernetes:6443' }
const k3s: Where = { kubeconfig: '/run/k3s/kubeconfig', server: 'https://k3s:6444' }

/** Where Kubernetes is, by the profiles in use, as COMPOSE_PROFILES lists them. Pure. */
export function whereIs(profiles: string): Where {
  return has(profiles, 'k3s') ? k3s : embedded
}

/**
 * Throws a UserError unless a profile is in the list: services that belong to it were started by `--profile`, and the
 * others do not know of it. Pure.
 */
export function mustHave(profiles: string, profile: Profile): void {
  if (has(profiles, profile)) return
  throw new UserError(
    `found COMPOSE_PROFILES="${profiles}": set COMPOSE_PROFILES=${profile} in place of --profile, so that cloudcore knows it, too`,
  )
}

function has(profiles: string, profile: Profile): boolean {
  return profiles.split(',').some((name) => name.trim() === profile)
}

/** The text of the kubeconfig, with the API where it is from here. Throws while there is none. */
export function kubeconfigFor({ kubeconfig, server }: Where): string {
  return readFileSync(kubeconfig, 'utf8').replaceAll(/^( *server: ).*$/gm, `$1${server}`)
}
