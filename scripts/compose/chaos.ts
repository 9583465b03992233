import { sleep } from '@kedge/shared/service'
import type { Order } from './gate-control.ts'

/** One spell of weather on the links. */
export interface Spell {
  order: Order
  /** Seconds until the next. */
  seconds: number
  /** For the person who watches. */
  says: string
}

/** What comes round and round. Each fault is followed by enough good weather to see that nothing was lost. */
export const spells: readonly Spell[] = [
  { order: { is: 'open' }, seconds: 20, says: 'good weather' },
  { order: { is: 'cut' }, seconds: 20, says: 'cut: no edge node reaches cloudcore' },
  { order: { is: 'open' }, seconds: 30, says: 'the link is back: nodes reconnect and hand over what they kept' },
  { order: { is: 'slow', ms: 500 }, seconds: 30, says: 'slow: every packet waits half a second' },
  { order: { is: 'open' }, seconds: 20, says: 'good weather' },
  { order: { is: 'break' }, seconds: 20, says: 'restarted: every connection broken once, open at once again' },
  { order: { is: 'stalled' }, seconds: 60, says: 'stalled: connections stand, nothing goes through, nobody is told' },
  { order: { is: 'open' }, seconds: 30, says: 'the link is back: what was held up goes through' },
]

export interface ChaosOptions {
  /** Gives an order to the gate; resolves with how many links stood. */
  tell: (order: Order) => Promise<number>
  say: (text: string) => void
  /** How many times as fast the weather changes; 1 as the spells say. */
  speed: number
  signal: AbortSignal
}

/** Plays the weather until the signal aborts, and leaves the gate open. */
export async function chaos({ tell, say, speed, signal }: ChaosOptions): Promise<void> {
  const order = async ({ order, says }: Pick<Spell, 'order' | 'says'>) => {
    await tell(order).then(
      (links) => say(`${says} (${links} links stood)`),
      // A gate that restarts is bad weather, too, and open when it is back.
      (error: Error) => say(`the gate does not take orders: ${error.message}`),
    )
  }
  for (let at = 0; !signal.aborted; at = (at + 1) % spells.length) {
    const spell = spells[at]
    if (spell === undefined) return
    await order(spell)
    await sleep((spell.seconds * 1000) / speed, signal)
  }
  await order({ order: { is: 'open' }, says: 'over: the gate is open' })
}
