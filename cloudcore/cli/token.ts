import { randomBytes, randomInt } from 'node:crypto'
import { systemClock } from '@kedge/shared/clock'
import { commandLine } from '@kedge/shared/command-line'
import { formatDuration, parseDuration } from '@kedge/shared/duration'
import { explain, UserError } from '@kedge/shared/errors'
import { formatToken } from '@kedge/shared/identity/token'
import { silentLog } from '@kedge/shared/log'
import { age, table } from '@kedge/shared/table'
import { isNodeName } from '@kedge/shared/topics'
import { createAtHome, home, readTrust, secretPath } from '../identity/home.ts'
import { hashOf, identityLabel, readToken, type TokenRecord, tokenName, tokenSecret } from '../identity/records.ts'
import { Registry } from '../identity/registry.ts'
import type { Kube } from '../kube/api.ts'
import { collectionIn } from '../kube/paths.ts'
import { accessHelp, accessOptions, type KubeAround, withKube } from './kube-access.ts'

const help = `Usage: cloudcore token create [--node NAME] [--ttl 24h] [--uses 1] [flags]
       cloudcore token list [flags]
       cloudcore token revoke ID [flags]

A join token lets a board have its first certificate. create prints the command to run on the board, with the token,
which is shown this once; whoever has it can join in place of that board. Tokens are Secrets join-token-<id> in the
namespace ${home}, without what would be needed to use them.

      --node NAME        Good for this node alone. Needed for a name that a board has had before
      --ttl DURATION     How long it is good for (default: 24h)
      --uses COUNT       How many boards may join with it (default: 1)
      --address HOST:PORT  Where the board connects to, if not where cloudcore says (--link-names)
${accessHelp}`

const options = {
  ...accessOptions,
  node: { type: 'string' },
  ttl: { type: 'string' },
  uses: { type: 'string' },
  address: { type: 'string' },
} as const

const hint = 'cloudcore token --help lists all flags'
const mostUses = 10_000
const longestTtl = 365 * 24 * 3_600_000
/** Tokens that have been of no use for so long are swept away, in milliseconds. */
const sweepAfter = 7 * 24 * 3_600_000

/** `cloudcore token …`, `argv` being what follows the word. Returns what to say; throws a UserError. */
export async function tokenCommand(argv: readonly string[], around: KubeAround): Promise<string> {
  const { values, positionals } = commandLine('cloudcore token', argv, options)
  if (values.help === true) return help
  const [word, ...rest] = positionals
  if (word === 'create' && rest.length === 0) {
    const wish = wishOf(values)
    return withKube(values, around.env, (kube) => create(kube, wish, around))
  }
  if (word === 'list' && rest.length === 0) return withKube(values, around.env, (kube) => list(kube, around.now))
  const [id] = rest
  if (word === 'revoke' && id !== undefined && rest.length === 1) {
    return withKube(values, around.env, (kube) => revoke(kube, id))
  }
  const found = ['token', ...positionals].join(' ')
  throw new UserError(`found "${found}"; the commands are: cloudcore token create, list, and revoke ID; ${hint}`)
}

interface Wish {
  node: string | undefined
  ttl: number
  uses: number
  address: string | undefined
}

function wishOf({ node, ttl = '24h', uses = '1', address }: Record<string, unknown>): Wish {
  if (node !== undefined && !isNodeName(String(node))) {
    const right = 'a DNS-1123 name: lower-case letters, digits, - and .'
    throw new UserError(`--node: found "${node}"; give ${right}; ${hint}`)
  }
  const count = Number(uses)
  if (!/^\d+$/.test(String(uses)) || count < 1 || count > mostUses) {
    throw new UserError(`--uses: found "${uses}"; give a number from 1 to ${mostUses}; ${hint}`)
  }
  if (node !== undefined && count > 1) {
    throw new UserError(`--uses: found ${count} together with --node; a name is for one board: leave one of them out`)
  }
  return { node: node as string | undefined, ttl: ttlOf(String(ttl)), uses: count, address: address as string }
}

function ttlOf(text: string): number {
  const right = `give a duration such as 1h or 24h, at most ${formatDuration(longestTtl)}`
  try {
    const ttl = parseDuration(text)
    if (ttl > 0 && ttl <= longestTtl) return ttl
  } catch {
    // Told below.
  }
  throw new UserError(`--ttl: found "${text}"; ${right}; ${hint}`)
}

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'

async function create(kube: Kube, wish: Wish, { now, note }: KubeAround): Promise<string> {
  const trust = await readTrust(kube)
  if (trust === undefined) {
    throw new UserError(
      'no cloudcore has said yet where boards are to connect to: start one, without --link-plain, and try again',
    )
  }
  const id = Array.from({ length: 10 }, () => letters[randomInt(letters.length)]).join('')
  const secret = randomBytes(16).toString('base64url')
  const { node, ttl, uses } = wish
  const record: TokenRecord = {
    ...{ id, hash: hashOf(secret), left: uses, made: now, expires: now + ttl, used: [] },
    ...(node === undefined ? {} : { node }),
  }
  await createAtHome(kube, 'secrets', tokenSecret(record, home))
  await sweep(kube, now)
  const boards = uses === 1 ? 'one board' : `${uses} boards`
  note(`run this on the board; the token is good for ${boards}, for ${formatDuration(ttl)}, and is not shown again`)
  const token = formatToken({ id, secret, pin: trust.pin })
  const named = node === undefined ? '' : ` --node-name ${node}`
  return `edgecore join mqtts://${wish.address ?? trust.address} --token ${token}${named}\n`
}

async function all(kube: Kube): Promise<TokenRecord[]> {
  const { items } = await kube.list(collectionIn('secrets', home), { labelSelector: `${identityLabel}=token` })
  return items.flatMap((secret) => {
    const read = readToken(secret)
    return read.ok ? [read.value] : []
  })
}

/** What nobody can use any more goes. It is no harm when that fails. */
async function sweep(kube: Kube, now: number): Promise<void> {
  const old = (await all(kube)).filter(({ expires }) => expires + sweepAfter < now)
  await Promise.all(old.map(({ id }) => kube.delete(secretPath(tokenName(id))).catch(() => {})))
}

async function list(kube: Kube, now: number): Promise<string> {
  const tokens = (await all(kube)).sort((a, b) => a.made - b.made)
  const rows = tokens.map((token) => [
    token.id,
    token.node ?? 'any',
    stateOf(token, now),
    `${token.left}`,
    token.expires > now ? `in ${age(token.expires - now)}` : `${age(now - token.expires)} ago`,
    token.used.map(({ node }) => node).join(' ') || '-',
  ])
  return table(['ID', 'NODE', 'STATE', 'LEFT', 'EXPIRES', 'JOINED'], rows)
}

function stateOf({ revoked, expires, left }: TokenRecord, now: number): string {
  if (revoked) return 'revoked'
  if (expires <= now) return 'expired'
  return left === 0 ? 'spent' : 'good'
}

async function revoke(kube: Kube, id: string): Promise<string> {
  if (!/^[a-z0-9]{10}$/.test(id)) {
    // Somebody may have given the whole token, which is a secret.
    throw new UserError(
      `a token's id is 10 letters and digits, the part behind "kedge1."; cloudcore token list has them`,
    )
  }
  const registry = new Registry({ kube, clock: systemClock, log: silentLog })
  await registry.load('token', id)
  const changed = await registry
    .changeToken<undefined>(id, (record) =>
      record === undefined ? { is: 'leave', answer: undefined } : { is: 'write', record: { ...record, revoked: true } },
    )
    .catch((error: unknown) => {
      throw new UserError(`token ${id}: ${explain(error)}`, { cause: error })
    })
  if (changed.is === 'left') throw new UserError(`there is no token ${id}; cloudcore token list names all`)
  const joined = changed.record.used.map(({ node }) => node)
  const names = joined.length === 0 ? 'nobody has joined with it' : `${joined.join(', ')} joined with it and stay`
  return `token ${id} is revoked; ${names}\n`
}
