import { relative } from 'node:path'
import { explain, UserError } from '@kedge/shared/errors'
import { startOf } from '@kedge/shared/load-settings'
import { holdPidFile } from '@kedge/shared/pid-file'
import { build } from './build.ts'
import { Fleet } from './fleet/fleet.ts'
import { clash, type FleetOptions, fleetProgram, layoutOf } from './fleet/layout.ts'
import { welcome } from './fleet/welcome.ts'

const say = (line: string) => void process.stdout.write(`${line}\n`)

/** Resolves with what `npm start` was told, or undefined when it only had to say something. */
async function optionsOf(argv: readonly string[]): Promise<FleetOptions | undefined> {
  const started = await startOf(fleetProgram, { argv, env: {}, read: () => '' })
  if (started.is === 'run') return started.values
  process.stdout.write(started.text)
  return undefined
}

/** Runs a fleet until a signal asks for its end. */
async function main(): Promise<void> {
  const options = await optionsOf(process.argv.slice(2))
  if (options === undefined) return
  const layout = layoutOf(options)
  const fault = clash(layout)
  if (fault !== undefined) throw new UserError(fault)
  const held = holdPidFile(layout.pidFile, relative(process.cwd(), layout.dir) || layout.dir)
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ending.abort())
  const fleet = new Fleet(layout, say)
  try {
    say('Kedge starts: building')
    for (const { name, ms } of await build())
      say(`  ${name} ${ms === undefined ? 'is up to date' : `built (${ms} ms)`}`)
    await fleet.start(ending.signal)
    say(welcome(layout, process.cwd()))
    await fleet.watch(ending.signal)
  } catch (error) {
    if (!ending.signal.aborted) throw error
  } finally {
    if (ending.signal.aborted) say('\nStopping')
    await fleet.stop()
    held.release()
  }
  say(`Stopped. The state stays in ${relative(process.cwd(), layout.dir)}; the next npm start carries on from it.`)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof UserError ? error.message : `npm start failed: ${explain(error)}`}\n`)
  process.exitCode = error instanceof UserError ? 2 : 1
})
