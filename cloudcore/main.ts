import { join } from 'node:path'
import { systemClock } from '@kedge/shared/clock'
import { loadSettings } from '@kedge/shared/load-settings'
import { openLog } from '@kedge/shared/log'
import { must } from '@kedge/shared/must'
import { holdPidFile } from '@kedge/shared/pid-file'
import { dieLoudly, runProgram, untilSignal } from '@kedge/shared/program'
import { version } from '@kedge/shared/version'
import { cloudcoreProgram, kubernetesWay } from './settings.ts'

await runProgram('cloudcore', async () => {
  const settings = await loadSettings(cloudcoreProgram)
  if (settings === undefined) return
  const log = openLog({ level: settings.logLevel, program: 'cloudcore', version })
  dieLoudly(log)
  const pidFile = holdPidFile(join(settings.data, 'cloudcore.pid'), `the data folder ${settings.data}`)
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
