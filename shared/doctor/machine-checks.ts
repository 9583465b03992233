import { type Check, check } from './check.ts'
import {
  judgeClock,
  judgeDisk,
  judgeLimits,
  judgeMemory,
  judgeNode,
  judgePort,
  judgeSync,
  judgeUnit,
} from './judge-machine.ts'
import { readDisk, readLimits, readMemory, readPort, readSynchronised, readUnit, syncTimes } from './read-machine.ts'

export interface MachineParts {
  /** The unit of the program. */
  unit: string
  data: string
  /** Of the program, if it runs. */
  pid: number | undefined
  /** Milliseconds since the epoch. */
  now: number
  /** Bytes of memory, and open files, that the program wants. */
  memory: number
  files: number
}

/** Nothing of Kedge is older; milliseconds since the epoch. */
const released = Date.UTC(2026, 0, 1)

/** What must hold on every machine that a program of Kedge runs on. */
export function machineChecks({ unit, data, pid, now, memory, files }: MachineParts): Check[] {
  const running = pid !== undefined
  return [
    check({ name: 'node', read: readNode, judge: judgeNode, limit: 15_000 }),
    check({ name: 'memory', read: readMemory, judge: (facts) => judgeMemory(facts, running ? memory / 2 : memory) }),
    check({ name: 'disk', read: () => readDisk(data), judge: judgeDisk }),
    check({ name: 'disk speed', read: (signal) => syncTimes(data, signal), judge: judgeSync, limit: 15_000 }),
    check({
      name: 'clock',
      read: async (signal) => ({ now, released, synchronised: await readSynchronised(signal) }),
      judge: judgeClock,
    }),
    check({ name: 'limits', read: () => readLimits(pid), judge: (facts) => judgeLimits(facts, files) }),
    check({
      name: 'service',
      read: async (signal) => ({ unit, running, properties: await readUnit(unit, signal) }),
      judge: judgeUnit,
    }),
  ]
}

async function readNode() {
  const about = { version: process.versions.node, arch: process.arch }
  try {
    await import('../sqlite.ts')
    return about
  } catch (error) {
    return { ...about, loads: error instanceof Error ? error.message : String(error) }
  }
}

export interface PortParts {
  name: string
  host: string
  port: number
  /** The setting that chooses another. */
  flag: string
  pid: number | undefined
}

/** Whether a program has the port that it listens on, or may have it. */
export function portCheck({ name, host, port, flag, pid }: PortParts): Check {
  return check({
    name,
    read: () => readPort(host, port, pid),
    judge: (facts) => (port === 0 ? { standing: 'ok', found: 'any that is free' } : judgePort(facts, flag)),
  })
}
