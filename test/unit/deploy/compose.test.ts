import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root } from '../../../scripts/build.ts'

const file = join(root, 'docker-compose.yaml')
// Version 2 is a plugin of docker, version 1 a program of its own.
const versions = [['docker', 'compose'], ['docker-compose']].filter((command) => answers(command))

describe.skipIf(versions.length === 0)('docker-compose.yaml', () => {
  it.each(versions.map((command) => [command.join(' '), command]))(
    'is understood by %s',
    (_, [program = '', ...args]) => {
      const services = (...flags: string[]) =>
        execFileSync(program, [...args, '-f', file, ...flags, 'config', '--services'])
          .toString()
          .trim()
          .split('\n')
          .sort()
      expect(services('--profile', 'chaos')).toEqual(
        expect.arrayContaining(['chaos', 'cloudcore', 'devices', 'edge', 'gate']),
      )
    },
  )
})

function answers([program = '', ...args]: string[]): boolean {
  try {
    execFileSync(program, [...args, 'version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
