import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { type Broker, openBroker } from '@kedge/shared/mqtt-broker'
import type { Client } from 'aedes'
import type { Taken } from './engine.ts'

export interface DeviceBrokerOptions {
  host: string
  port: number
  /** What the engine says to a message of a client. */
  take: (topic: string, payload: Buffer) => Taken
  log: Log
}

/** No packet on the local broker is larger than this, in bytes. */
const maxPacketBytes = 1024 * 1024

/**
 * The MQTT broker of the local devices. A request on a device topic is acknowledged once it is kept: the broker waits in
 * `authorizePublish`, because it sends PUBACK before any later hook. Everything else that clients send each other passes
 * through, except that only edgecore speaks on the topics of its answers, and that there is no QoS 2.
 */
export function openDeviceBroker({ host, port, take, log }: DeviceBrokerOptions): Promise<Broker> {
  return openBroker({
    host,
    port,
    portFlag: '--mqtt-port',
    maxPacketBytes,
    log,
    hooks: {
      authorizePublish: (client, { topic, payload, qos }, done) => {
        const refuse = (why: string) => {
          log.warn({ client: client?.id, topic, reason: why }, 'mqtt client cut off')
          done(new Error(why))
        }
        if (qos === 2) return refuse('QoS 2 is not supported: publish with QoS 1')
        if (topic.startsWith('$SYS/')) return refuse('topics below $SYS/ belong to the broker')
        const taken = take(topic, bytes(payload))
        if (taken === 'not ours') return done(null)
        if (taken === 'not allowed') return refuse('only edgecore publishes on this topic')
        taken.then(
          () => done(null),
          (error: unknown) => refuseLater(client, () => refuse(explain(error))),
        )
      },
    },
  })
}

/** A request that could not be kept ends the connection without PUBACK, but after its answer is on the way. */
function refuseLater(client: Client | null, refuse: () => void): void {
  setTimeout(refuse, client === null ? 0 : 100)
}

function bytes(payload: Buffer | string): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload) : payload
}
