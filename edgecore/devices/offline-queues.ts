import type { Log } from '@kedge/shared/log'

import type { Memory } from './sessions.ts'

/**
 * Bounds what the broker keeps for clients that are away: the oldest message makes room for the newest. aedes itself
 * keeps all of them, until memory is full.
 */
export function capOfflineQueues(
  queues: Pick<Memory, 'outgoingEnqueueCombi' | 'outgoingClearMessageId'>,
  max: number,
  log: Log,
): void {
  const kept = new Map<string, number>()
  const enqueue = queues.outgoingEnqueueCombi.bind(queues)
  const clear = queues.outgoingClearMessageId.bind(queues)
  const removed = (clientId: string) => {
    const left = (kept.get(clientId) ?? 0) - 1
    if (left > 0) kept.set(clientId, left)
    else kept.delete(clientId)
  }
  queues.outgoingClearMessageId = async (client, packet) => {
    const cleared = await clear(client, packet)
    if (cleared !== undefined) removed(client.id)
    return cleared
  }
  queues.outgoingEnqueueCombi = async (subscriptions, packet) => {
    for (const { clientId } of subscriptions) {
      const count = kept.get(clientId) ?? 0
      if (count === max) log.warn({ client: clientId, kept: max }, 'mqtt queue full, oldest dropped')
      // What was never sent has no message id yet: this finds the oldest of those.
      if (count >= max && (await clear({ id: clientId }, { messageId: undefined })) !== undefined) removed(clientId)
      kept.set(clientId, (kept.get(clientId) ?? 0) + 1)
    }
    return enqueue(subscriptions, packet)
  }
}
