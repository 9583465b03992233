import { randomBytes } from 'node:crypto'
import {
  type EnrolDown,
  type EnrolUp,
  enrolClientId,
  enrolTimeout,
  enrolTopic,
  parseEnrolDown,
} from '@kedge/shared/identity/enrol'
import { MqttSession } from '../link/mqtt-session.ts'
import { type DialOptions, dial } from './dial.ts'

export interface AskOptions extends DialOptions {
  question: EnrolUp
}

/**
 * Asks for a certificate on a connection that may do nothing else, and resolves with the answer, which may be a refusal.
 * Rejects when there is none: `ServerRefused` when the server is not to be trusted, else what the network says.
 */
export async function ask({ question, ...where }: AskOptions): Promise<EnrolDown> {
  const socket = await dial(where)
  const clientId = enrolClientId(randomBytes(8).toString('hex'))
  const { signal } = where
  try {
    return await new Promise((resolve, reject) => {
      const stop = () => reject(new Error('stopped'))
      if (signal.aborted) return stop()
      signal.addEventListener('abort', stop, { once: true })
      const timer = setTimeout(() => reject(new Error('no answer in time')), enrolTimeout)
      const session = new MqttSession(socket, {
        ...{ clientId, keepalive: 30, connectTimeout: enrolTimeout },
        onConnect: () => {
          session.subscribe(enrolTopic(clientId, 'down'), (granted) => {
            if (!granted) return reject(new Error('cloudcore does not let this board enrol'))
            session.publish(enrolTopic(clientId, 'up'), JSON.stringify(question))
          })
        },
        onMessage: (payload) => {
          const parsed = parseEnrolDown(payload)
          if (parsed.ok) resolve(parsed.message)
          else reject(new Error(`the answer cannot be read: ${parsed.reason}`))
        },
        onClose: ({ reason }) => {
          clearTimeout(timer)
          signal.removeEventListener('abort', stop)
          reject(new Error(`no answer from cloudcore: ${reason}`))
        },
      })
    })
  } finally {
    socket.destroy()
  }
}
