import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Aedes, AedesPublishPacket } from 'aedes'
import type { Publication, TopicMessage, TopicSource } from './topics.ts'

/** What is used of the broker's store of retained messages; the types leave it out. */
interface Retained {
  createRetainedStream(filter: string): AsyncIterable<AedesPublishPacket>
}

/** The embedded broker as drivers see it: in the same process, no connection. */
export function embeddedTopics(aedes: Aedes, log: Log): TopicSource {
  const { createRetainedStream } = boundRetained(aedes)
  const retained = (filter: string, deliver: (message: TopicMessage) => void) => {
    const read = async () => {
      for await (const packet of createRetainedStream(filter)) deliver(messageOf(packet, true))
    }
    read().catch((error: unknown) => log.warn({ filter, reason: explain(error) }, 'retained messages not read'))
  }
  return {
    retained,
    open: (filter, deliver) => {
      const hear = (packet: AedesPublishPacket, done: () => void) => {
        // First, so that no listener holds up the broker.
        done()
        deliver(messageOf(packet, false))
      }
      // What is published in between comes twice, which does less harm than never.
      aedes.subscribe(filter, hear, () => retained(filter, deliver))
      return () => aedes.unsubscribe(filter, hear, () => undefined)
    },
    publish: ({ topic, payload, qos = 1, retain = false }: Publication) =>
      new Promise((resolve, reject) => {
        const packet = { cmd: 'publish', topic, payload: Buffer.from(payload), qos, retain, dup: false } as const
        aedes.publish(packet, (error) => (error ? reject(error) : resolve()))
      }),
  }
}

function boundRetained(aedes: Aedes): Retained {
  const { persistence } = aedes as unknown as { persistence: Retained }
  return { createRetainedStream: (filter) => persistence.createRetainedStream(filter) }
}

function messageOf({ topic, payload }: AedesPublishPacket, retained: boolean): TopicMessage {
  return { topic, payload: typeof payload === 'string' ? Buffer.from(payload) : payload, retained }
}
