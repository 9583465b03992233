import { timingSafeEqual } from 'node:crypto'
import { delay } from '@kedge/shared/backoff'
import { explain } from '@kedge/shared/errors'
import type { Driver, DriverDevice, DriverHost, RunningDevice } from '../driver.ts'
import { collectCycles, Poller } from '../poller.ts'
import { read, Said } from '../values.ts'
import type { Webhook, WebhookAnswer, WebhookCall } from '../webhooks.ts'
import { Hopeless, Writes } from '../writes.ts'
import { commandRequest, type HttpConfig, type HttpProperty, httpConfig } from './config.ts'
import { ask, HttpStatus, type Request } from './request.ts'

/** Devices that speak HTTP: they are asked, or they call by themselves. */
export const httpDriver: Driver = {
  protocols: ['http'],
  start: async (device, host) => {
    const config = httpConfig(device, (field) => host.tell('UnknownField', `${field} is not known and ignored`))
    const running = new HttpDevice(device, host, config)
    await running.listen()
    return running
  },
}

/** What to wait after requests that failed, in milliseconds. */
const backoff = { base: 1000, cap: 60_000 }
/** A call is answered after this time at the latest, in milliseconds, also where a `reportCycle` holds its values back. */
const callPatience = 10_000

class HttpDevice implements RunningDevice {
  readonly #host: DriverHost
  readonly #config: HttpConfig
  readonly #poller: Poller
  readonly #writes: Writes
  readonly #desired: Map<string, string>
  readonly #reported: Map<string, string>
  readonly #stop = new AbortController()
  #webhook: Webhook | undefined
  #online = false
  #attempt = 0

  constructor(device: DriverDevice, host: DriverHost, config: HttpConfig) {
    this.#host = host
    this.#config = config
    this.#desired = new Map(device.desired)
    this.#reported = new Map(device.reported)
    const { clock, random } = host
    const asked = [...config.properties.values()].filter(({ request }) => request !== undefined)
    const cycles = collectCycles(
      device,
      asked.map(({ name }) => name),
      host,
    )
    this.#poller = new Poller({ cycles, poll: (due) => this.#poll(due), clock, random })
    this.#writes = new Writes({ write: (property, value) => this.#write(property, value), failed: host.failed, random })
    this.#poller.start()
    // One that is never asked cannot be waited for.
    if (asked.length === 0) this.#writes.put(this.#missing())
  }

  /** Opens the webhook, where the device has one. */
  async listen(): Promise<void> {
    const { webhook } = this.#config
    if (webhook === undefined) return
    this.#webhook = await this.#host.webhooks.open(webhook.path, (call) => this.#called(call))
    this.#host.log.info({ path: webhook.path, port: this.#webhook.port }, 'webhook open')
  }

  desired(changes: Readonly<Record<string, string>>): void {
    for (const [property, value] of Object.entries(changes)) {
      if (value === '') this.#desired.delete(property)
      else this.#desired.set(property, value)
    }
    this.#writes.put(changes)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all([this.#webhook?.close(), this.#poller.stop(), this.#writes.stop()])
  }

  async #poll(due: readonly string[]): Promise<void> {
    try {
      for (const [request, properties] of this.#requestsFor(due)) {
        this.#report(this.#valuesIn(await ask(request, this.#stop.signal), properties, new URL(request.url).pathname))
      }
      this.#attempt = 0
      this.#say('online')
    } catch (error) {
      if (this.#stop.signal.aborted) return
      this.#host.failed(explain(error))
      this.#say(error instanceof HttpStatus ? 'unhealthy' : 'offline')
      this.#poller.pause(delay(this.#attempt++, backoff, this.#host.random()))
    }
  }

  /** Properties that lie in the same answer share one request. */
  #requestsFor(due: readonly string[]): [Request, HttpProperty[]][] {
    const requests = new Map<string, [Request, HttpProperty[]]>()
    for (const name of due) {
      const property = this.#config.properties.get(name)
      if (property?.request === undefined) continue
      const key = JSON.stringify(property.request)
      const [, sharing] = requests.get(key) ?? [property.request, []]
      requests.set(key, [property.request, [...sharing, property]])
    }
    return [...requests.values()]
  }

  /** What a text says of these properties; what cannot be read is told. */
  #valuesIn(text: string, properties: Iterable<HttpProperty>, where: string): Record<string, string> {
    const said = new Said(text)
    const values: Record<string, string> = {}
    for (const { name, reader } of properties) {
      try {
        const value = read(said, reader)
        if (value !== undefined) values[name] = value
      } catch (error) {
        this.#host.failed(`property ${name}: ${where}: ${explain(error)}`)
      }
    }
    return values
  }

  #report(values: Readonly<Record<string, string>>): void {
    this.#remember(values)
    this.#host.report(values).catch((error: unknown) => this.#host.failed(explain(error)))
  }

  #remember(values: Readonly<Record<string, string>>): void {
    for (const [property, value] of Object.entries(values)) this.#reported.set(property, value)
  }

  /** A call of the device. It is answered once its values are kept. */
  async #called({ headers, query, body, method }: WebhookCall): Promise<WebhookAnswer> {
    const { token = '' } = this.#config.webhook ?? {}
    const given = headers.authorization?.replace(/^Bearer /i, '') ?? query.get('token') ?? ''
    if (token === '' || !same(given, token)) return { status: 401, text: 'the token is missing or wrong' }
    const asked = Object.fromEntries([...query].filter(([name]) => name !== 'token'))
    const text = method === 'GET' ? JSON.stringify(asked) : body.toString('utf8')
    const values = this.#valuesIn(text, this.#config.properties.values(), 'webhook')
    if (Object.keys(values).length === 0) {
      return { status: 422, text: `nothing in it is a property: ${[...this.#config.properties.keys()].join(', ')}` }
    }
    this.#remember(values)
    this.#say('online')
    return answerOf(this.#host.report(values))
  }

  #say(state: 'online' | 'offline' | 'unhealthy'): void {
    const back = state === 'online' && !this.#online
    this.#online = state === 'online'
    this.#host.state(state).catch((error: unknown) => this.#host.failed(explain(error)))
    // What was desired while it was away, or before edgecore ran.
    if (back) this.#writes.put(this.#missing())
  }

  #missing(): Record<string, string> {
    const open = [...this.#desired].filter(([name, value]) => value !== this.#reported.get(name))
    return Object.fromEntries(open.filter(([name]) => this.#config.properties.get(name)?.command !== undefined))
  }

  async #write(name: string, value: string): Promise<void> {
    const property = this.#config.properties.get(name)
    let request: Request
    try {
      if (property === undefined) throw new Error('the property has no visitors.configData')
      request = commandRequest(property, value, this.#config)
    } catch (error) {
      throw new Hopeless(explain(error))
    }
    try {
      await ask(request, this.#stop.signal)
    } catch (error) {
      // 4xx says that it is the request that is wrong, except where it says later.
      const final = error instanceof HttpStatus && error.status >= 400 && error.status < 500
      throw final && error.status !== 408 && error.status !== 429 ? new Hopeless(explain(error)) : error
    }
    if (property?.request !== undefined) this.#poller.soon([name])
    // Nobody will ever report it.
    else if (this.#config.webhook === undefined) this.#report({ [name]: value })
  }
}

async function answerOf(kept: Promise<void>): Promise<WebhookAnswer> {
  let timer: NodeJS.Timeout | undefined
  const later = new Promise<WebhookAnswer>((resolve) => {
    timer = setTimeout(() => resolve({ status: 202, text: 'taken, not kept yet' }), callPatience)
  })
  const answered = kept.then(
    (): WebhookAnswer => ({ status: 204 }),
    (error: unknown): WebhookAnswer => ({ status: 422, text: explain(error) }),
  )
  const answer = await Promise.race([answered, later])
  clearTimeout(timer)
  return answer
}

/** Compares in a time that does not tell how much of it is right. */
function same(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}
