import { type Check, check } from '@kedge/shared/doctor/check'
import { judgeDatabase, readDatabase } from '@kedge/shared/doctor/database'
import { type Found, settingsCheck } from '@kedge/shared/doctor/given-settings'
import { machineChecks, portCheck } from '@kedge/shared/doctor/machine-checks'
import { explain } from '@kedge/shared/errors'
import { version } from '@kedge/shared/version'
import type { Standing } from '../control/server.ts'
import { databasePath, type edgecoreProgram } from '../settings.ts'
import { migrations } from '../store/migrations.ts'
import { judgeCertificate, judgeKernel, judgeLink, judgeRun, judgeRuntime } from './judge.ts'
import { cloudOf, probe, readIdentityFacts, readKernel, readRuntime, readStanding } from './read.ts'

export interface EdgeParts {
  found: Found<typeof edgecoreProgram.table>
  /** Runs this program: `node edgecore.js`. */
  self: readonly string[]
  /** Milliseconds since the epoch. */
  now: number
}

const MiB = 1024 * 1024

/** All that must hold for a node. They change nothing, and disturb no edgecore that runs. */
export function edgeChecks({ found, self, now }: EdgeParts): Check[] {
  const { values, data, pid } = found
  const settings = { ...values, data }
  const standing = standingOf(data, pid)
  return [
    settingsCheck('edgecore', found),
    check({
      name: 'edgecore',
      read: async () => ({ pid, version, ...(await standing) }),
      judge: judgeRun,
      limit: 8000,
    }),
    ...machineChecks({ unit: 'edgecore', data, pid, now, memory: 96 * MiB, files: 1024 }),
    ...ports({ values, pid }),
    check({
      name: 'database',
      read: (signal) => readDatabase(databasePath(data), self, signal),
      judge: ofDatabase,
      limit: 60_000,
    }),
    check({ name: 'certificate', read: () => readIdentityFacts(settings, now), judge: judgeCertificate }),
    check({
      name: 'link',
      read: async (signal) => {
        const link = (await standing).standing?.link
        return { url: cloudOf(settings), standing: link, probe: link?.up ? undefined : await probe(settings, signal) }
      },
      judge: judgeLink,
      limit: 15_000,
    }),
    check({ name: 'containers', read: () => readRuntime(settings), judge: judgeRuntime, limit: 12_000 }),
    ...(settings.runtime === 'simulated' ? [] : [check({ name: 'kernel', read: readKernel, judge: judgeKernel })]),
  ]
}

function ofDatabase(facts: Parameters<typeof judgeDatabase>[0]) {
  return judgeDatabase(facts, {
    isReadable: (found) => found <= migrations.length,
    damaged: 'start edgecore, which sets it aside, saves what can be read and fills a new one from the cloud',
  })
}

/** Asked once, for all who want to know. */
async function standingOf(
  data: string,
  pid: number | undefined,
): Promise<{ standing: Standing | undefined; silence: string | undefined }> {
  if (pid === undefined) return { standing: undefined, silence: undefined }
  const late = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new Error('no answer within 5 s')), 5000).unref(),
  )
  try {
    return { standing: await Promise.race([readStanding(data), late]), silence: undefined }
  } catch (error) {
    return { standing: undefined, silence: explain(error) }
  }
}

function ports({ values, pid }: Pick<EdgeParts['found'], 'values' | 'pid'>): Check[] {
  const { mqttHost, mqttPort, mqttBroker, metricsAddress } = values
  const local = mqttBroker
    ? []
    : [portCheck({ name: 'mqtt port', host: mqttHost, port: mqttPort, flag: '--mqtt-port', pid })]
  if (!metricsAddress) return local
  return [...local, portCheck({ name: 'metrics port', ...metricsAddress, flag: '--metrics-address', pid })]
}
