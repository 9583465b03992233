import { fork } from 'node:child_process'
import { TestMapper } from '../../contract/devices/dmi-mapper.ts'

/** What a mapper in a process of its own is to report. */
export interface FloodPlan {
  /** Edgecore's socket. */
  socket: string
  /** So many devices: sensor-0, sensor-1, … */
  devices: number
  /** In all. */
  reports: number
  /** A connection for each report, as KubeEdge's mapper-framework has it. */
  alone: boolean
}

export interface FloodResult {
  /** From the first report sent to the last answer, in milliseconds. */
  ms: number
  refused: number
  /** Why the last one was refused. */
  reason: string
  /** The value that each device reported last. */
  last: Record<string, string>
}

/** Reports of one device on their way at once, where they share a connection: it keeps their order. */
const inFlight = 4

export function floodOf(plan: FloodPlan): Promise<FloodResult> {
  const child = fork(import.meta.filename)
  return new Promise((resolve, reject) => {
    child.once('message', (result) => resolve(result as FloodResult))
    child.once('exit', (code) => reject(new Error(`the mapper ended with ${code}`)))
    child.once('error', reject)
    child.send(plan)
  })
}

async function run({ socket, devices, reports, alone }: FloodPlan): Promise<FloodResult> {
  const mapper = new TestMapper({ dir: '/', edgecore: socket })
  const result: FloodResult = { ms: 0, refused: 0, reason: '', last: {} }
  const each = reports / devices
  const one = async (deviceName: string) => {
    for (let next = 0; next < each; ) {
      const values = Array.from({ length: Math.min(alone ? 1 : inFlight, each - next) }, () => `${next++}.5`)
      const sent = values.map((value) => {
        const twins = [{ propertyName: 'temperature', reported: { value } }]
        const request = { deviceName, deviceNamespace: 'default', reportedDevice: { twins } }
        return alone ? mapper.callAlone('ReportDeviceStatus', request) : mapper.call('ReportDeviceStatus', request)
      })
      for (const settled of await Promise.allSettled(sent)) {
        if (settled.status === 'fulfilled') continue
        result.refused++
        result.reason = String(settled.reason)
      }
      result.last[deviceName] = values.at(-1) ?? ''
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: devices }, (_, index) => one(`sensor-${index}`)))
  result.ms = performance.now() - started
  mapper.stop()
  return result
}

if (process.argv[1] === import.meta.filename) {
  process.once('message', (plan) => {
    run(plan as FloodPlan).then(
      (result) => process.send?.(result, () => process.exit()),
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`)
        process.exit(1)
      },
    )
  })
}
