import type { PushMethod } from '@kedge/shared/push-method'
import type * as z from 'zod'

/** Where a value goes besides the twin. */
export type Target =
  | { is: 'http'; url: string /** Milliseconds. */; timeout: number }
  | { is: 'mqtt'; url: string; topic: string; qos: 0 | 1 | 2; retain: boolean }

/** A reported value on its way to a target. */
export interface Pushed {
  namespace: string
  name: string
  property: string
  value: string
  /** The twin type. */
  type: string
  /** Milliseconds since the epoch. */
  at: number
}

const defaultTimeout = 10_000
const maxTimeout = 300_000

/** The targets that a `pushMethod` of KubeEdge names, and what of it cannot be done, each with what would be right. */
export function targetsOf(method: z.infer<typeof PushMethod>): { targets: Target[]; faults: string[] } {
  const targets: Target[] = []
  const faults: string[] = []
  const take = (target: Target | string) =>
    typeof target === 'string' ? void faults.push(target) : void targets.push(target)
  if (method.http) take(httpTarget(method.http))
  if (method.mqtt) take(mqttTarget(method.mqtt))
  const unable = (['otel', 'dbMethod', 'anomalyDetection'] as const).filter((word) => method[word] !== undefined)
  if (unable.length > 0)
    faults.push(`${unable.join(', ')}: done by a mapper alone; without one use pushMethod.http or pushMethod.mqtt`)
  return { targets, faults }
}

type Http = NonNullable<z.infer<typeof PushMethod>['http']>
type Mqtt = NonNullable<z.infer<typeof PushMethod>['mqtt']>

/** KubeEdge's `hostName` may have a scheme, for instance http://127.0.0.1. */
function httpTarget({ hostName = '', port, requestPath = '', timeout }: Http): Target | string {
  const origin = /^https?:\/\//.test(hostName) ? hostName : `http://${hostName}`
  const path = requestPath === '' || requestPath.startsWith('/') ? requestPath : `/${requestPath}`
  const url = urlOf(`${origin.replace(/\/$/, '')}${port === undefined ? '' : `:${port}`}${path}`)
  if (hostName === '' || url === undefined) return `http: no URL of hostName "${hostName}" and port ${port ?? 'none'}`
  const given = timeout !== undefined && timeout > 0 ? Math.min(timeout, maxTimeout) : defaultTimeout
  return { is: 'http', url, timeout: given }
}

/** The schemes of KubeEdge's MQTT clients. */
const schemes: Record<string, string> = { tcp: 'mqtt', mqtt: 'mqtt', ssl: 'mqtts', tls: 'mqtts', mqtts: 'mqtts' }

function mqttTarget({ address = '', topic = '', qos = 0, retained = false }: Mqtt): Target | string {
  const [, given = 'tcp', host = ''] = /^(?:(\w+):\/\/)?(.*)$/.exec(address) ?? []
  const scheme = schemes[given]
  if (scheme === undefined || host === '') return `mqtt.address: found "${address}", tcp://HOST:PORT is needed`
  const url = urlOf(`${scheme}://${host}`)
  if (url === undefined) return `mqtt.address: found "${address}", tcp://HOST:PORT is needed`
  if (topic === '' || /[+#]/.test(topic)) return `mqtt.topic: found "${topic}", a topic without + and # is needed`
  if (qos !== 0 && qos !== 1 && qos !== 2) return `mqtt.qos: found ${qos}, 0, 1 or 2 is needed`
  return { is: 'mqtt', url, topic, qos, retain: retained }
}

function urlOf(text: string): string | undefined {
  return URL.canParse(text) ? new URL(text).href : undefined
}

/** The body of a POST: `<property>=<value>&time=…` as KubeEdge's mappers send it, and of which device it is. */
export function formOf({ namespace, name, property, value, at }: Pushed): string {
  const form = new URLSearchParams([
    [property, value],
    ['time', localTime(at)],
    ['timestamp', `${at}`],
    ['device', `${namespace}/${name}`],
  ])
  return form.toString()
}

function localTime(at: number): string {
  const date = new Date(at)
  const two = (number: number) => `${number}`.padStart(2, '0')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`
}

/** The payload of a message: as KubeEdge's mappers publish data for third parties, and of which device it is. */
export function payloadOf({ namespace, name, property, value, type, at }: Pushed, id: number): string {
  const data = { [property]: { value, metadata: { timestamp: at, type } } }
  return JSON.stringify({ event_id: `${id}`, timestamp: at, device: `${namespace}/${name}`, data })
}
