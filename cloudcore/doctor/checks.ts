import { join } from 'node:path'
import { type Check, check } from '@kedge/shared/doctor/check'
import { judgeDatabase, readDatabase } from '@kedge/shared/doctor/database'
import { type Found, settingsCheck } from '@kedge/shared/doctor/given-settings'
import { machineChecks, portCheck } from '@kedge/shared/doctor/machine-checks'
import { version } from '@kedge/shared/version'
import { apiServerDir, type cloudcoreProgram, linkPortOf } from '../settings.ts'
import { judgeKube, judgeLink, judgeNodes, judgeRun } from './judge.ts'
import { readKube, readLink, readReady } from './read.ts'

export interface CloudParts {
  found: Found<typeof cloudcoreProgram.table>
  /** Runs this program: `node cloudcore.js`. */
  self: readonly string[]
  /** Milliseconds since the epoch. */
  now: number
}

const MiB = 1024 * 1024

/** All that must hold for a cloudcore. They change nothing, and disturb none that runs. */
export function cloudChecks({ found, self, now }: CloudParts): Check[] {
  const { values, data, pid } = found
  const kube = readKube(found)
  return [
    settingsCheck('cloudcore', found),
    check({
      name: 'cloudcore',
      read: async (signal) => ({ ...(await readReady(found, signal)), version }),
      judge: judgeRun,
    }),
    ...machineChecks({ unit: 'cloudcore', data, pid, now, memory: 192 * MiB, files: 4096 }),
    ...ports({ values, pid }),
    ...(values.standalone ? [database(data, self)] : []),
    check({ name: 'kubernetes', read: () => kube, judge: judgeKube, limit: 20_000 }),
    check({ name: 'nodes', read: () => kube, judge: (facts) => judgeNodes(facts, version), limit: 20_000 }),
    check({ name: 'link', read: (signal) => readLink(found, now, signal), judge: judgeLink, limit: 20_000 }),
  ]
}

function database(data: string, self: readonly string[]): Check {
  return check({
    name: 'database',
    read: async (signal) => {
      // It loads the library for SQLite, which may not be there.
      const { databaseName, formVersion } = await import('../apiserver/database.ts')
      return { facts: await readDatabase(join(apiServerDir(data), databaseName), self, signal), formVersion }
    },
    judge: ({ facts, formVersion }) =>
      judgeDatabase(facts, {
        isReadable: (form) => form <= formVersion,
        damaged: 'stop cloudcore, and bring the last backup back: cloudcore restore --from FILE',
      }),
    limit: 60_000,
  })
}

function ports({ values, pid }: Pick<CloudParts['found'], 'values' | 'pid'>): Check[] {
  const { standalone, apiHost, apiPort, linkHost, linkBroker, metricsAddress } = values
  const of = (name: string, host: string, port: number, flag: string) => portCheck({ name, host, port, flag, pid })
  return [
    ...(linkBroker === undefined ? [of('link port', linkHost, linkPortOf(values), '--link-port')] : []),
    ...(standalone ? [of('api port', apiHost, apiPort, '--api-port')] : []),
    ...(metricsAddress ? [of('metrics port', metricsAddress.host, metricsAddress.port, '--metrics-address')] : []),
  ]
}
