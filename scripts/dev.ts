import { explain } from '@kedge/shared/errors'
import { context, type Plugin } from 'esbuild'
import { build, buildOptions, type ProgramName, programs, put } from './build.ts'
import type { Fleet } from './fleet/fleet.ts'
import { runFleet, say } from './fleet/run.ts'

/** Rebuilds a program whenever one of its files is saved, and restarts the processes that run it. */
async function watch(name: ProgramName, fleet: Fleet, signal: AbortSignal): Promise<void> {
  let first = true
  let started = 0
  const restart: Plugin = {
    name: 'restart',
    setup({ onStart, onEnd }) {
      onStart(() => {
        started = Date.now()
      })
      onEnd(async (result) => {
        // The first build is what already runs.
        const skip = first || result.errors.length > 0 || signal.aborted
        first = false
        if (skip) return
        put(name, result, started)
        await restartAll(name, fleet)
      })
    },
  }
  const options = buildOptions(name)
  const plugins = [...(options.plugins ?? []), restart]
  const watching = await context({ ...options, logLevel: 'warning', plugins })
  signal.addEventListener('abort', () => void watching.dispose(), { once: true })
  await watching.watch()
}

async function restartAll(name: ProgramName, fleet: Fleet): Promise<void> {
  const processes = fleet.processes.filter(({ member }) => member.program === name)
  say(`${name} has changed: restarting ${processes.map(({ member }) => member.name).join(', ')}`)
  for (const each of processes) await fleet.restart(each)
}

await runFleet({
  argv: process.argv.slice(2),
  build,
  async up(fleet, signal) {
    await Promise.all(programs.map((name) => watch(name, fleet, signal)))
    say(
      `Watching: a program restarts when one of its files is saved. Their logs: tail -f ${fleet.layout.dir}/logs/*.log`,
    )
  },
}).catch((error: unknown) => {
  process.stderr.write(`npm run dev failed: ${explain(error)}\n`)
  process.exitCode = 1
})
