import type { KubeObject } from '@kedge/shared/objects'
import * as z from 'zod'
import type { RegistryCredential } from './runtime.ts'

const Entry = z.looseObject({
  username: z.string().optional(),
  password: z.string().optional(),
  auth: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
})
const Auths = z.record(z.string(), Entry)
const Config = z.looseObject({ auths: Auths })

/**
 * The credentials in these Secrets that fit an image, best first: an entry names a registry, perhaps with a path and
 * with `*` in the parts of its host name, and the longest that fits goes first, as in kubelet.
 */
export function credentialsFor(image: string, secrets: readonly KubeObject[]): RegistryCredential[] {
  const { host, path } = partsOf(image)
  const fitting = secrets.flatMap(entriesOf).filter(([registry]) => fits(registry, host, path))
  fitting.sort(([a], [b]) => normal(b).length - normal(a).length)
  return fitting.map(([registry, entry]) => credentialOf(registry, entry))
}

function entriesOf({ data }: KubeObject): [string, z.infer<typeof Entry>][] {
  const fields = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {}
  const modern = parsed(Config, fields['.dockerconfigjson'])
  const older = parsed(Auths, fields['.dockercfg'])
  return Object.entries(modern?.auths ?? older ?? {})
}

function parsed<T>(schema: z.ZodType<T>, encoded: unknown): T | undefined {
  if (typeof encoded !== 'string') return undefined
  try {
    return schema.parse(JSON.parse(Buffer.from(encoded, 'base64').toString()))
  } catch {
    return undefined
  }
}

function credentialOf(serverAddress: string, entry: z.infer<typeof Entry>): RegistryCredential {
  const { auth, identitytoken, registrytoken } = entry
  const [name, ...rest] = auth === undefined ? [] : Buffer.from(auth, 'base64').toString().split(':')
  const username = entry.username ?? name
  const password = entry.password ?? (rest.length > 0 ? rest.join(':').replace(/\0+$/, '') : undefined)
  return {
    serverAddress,
    ...(username && { username }),
    ...(password && { password }),
    ...(identitytoken && { identityToken: identitytoken }),
    ...(registrytoken && { registryToken: registrytoken }),
  }
}

/** The registry of an image and the path in it, as the engine will ask for it. */
function partsOf(image: string): { host: string; path: string } {
  const [first = '', ...rest] = image.split('/')
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const host = isHost ? first : 'docker.io'
  const path = (isHost ? rest : [first, ...rest]).join('/')
  const bare = path.replace(/@.*$/, '').replace(/:[^/]*$/, '')
  return {
    host: host === 'index.docker.io' ? 'docker.io' : host,
    path: isHost || rest.length > 0 ? bare : `library/${bare}`,
  }
}

/** Without what a registry's address may have around it: a scheme, and the version of its protocol at the end. */
function normal(registry: string): string {
  const bare = registry
    .replace(/^https?:\/\//, '')
    .replace(/\/+$/, '')
    .replace(/\/v[12]$/, '')
  return bare.replace(/^index\.docker\.io(?=$|\/)/, 'docker.io')
}

function fits(registry: string, host: string, path: string): boolean {
  const [wanted = '', ...rest] = normal(registry).split('/')
  return fitsHost(wanted, host) && `/${path}/`.startsWith(rest.length > 0 ? `/${rest.join('/')}/` : '/')
}

function fitsHost(pattern: string, host: string): boolean {
  const [wantedName = '', wantedPort] = pattern.split(':')
  const [name = '', port] = host.split(':')
  const wanted = wantedName.split('.')
  const parts = name.split('.')
  if (wantedPort !== port || wanted.length !== parts.length) return false
  return wanted.every((one, index) => matches(one, parts[index] ?? ''))
}

function matches(pattern: string, text: string): boolean {
  const escaped = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${escaped.join('.*')}$`).test(text)
}
