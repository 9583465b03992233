import type { Aedes, Client } from 'aedes'

interface Packet {
  brokerCounter: number
}

/** What aedes keeps to itself: the emitter of packets, and the newest packet that each client got. */
interface Inside {
  mq: { emit(packet: Packet, done?: () => void): unknown }
}
interface ClientInside {
  duplicates: Record<string, number>
}

/**
 * Makes aedes forward each packet to a client once, and every packet. By itself it takes any packet for a duplicate that
 * is numbered below the newest one delivered. But packets are numbered when they come and overtake each other on their
 * way: one of QoS 0 or without retain goes ahead of one of QoS 1 or with retain. So a client that gets both kinds loses
 * messages. What is to be kept out is only the same packet by way of a second subscription, and that comes while
 * the packet is being emitted.
 */
export function deliverOnce(aedes: Aedes): void {
  const { mq } = aedes as unknown as Inside
  const emit = mq.emit.bind(mq)
  let emitting = 0
  mq.emit = (packet, done) => {
    emitting = packet.brokerCounter
    return emit(packet, done)
  }
  aedes.on('client', (client: Client) => {
    let delivered = 0
    Object.defineProperty((client as unknown as ClientInside).duplicates, aedes.id, {
      // aedes delivers what is numbered above this.
      get: () => (delivered === emitting ? emitting : 0),
      set: (counter: number) => {
        delivered = counter
      },
    })
  })
}
