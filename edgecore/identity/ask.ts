import { randomBytes } from 'node:crypto'
import { explain } from '@kedge/shared/errors'
import {
  type EnrolDown,
  type EnrolUp,
  enrolClientId,
  enrolTimeout,
  enrolTopic,
  parseEnrolDown,
} from '@kedge/shared/identity/enrol'
import { MqttClient } from 'mqtt'
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
  const client = new MqttClient(() => socket, {
    ...{ clientId, clean: true, reconnectPeriod: 0, resubscribe: false, protocolVersion: 4, keepalive: 30 },
    connectTimeout: enrolTimeout,
  })
  const { signal } = where
  try {
    return await new Promise((resolve, reject) => {
      const stop = () => reject(new Error('stopped'))
      if (signal.aborted) return stop()
      signal.addEventListener('abort', stop, { once: true })
      const timer = setTimeout(() => reject(new Error('no answer in time')), enrolTimeout)
      client.on('close', () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', stop)
        reject(new Error('cloudcore closed the connection without an answer'))
      })
      client.on('error', (error) => reject(new Error('enrol', { cause: error })))
      client.on('message', (_topic, payload) => {
        const parsed = parseEnrolDown(payload)
        if (parsed.ok) resolve(parsed.message)
        else reject(new Error(`the answer cannot be read: ${parsed.reason}`))
      })
      client.on('connect', () => {
        client.subscribe(enrolTopic(clientId, 'down'), { qos: 1 }, (error, granted) => {
          if (error || granted?.some(({ qos }) => Number(qos) === 0x80)) {
            return reject(new Error(`cloudcore does not let this board enrol${error ? `: ${explain(error)}` : ''}`))
          }
          client.publish(enrolTopic(clientId, 'up'), JSON.stringify(question), { qos: 1 })
        })
      })
    })
  } finally {
    client.end(true)
    socket.destroy()
  }
}
