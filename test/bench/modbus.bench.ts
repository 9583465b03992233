import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { KubeObject } from '@kedge/shared/objects'
import { type BenchContext, memoryOf, processorSeconds, settledMemory } from './harness.ts'
import type { Counts, Order, Told } from './modbus/plan.ts'
import { type Edge, System } from './support/system.ts'

export const name = 'modbus'

const registers = 10

/** Devices that speak Modbus TCP, each with a server of its own, polled once a second. */
export async function run(context: BenchContext): Promise<void> {
  const count = context.quick ? 50 : 500
  await System.run(async (system) => {
    const edge = await system.edge('edge-1')
    await edge.up()
    const before = await settledMemory(edge.pid, { looks: 3 })
    const servers = await Servers.start(count)
    try {
      await system.kube.create([model, ...servers.ports.map((port, at) => meter(at, port))])
      context.say(`${count} devices with ${registers} registers`)
      await servers.allAsked()
      await standing(context, { edge, servers, before: before.rss })
      await servers.say({ changing: true })
      await changing(context, { edge, servers })
    } finally {
      servers.stop()
    }
  })
}

interface Parts {
  edge: Edge
  servers: Servers
}

async function standing(context: BenchContext, { edge, servers, before }: Parts & { before: number }): Promise<void> {
  // What came with the registration, the first values and their reports, is not what is measured.
  await pause(context.quick ? 3000 : 15_000)
  const what = 'values stand still'
  await measure(context, { edge, servers }, what)
  context.figure(
    'memory for the devices',
    memoryOf(edge.pid).rss - before,
    'MB',
    `resident, ${servers.ports.length} devices`,
  )
}

async function changing(context: BenchContext, parts: Parts): Promise<void> {
  await pause(context.quick ? 2000 : 10_000)
  await measure(context, parts, 'all values change')
}

async function measure({ quick, figure, wrong }: BenchContext, { edge, servers }: Parts, what: string): Promise<void> {
  const seconds = quick ? 5 : 20
  const first = await servers.counts()
  const [cpu, started] = [processorSeconds(edge.pid), performance.now()]
  await pause(seconds * 1000)
  const last = await servers.counts()
  const took = (performance.now() - started) / 1000
  const used = (processorSeconds(edge.pid) - cpu) / took
  const polls = last.requests.map((each, device) => each - (first.requests[device] ?? 0))
  const devices = polls.length
  const conditions = `${devices} devices, ${registers} registers each, once a second, ${what}, ${seconds} s`
  figure(`registers read, ${what}`, (last.registers - first.registers) / took, '1/s', conditions)
  figure(`slowest device, ${what}`, Math.min(...polls) / took, 'polls/s', conditions)
  figure(`processor, ${what}`, used, 'cores', `${conditions}, edgecore alone`)
  if (Math.min(...polls) === 0) wrong(`${what}: a device was not polled in ${seconds} s`)
}

const apiVersion = 'devices.kubeedge.io/v1beta1'
const names = Array.from({ length: registers }, (_, at) => `register-${at}`)

const model: KubeObject = {
  ...{ apiVersion, kind: 'DeviceModel', metadata: { name: 'meter', namespace: 'default' } },
  spec: { properties: names.map((name) => ({ name, type: 'INT', accessMode: 'ReadOnly' })) },
}

function meter(at: number, port: number): KubeObject {
  const visitors = (offset: number) => ({
    protocolName: 'modbus',
    configData: { register: 'HoldingRegister', offset, limit: 1 },
  })
  return {
    ...{ apiVersion, kind: 'Device', metadata: { name: `meter-${at}`, namespace: 'default' } },
    spec: {
      deviceModelRef: { name: 'meter' },
      nodeName: 'edge-1',
      protocol: { protocolName: 'modbus', configData: { communicateMode: 'TCP', ip: '127.0.0.1', port, slaveID: 1 } },
      properties: names.map((name, offset) => ({ name, collectCycle: 1000, visitors: visitors(offset) })),
    },
  }
}

class Servers {
  readonly ports: readonly number[]
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, ports: readonly number[]) {
    this.#child = child
    this.ports = ports
  }

  static async start(count: number): Promise<Servers> {
    const child = fork(join(import.meta.dirname, 'modbus/servers.ts'))
    const { ports } = (await ask(child, { start: count })) as { ports: number[] }
    return new Servers(child, ports)
  }

  async counts(): Promise<Counts> {
    return (await ask(this.#child, { count: true })) as Counts
  }

  async say(order: Order): Promise<void> {
    this.#child.send(order)
  }

  async allAsked(): Promise<void> {
    const deadline = performance.now() + 120_000
    while ((await this.counts()).requests.some((each) => each === 0)) {
      if (performance.now() > deadline) throw new Error('not all devices were asked within two minutes')
      await pause(200)
    }
  }

  stop(): void {
    this.#child.kill()
  }
}

function ask(child: ChildProcess, order: Order): Promise<Told> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`the Modbus servers ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (told) => {
      child.off('exit', ended)
      resolve(told as Told)
    })
    child.send(order)
  })
}
