import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { systemClock } from '@kedge/shared/clock'
import { commandLine } from '@kedge/shared/command-line'
import { formatDuration, parseDuration } from '@kedge/shared/duration'
import { UserError } from '@kedge/shared/errors'
import { pinOf } from '@kedge/shared/identity/token'
import type { Env } from '@kedge/shared/settings'
import { table } from '@kedge/shared/table'
import { SecretCaStore } from '../identity/ca-store.ts'
import { type Revoked, revocationList } from '../identity/crl.ts'
import { home, readTrust } from '../identity/home.ts'
import { identityLabel, type NodeIdentity, readIdentity } from '../identity/records.ts'
import { readCa, retireCa, rotateCa } from '../identity/rotate-ca.ts'
import { type CaState, rootsOf } from '../identity/rotation.ts'
import { caKeyName, readSealingKey, type SealingKey } from '../identity/sealed-key.ts'
import { bundle } from '../identity/x509.ts'
import type { Kube } from '../kube/api.ts'
import { collectionIn } from '../kube/paths.ts'
import { apiServerDir, defaultData } from '../settings.ts'
import { accessHelp, accessOptions, type KubeAround, withKube } from './kube-access.ts'

const help = `Usage: cloudcore ca list [flags]
       cloudcore ca rotate [--spread 1h] [flags]
       cloudcore ca retire [--force] [flags]
       cloudcore ca bundle [flags]
       cloudcore ca crl [--days 30] [flags]

The authority that vouches for cloudcore on the link and, unless another issuer is set, for nodes. It lies in the Secret
kedge-ca in the namespace ${home}; a cloudcore that runs takes up what is changed here.

rotate gives it a new key. The earlier one stays trusted, so that nodes which are away find back; those that are there
renew their certificates, each at its own time within the spread. retire ends that trust: nodes that have not renewed
since must join again. bundle prints all that is trusted, crl the certificates of revoked and locked nodes and of boards
that were replaced, both for an MQTT broker of your own.

      --spread DURATION  Over how long the renewals of nodes are spread (default: 1h)
      --days COUNT       For how long the list is good: renew it before (default: 30)
      --force            Retire although nodes would have to join again
      --ca-key-file FILE What the Secret is sealed with (default: KEDGE_CA_KEY_FILE, else the one in the data folder)
${accessHelp}`

const options = {
  ...accessOptions,
  spread: { type: 'string' },
  days: { type: 'string' },
  force: { type: 'boolean' },
  'ca-key-file': { type: 'string' },
} as const

const hint = 'cloudcore ca --help lists all flags'
const longestSpread = 30 * 24 * 3600 * 1000

type Values = ReturnType<typeof commandLine<typeof options>>['values']

interface Parts {
  kube: Kube
  store: SecretCaStore
  values: Values
  now: number
}

const words: Record<string, (parts: Parts) => Promise<string>> = { list, rotate, retire, bundle: print, crl }

/** `cloudcore ca …`, `argv` being what follows the word. Returns what to say; throws a UserError. */
export async function caCommand(argv: readonly string[], { env, now }: KubeAround): Promise<string> {
  const { values, positionals } = commandLine('cloudcore ca', argv, options)
  if (values.help === true) return help
  const [word = '', ...more] = positionals
  const run = Object.hasOwn(words, word) ? words[word] : undefined
  if (run === undefined || more.length > 0) {
    const commands = Object.keys(words).join(', ')
    throw new UserError(
      `found "${['ca', ...positionals].join(' ')}"; cloudcore ca has the commands ${commands}; ${hint}`,
    )
  }
  const key = keyOf(values, env)
  return withKube(values, env, (kube) => run({ kube, store: new SecretCaStore(kube, key), values, now }))
}

function keyOf(values: Values, env: Env): SealingKey | undefined {
  const given = values['ca-key-file'] ?? (env.KEDGE_CA_KEY_FILE || undefined)
  const data = values.data ?? (env.KEDGE_DATA || defaultData)
  const key = readSealingKey(given ?? join(apiServerDir(data), 'pki', caKeyName))
  if (key === undefined && given !== undefined) throw new UserError(`--ca-key-file: there is no file ${given}`)
  return key
}

async function list({ kube, store }: Parts): Promise<string> {
  const { state } = await readCa(store)
  const behind = behindOf(state, await nodesIn(kube)).length
  const rows = [state.current, ...state.previous].map(({ cert }, index) => {
    const x509 = new X509Certificate(cert)
    return [nameOf(cert), index === 0 ? 'signs' : 'trusted', day(x509.validFrom), day(x509.validTo), pinOf(x509)]
  })
  const waiting = behind === 0 ? '' : `${haveOld(behind)}\n`
  return table(['AUTHORITY', 'ROLE', 'SINCE', 'UNTIL', 'PIN'], rows) + waiting
}

function haveOld(count: number): string {
  return `${count === 1 ? '1 node still has' : `${count} nodes still have`} a certificate of an earlier authority`
}

function day(text: string): string {
  return new Date(text).toISOString().slice(0, 10)
}

async function rotate({ store, values }: Parts): Promise<string> {
  const spread = spreadOf(values.spread ?? '1h')
  const { previous, current } = await rotateCa(store, { clock: systemClock, spread })
  return [
    `${nameOf(current.cert)} signs from now on; ${previous.map(({ cert }) => nameOf(cert)).join(' and ')} stays trusted`,
    `Nodes renew their certificates within ${formatDuration(spread)}, those that are away when they are back`,
    'See how far that is with cloudcore ca list, and end the trust in what was before with cloudcore ca retire',
    'Join tokens made until now stay good',
    '',
  ].join('\n')
}

function spreadOf(text: string): number {
  try {
    const spread = parseDuration(text)
    if (spread <= longestSpread) return spread
  } catch {
    // Told below, with what would be right.
  }
  throw new UserError(`--spread: found "${text}"; give a duration of up to 30d, such as 1h or 12h; ${hint}`)
}

async function retire({ kube, store, values }: Parts): Promise<string> {
  const { state } = await readCa(store)
  const behind = behindOf(state, await nodesIn(kube)).map(({ node }) => node)
  if (behind.length > 0 && values.force !== true) {
    const some = behind.slice(0, 5).join(', ') + (behind.length > 5 ? ', …' : '')
    throw new UserError(
      `${haveOld(behind.length)} (${some}): wait until they have renewed, or give --force and let them join again`,
    )
  }
  const { current } = await retireCa(store)
  const names = state.previous.map(({ cert }) => nameOf(cert)).join(' and ')
  return `${names} is not trusted any more; only ${nameOf(current.cert)} is\n`
}

async function print({ kube, store }: Parts): Promise<string> {
  const { state } = await readCa(store)
  const trust = await readTrust(kube)
  // What a running cloudcore has published may have roots of other issuers, and be older than the Secret.
  return bundle(rootsOf(state), trust?.roots ?? '')
}

async function crl({ kube, store, values, now }: Parts): Promise<string> {
  const days = Number(values.days ?? '30')
  if (!Number.isInteger(days) || days < 1 || days > 3650) {
    throw new UserError(`--days: found "${values.days}"; give a whole number from 1 to 3650; ${hint}`)
  }
  const { state } = await readCa(store)
  const revoked = (await nodesIn(kube)).flatMap((identity) => countsNoMore(identity, now))
  // Which authority signed which certificate is not recorded: each list names them all.
  const lists = [state.current, ...state.previous].map((authority) => revocationList(authority, { revoked, now, days }))
  return (await Promise.all(lists)).join('')
}

/** The certificates of a node that is revoked or locked, and in any case those of before it joined anew. */
function countsNoMore({ issued, revoked, locked, out = [] }: NodeIdentity, now: number): Revoked[] {
  const since = Date.parse(revoked ?? '') || now
  const isOut = revoked !== undefined || locked !== undefined
  return [...out, ...(isOut ? issued : [])].map(({ serial }) => ({ serial, at: since }))
}

async function nodesIn(kube: Kube): Promise<NodeIdentity[]> {
  const { items } = await kube.list(collectionIn('secrets', home), { labelSelector: `${identityLabel}=node` })
  return items.map(readIdentity).flatMap((read) => (read.ok ? [read.value] : []))
}

/** Nodes whose newest certificate is from before the last rotation, unless it has ended or counts no more. */
function behindOf({ rotated, previous }: CaState, nodes: readonly NodeIdentity[]): NodeIdentity[] {
  if (rotated === undefined || previous.length === 0) return []
  return nodes.filter(({ issued, revoked }) => {
    const newest = Math.max(...issued.map(({ at }) => at))
    return revoked === undefined && issued.length > 0 && newest < rotated.at
  })
}

function nameOf(cert: string): string {
  return new X509Certificate(cert).subject.replace('CN=', '')
}
