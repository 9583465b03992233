import { systemClock } from '@kedge/shared/clock'
import { loadSettings } from '@kedge/shared/load-settings'
import { openLog } from '@kedge/shared/log'
import { must } from '@kedge/shared/must'
import { holdPidFile } from '@kedge/shared/pid-file'
import { dieLoudly, runProgram, untilSignal } from '@kedge/shared/program'
import { version } from '@kedge/shared/version'
import { cloudcoreProgram, kubernetesWay, pidPath } from './settings.ts'

await runProgram('cloudcore', async () => {
  const [command, ...rest] = process.argv.slice(2)
  // Each way of running loads what it needs and no more.
  if (command === 'backup') return say((await import('./cli/backup.ts')).backupCommand(rest, around()))
  if (command === 'restore') return say((await import('./cli/restore.ts')).restoreCommand(rest, around()))
  if (command === 'get') return say(await (await import('./cli/get.ts')).getCommand(rest, around()))
  if (command === 'convert') return say((await import('./cli/convert.ts')).convertCommand(rest, { note }))
  if (command === 'token') return say(await (await import('./cli/token.ts')).tokenCommand(rest, { ...around(), note }))
  if (command === 'node') return say(await (await import('./cli/node.ts')).nodeCommand(rest, { ...around(), note }))
  if (command === 'ca') return say(await (await import('./cli/ca.ts')).caCommand(rest, { ...around(), note }))
  if (command === 'doctor') return doctor(rest)
  if (command === 'support') {
    return say(await (await import('./cli/support.ts')).supportCommand(rest, { ...around(), self: ourselves() }))
  }
  const settings = await loadSettings(cloudcoreProgram)
  if (settings === undefined) return
  const log = openLog({ level: settings.logLevel, program: 'cloudcore', version })
  dieLoudly(log)
  const pidFile = holdPidFile(pidPath(settings.data), `the data folder ${settings.data}`)
  try {
    const { startCloudcore } = await import('./cloudcore.ts')
    // The settings are refused where there is no way to Kubernetes.
    const kubernetes = must(kubernetesWay(settings, process.env), 'the way to Kubernetes')
    const cloudcore = await startCloudcore({ settings, kubernetes, clock: systemClock, random: Math.random, log })
    await untilSignal(cloudcore, log)
  } finally {
    pidFile.release()
  }
})

async function doctor(argv: readonly string[]): Promise<void> {
  const { doctorCommand } = await import('./cli/doctor.ts')
  const { out, code } = await doctorCommand(argv, { ...around(), self: ourselves() })
  say(out)
  process.exitCode = code
}

/** What runs this program. */
function ourselves(): string[] {
  return [process.execPath, ...process.execArgv, process.argv[1] ?? '']
}

function around() {
  return { env: process.env, now: Date.now() }
}

function note(line: string): void {
  process.stderr.write(`cloudcore: ${line}\n`)
}

function say(text: string): void {
  // A reader may have enough before all is written: `--help | head`.
  process.stdout.on('error', () => {})
  process.stdout.write(text)
}
