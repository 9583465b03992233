import { readFileSync } from 'node:fs'
import { UserError } from '@kedge/shared/errors'
import { startOf } from '@kedge/shared/load-settings'
import { holdPidFile } from '@kedge/shared/pid-file'
import type { Built } from '../build.ts'
import { Fleet } from './fleet.ts'
import { clash, fleetProgram, type Layout, layoutOf } from './layout.ts'
import { shownPath } from './shown-path.ts'
import { welcome } from './welcome.ts'

export const say = (line: string): void => void process.stdout.write(`${line}\n`)

export interface Run {
  /** The arguments after the program's name. */
  argv: readonly string[]
  build(): Promise<Built[]>
  /** Called once the fleet is up. */
  up?(fleet: Fleet, signal: AbortSignal): Promise<void>
}

/** Runs a fleet in the foreground until SIGINT, SIGTERM or SIGHUP. Throws when it cannot start. */
export async function runFleet({ argv, build, up }: Run): Promise<void> {
  const layout = await layoutFrom(argv)
  if (layout === undefined) return
  const dir = shownPath(layout.dir, process.cwd())
  const held = holdPidFile(layout.pidFile, dir)
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ending.abort())
  const fleet = new Fleet(layout, say)
  try {
    say('Kedge starts')
    for (const { name, ms } of await build())
      say(`  ${name} is ${ms === undefined ? 'up to date' : `built (${ms} ms)`}`)
    await fleet.start(ending.signal)
    say(welcome(layout, process.cwd()))
    await up?.(fleet, ending.signal)
    await fleet.watch(ending.signal)
  } catch (error) {
    if (!ending.signal.aborted) throw error
  } finally {
    if (ending.signal.aborted) say('\nStopping')
    await fleet.stop()
    held.release()
  }
  say(`Stopped. The state stays in ${dir}; the next npm start carries on from it.`)
}

/** What the arguments ask for, or undefined when they only ask to be told something. */
async function layoutFrom(argv: readonly string[]): Promise<Layout | undefined> {
  const started = await startOf(fleetProgram, { argv, env: process.env, read: (path) => readFileSync(path, 'utf8') })
  if (started.is === 'say') {
    process.stdout.write(started.text)
    return undefined
  }
  const layout = layoutOf(started.values)
  const fault = clash(layout)
  if (fault !== undefined) throw new UserError(fault)
  return layout
}
