import type { Clock } from '@kedge/shared/clock'
import { UserError } from '@kedge/shared/errors'
import { nextAuthority } from './built-in.ts'
import type { CaStore, Kept } from './ca-store.ts'
import { crossSign } from './certificates.ts'
import { type CaState, retired, rotated, vouchers, withoutEnded } from './rotation.ts'

/**
 * Gives the link another authority: written in one piece, with all that those who know only the earlier ones need.
 * `spread`: milliseconds over which nodes spread their renewals. Throws a UserError.
 */
export async function rotateCa(store: CaStore, { clock, spread }: { clock: Clock; spread: number }): Promise<CaState> {
  const now = clock.now()
  const { state: found, version } = await readCa(store)
  const state = withoutEnded(found, now)
  const by = vouchers(state)
  const made = await nextAuthority(now)
  const crosses = await Promise.all(by.map((one) => crossSign(one, made, now)))
  return write(store, rotated(state, { made, crosses, now, spread }), version)
}

/** Ends the trust in all earlier authorities. Throws a UserError when there is none. */
export async function retireCa(store: CaStore): Promise<CaState> {
  const { state, version } = await readCa(store)
  if (state.previous.length === 0) {
    throw new UserError(
      'no earlier authority is trusted: there is nothing to retire; cloudcore ca rotate makes a new one',
    )
  }
  return write(store, retired(state), version)
}

/** Throws a UserError when there is no authority yet. */
export async function readCa(store: CaStore): Promise<Kept> {
  const kept = await store.read()
  if (kept === undefined) throw new UserError('there is no authority yet: cloudcore makes it when it starts')
  return kept
}

async function write(store: CaStore, state: CaState, version: string): Promise<CaState> {
  if ((await store.write(state, version)) !== undefined) return state
  throw new UserError('the authority was changed by somebody else meanwhile: look at cloudcore ca list, then try again')
}
