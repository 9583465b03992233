import { isEnrolClientId, maxEnrolBytes } from '@kedge/shared/identity/enrol'
import type { Log } from '@kedge/shared/log'
import { type Broker, openBroker } from '@kedge/shared/mqtt-broker'
import type { Service } from '@kedge/shared/service'
import { sourceOf } from '@kedge/shared/source-address'
import type { Client } from 'aedes'
import type { Door } from './door.ts'
import { Enrolling } from './enrolling.ts'
import type { TurnedAway } from './turned-away.ts'

export interface EnrolPortOptions {
  host: string
  port: number
  door: Door
  turnedAway: TurnedAway
  log: Log
}

const identifierRejected = 2
const connectTimeout = 10_000
const halfOpen = { total: 2048, perSource: 1024 }

/** Where boards join and expired nodes renew while another broker carries the link: nothing else is done here. */
export class EnrolPort implements Service {
  readonly #broker: Broker
  readonly #enrolling: Enrolling
  readonly #unsubscribe: () => void

  private constructor(broker: Broker, enrolling: Enrolling, door: Door) {
    this.#broker = broker
    this.#enrolling = enrolling
    this.#unsubscribe = door.onTls(() => broker.setSecureContext(door.tls()))
  }

  static async open({ host, port, door, turnedAway, log }: EnrolPortOptions): Promise<EnrolPort> {
    const enrolling = new Enrolling({ door, turnedAway })
    const arrive = ({ id, conn, clean }: Client) => {
      if (isEnrolClientId(id) && clean) return undefined
      const source = sourceOf((conn as { remoteAddress?: string }).remoteAddress)
      const reason = 'the link is at another broker; here boards only join'
      turnedAway.tell('client-id', source, 'connection refused', { client: id.slice(0, 253), source, reason })
      return Object.assign(new Error(reason), { returnCode: identifierRejected })
    }
    const broker = await openBroker({
      ...{ host, port, portFlag: '--link-port', maxPacketBytes: maxEnrolBytes + 1024, connectTimeout, halfOpen, log },
      tls: door.tls(),
      onTurnedAway: (source, why, reason) => turnedAway.tell(why, source, 'connection refused', { source, reason }),
      hooks: {
        authenticate: (client, _user, _password, done) => {
          const refused = arrive(client)
          if (refused !== undefined) return done(refused, false)
          enrolling.begin(client)
          done(null, true)
        },
        authorizePublish: (client, packet, done) => {
          // The broker's own messages have no client.
          if (client === null) return done()
          enrolling.publish(client, packet, done)
        },
        authorizeSubscribe: (client, subscription, done) => {
          done(null, client !== null && enrolling.maySubscribe(client, subscription.topic) ? subscription : null)
        },
      },
    })
    return new EnrolPort(broker, enrolling, door)
  }

  get port(): number {
    return this.#broker.port
  }

  /** Connections that enrol at the moment. */
  get size(): number {
    return this.#enrolling.size
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
    this.#enrolling.stop()
    await this.#broker.stop()
  }
}
