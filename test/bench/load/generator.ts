import { setTimeout as pause } from 'node:timers/promises'
import { percentile } from '../harness.ts'
import { deviceTopic, report } from '../support/manifests.ts'
import { RawClient } from '../support/raw-mqtt.ts'
import { type LoadPlan, type LoadResult, reportedValue } from './plan.ts'

/** How long to wait for answers after the last update. */
const patience = 20_000

/** One device that reports: every update has the next number as its value and its event id. */
class Device {
  readonly name: string
  readonly #topic: string
  readonly #startedAt: number[] = []
  readonly samples: number[] = []
  #client: RawClient | undefined
  #highest = -1
  refused = 0
  outOfOrder = 0
  /** Called after each answer. */
  onAnswer: () => void = () => {}

  constructor(name: string) {
    this.name = name
    this.#topic = deviceTopic(name, 'twin/update')
  }

  async connect(port: number): Promise<void> {
    const onMessage = (_topic: string, payload: Buffer) => this.#answer(payload)
    this.#client = await RawClient.connect({ port, clientId: `load-${this.name}`, onMessage })
    await this.#client.subscribe(`${this.#topic}/result`)
  }

  get sent(): number {
    return this.#startedAt.length
  }

  get waiting(): number {
    return this.sent - this.samples.length
  }

  /** In milliseconds since the epoch. */
  get times(): number[] {
    return this.#startedAt.map((at) => performance.timeOrigin + at)
  }

  get lastValue(): string {
    return reportedValue(this.sent - 1)
  }

  /** Sends the next update, whose latency counts from `from`. */
  send(from: number): void {
    const number = this.sent
    this.#startedAt.push(from)
    this.#client?.publish(this.#topic, report(reportedValue(number), String(number)))
  }

  close(): void {
    this.#client?.close()
  }

  #answer(payload: Buffer): void {
    const { event_id, code } = JSON.parse(payload.toString()) as { event_id: string; code?: number }
    const number = Number(event_id)
    this.samples.push(performance.now() - (this.#startedAt[number] ?? Number.NaN))
    if (code !== undefined) this.refused++
    if (number < this.#highest) this.outOfOrder++
    this.#highest = Math.max(this.#highest, number)
    this.onAnswer()
  }
}

async function run(plan: LoadPlan): Promise<LoadResult> {
  const devices = plan.devices.map((name) => new Device(name))
  await Promise.all(devices.map((device) => device.connect(plan.port)))
  const started = performance.now()
  const until = started + plan.forMs
  let lastAnswer = started
  const noted = devices.map((device) => {
    device.onAnswer = () => {
      lastAnswer = performance.now()
    }
    return device
  })
  if (plan.perSecond === undefined) for (const device of noted) fill(device, plan, until)
  else await Promise.all(noted.map((device) => paced(device, plan, until)))
  const deadline = until + patience
  const isOver = () =>
    (performance.now() >= until || devices.every(({ sent }) => sent === plan.atMost)) &&
    devices.every(({ waiting }) => waiting === 0)
  while (!isOver() && performance.now() < deadline) await pause(5)
  for (const device of devices) device.close()
  const result = resultOf(devices, lastAnswer - started)
  return plan.times ? { ...result, times: Object.fromEntries(devices.map(({ name, times }) => [name, times])) } : result
}

/** Keeps `inFlight` updates on their way: each answer lets the next one go. */
function fill(device: Device, { inFlight, atMost = Number.POSITIVE_INFINITY }: LoadPlan, until: number): void {
  const note = device.onAnswer
  const more = () => {
    const now = performance.now()
    while (now < until && device.waiting < inFlight && device.sent < atMost) device.send(performance.now())
  }
  device.onAnswer = () => {
    note()
    more()
  }
  more()
}

/** Sends when it is time, whatever has been answered; a late one counts from when it was due. */
async function paced(device: Device, { perSecond = 1 }: LoadPlan, until: number): Promise<void> {
  const period = 1000 / perSecond
  let due = performance.now() + Math.random() * period
  while (due < until) {
    await pause(Math.max(0, due - performance.now()))
    for (; due <= performance.now() && due < until; due += period) device.send(due)
  }
}

function resultOf(devices: readonly Device[], ms: number): LoadResult {
  const sum = (of: (device: Device) => number) => devices.reduce((total, device) => total + of(device), 0)
  const samples = devices.flatMap((device) => device.samples)
  return {
    sent: sum(({ sent }) => sent),
    answered: samples.length,
    refused: sum(({ refused }) => refused),
    outOfOrder: sum(({ outOfOrder }) => outOfOrder),
    ms,
    p50: percentile(samples, 0.5),
    p99: percentile(samples, 0.99),
    last: Object.fromEntries(devices.map(({ name, lastValue }) => [name, lastValue])),
  }
}

process.once('message', (plan) => {
  run(plan as LoadPlan).then(
    (result) => process.send?.(result, () => process.disconnect()),
    (error: unknown) => {
      process.stderr.write(`load generator: ${error instanceof Error ? error.stack : error}\n`)
      process.exit(1)
    },
  )
})
