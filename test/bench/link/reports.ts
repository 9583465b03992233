import { setTimeout as pause } from 'node:timers/promises'
import type { BenchContext } from '../harness.ts'
import { devicesPath, deviceTopic, report } from '../support/manifests.ts'
import { RawClient } from '../support/raw-mqtt.ts'
import { type Edge, type System, statusInterval } from '../support/system.ts'

/** A device's report until a watch of the API shows it, on a quiet system: each device reports once. */
export async function reports(context: BenchContext, system: System, edge: Edge, count: number): Promise<void> {
  // What was written of a device within the status interval holds up the next write of it.
  await system.quiet(statusInterval + 1000)
  const client = await RawClient.connect({ port: edge.mqttPort, clientId: 'reporter' })
  const waiting = new Map<string, (at: number) => void>()
  const end = await system.kube.watch(devicesPath, ({ object }) => {
    const text = JSON.stringify(object.status ?? {})
    for (const [value, seen] of waiting) if (text.includes(`"${value}"`)) seen(performance.now())
  })
  context.say(`${count} reports of as many devices`)
  const samples: number[] = []
  for (let index = 0; index < count; index++) {
    const value = `${index}.25`
    const seen = new Promise<number>((resolve) => waiting.set(value, resolve))
    const sent = performance.now()
    client.publish(deviceTopic(`reporter-${index}`, 'twin/update'), report(value, String(index)))
    const at = await Promise.race([seen, pause(10_000, undefined, { ref: false })])
    waiting.delete(value)
    if (at !== undefined) samples.push(at - sent)
    await pause(100)
  }
  end()
  client.close()
  const lost = count - samples.length
  context.percentiles('device report → API', samples, 'ms', 'quiet system, twin/update published → watch event')
  context.figure('device reports lost', lost, 'reports', `of ${count}, none within 10 s`)
  if (lost > 0) context.wrong(`${lost} of ${count} device reports did not reach the API within 10 s`)
}
