import { createHash, X509Certificate } from 'node:crypto'
import { UserError } from '@kedge/shared/errors'
import * as z from 'zod'
import type { Pair } from './certificates.ts'
import type { HeldCertificate, RenewalWindow } from './issuer.ts'
import { bundle } from './x509.ts'

/**
 * The authority of the link, and those before it. Pure.
 *
 * What always holds: `current` signs everything new. Each of `previous`, newest first, is still trusted, and vouches for
 * `current` by `cross`: whoever knows only one of them can follow the chain that the server shows.
 */
const pair = z.object({ cert: z.string().includes('CERTIFICATE'), key: z.string().includes('PRIVATE KEY') })

export const CaState = z.object({
  v: z.literal(1),
  current: pair,
  previous: z.array(pair.extend({ cross: z.string().includes('CERTIFICATE') })),
  /** The last rotation, and over how long nodes spread their renewals; milliseconds. */
  rotated: z.object({ at: z.number(), spread: z.number() }).optional(),
})
export type CaState = z.infer<typeof CaState>
export type Previous = CaState['previous'][number]

/** More than these and the server's chain grows beyond what small boards should have to read. */
export const mostPrevious = 2

export function firstState(current: Pair): CaState {
  return { v: 1, current, previous: [] }
}

/** Who has to vouch for the next authority, when there are to be no more than `mostPrevious`. Throws a UserError. */
export function vouchers({ current, previous }: CaState): Pair[] {
  if (previous.length >= mostPrevious) {
    throw new UserError(
      `${previous.length} earlier authorities are still trusted: end that with cloudcore ca retire before the next rotation`,
    )
  }
  return [current, ...previous]
}

/** The state with another authority; `crosses` are by those of `vouchers`, in their order. */
export function rotated(
  state: CaState,
  { made, crosses, now, spread }: { made: Pair; crosses: readonly string[]; now: number; spread: number },
): CaState {
  const before = vouchers(state).map((one, index) => {
    const cross = crosses[index]
    if (cross === undefined) throw new Error(`no cross certificate by earlier authority ${index}`)
    return { cert: one.cert, key: one.key, cross }
  })
  return { v: 1, current: made, previous: before, rotated: { at: now, spread } }
}

/** The state in which only the current authority is trusted. */
export function retired({ v, current, rotated: last }: CaState): CaState {
  return { v, current, previous: [], rotated: last }
}

/** The state without earlier authorities that have ended; the same object when there are none. */
export function withoutEnded(state: CaState, now: number): CaState {
  const previous = state.previous.filter(({ cert }) => Date.parse(new X509Certificate(cert).validTo) > now)
  return previous.length === state.previous.length ? state : { ...state, previous }
}

/** PEM: what nodes must trust, the newest first. */
export function rootsOf({ current, previous }: CaState): string {
  return bundle(current.cert, ...previous.map(({ cert }) => cert))
}

/** PEM: what follows the server's certificate, so that those who know any of the roots, or its key alone, find it. */
export function serverChainOf({ current, previous }: CaState): string {
  return bundle(...previous.map(({ cross }) => cross), current.cert, ...previous.map(({ cert }) => cert))
}

/** The part of the spread in which one node draws its moment. */
const slice = 1 / 20

/**
 * When a node whose certificate an earlier authority has signed should renew it. Each node has its own part of the
 * spread, found from its name: the same after any restart, wherever it is asked.
 */
export function windowOf(state: CaState, node: string, held: HeldCertificate): RenewalWindow | undefined {
  if (state.rotated === undefined || state.previous.length === 0) return undefined
  const { at, spread } = state.rotated
  const isEarlier = typeof held === 'string' ? isOfPrevious(state, held) : held.issuedAt < at
  if (!isEarlier) return undefined
  const draw = createHash('sha256').update(`${at} ${node}`).digest().readUInt32BE(0) / 2 ** 32
  const from = Math.round(at + draw * spread * (1 - slice))
  return { from, to: Math.round(from + spread * slice) }
}

function isOfPrevious({ previous }: CaState, leaf: string): boolean {
  const { issuer } = new X509Certificate(leaf)
  return previous.some(({ cert }) => new X509Certificate(cert).subject === issuer)
}
