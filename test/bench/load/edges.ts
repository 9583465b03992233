import { join } from 'node:path'
import { startEdgecore } from '@kedge/edgecore/edgecore'
import { edgecoreProgram } from '@kedge/edgecore/settings'
import { systemClock } from '@kedge/shared/clock'
import { startOf } from '@kedge/shared/load-settings'
import { openLog } from '@kedge/shared/log'
import { version } from '@kedge/shared/version'
import type { EdgesPlan } from './edges-plan.ts'

/** How many start at once: opening a database takes processor. */
const atOnce = 8

/** Starts one edgecore with the settings that its users get, but for the ports and sockets of which there is only one. */
async function start(node: string, { cloudPort, dir }: EdgesPlan): Promise<void> {
  const flags = {
    ...{ '--node-name': node, '--cloud': `mqtt://127.0.0.1:${cloudPort}`, '--data': join(dir, node) },
    ...{ '--mqtt-port': '0', '--dmi-socket': 'off' },
  }
  const begun = await startOf(edgecoreProgram, {
    argv: [...Object.entries(flags).flat(), '--cloud-plain'],
    env: {},
    read: () => {
      throw new Error('no file is named')
    },
  })
  if (begun.is !== 'run') throw new Error(begun.text)
  const log = openLog({ level: 'error', program: 'edgecore', version, to: process.stderr }).child({ node })
  await startEdgecore({ settings: { ...begun.values, nodeName: node }, clock: systemClock, random: Math.random, log })
}

async function run(plan: EdgesPlan): Promise<void> {
  const waiting = [...plan.nodes]
  const worker = async () => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) await start(node, plan)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

process.once('message', (plan) => {
  run(plan as EdgesPlan).then(
    () => process.send?.('started'),
    (error: unknown) => {
      process.stderr.write(`edges: ${error instanceof Error ? error.stack : error}\n`)
      process.exit(1)
    },
  )
})
// What they hold is thrown away: no need for a thousand orderly ends.
process.once('disconnect', () => process.exit(0))
