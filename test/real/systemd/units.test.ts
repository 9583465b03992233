import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root } from '../../../scripts/build.ts'
import { tempDir } from '../../support/temp-dir.ts'

const missing = !answers()
const unit = (name: string) => join(root, 'deploy/systemd', name)

describe.skipIf(missing)(`units of systemd${missing ? ' (systemd-analyze is missing)' : ''}`, () => {
  it.each(['edgecore', 'cloudcore'])('%s.service is right in every line', (name) => {
    expect(verify(`${name}.service`)).toBe('')
  })

  it('so is the one for devices only', () => {
    expect(verify('edgecore.service', 'devices-only.conf')).toBe('')
  })

  it('narrows what programs may do: 0 is nothing, 10 all', () => {
    expect(exposure('cloudcore.service')).toBeLessThan(2.5)
    expect(exposure('edgecore.service')).toBeLessThan(7)
  })
})

/** What systemd has to say of a unit, with a drop-in; its program, which is not installed here, is one that is. */
function verify(name: string, dropIn?: string): string {
  const dir = tempDir()
  const text = readFileSync(unit(name), 'utf8').replace(/^ExecStart=.*$/m, `ExecStart=${process.execPath}`)
  const more = dropIn === undefined ? '' : readFileSync(unit(dropIn), 'utf8')
  writeFileSync(join(dir, name), `${text}\n${more}`)
  const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', join(dir, name)])
  return `${stdout}${stderr}${status === 0 ? '' : `exit code ${status}`}`
}

function exposure(name: string): number {
  const dir = tempDir()
  copyFileSync(unit(name), join(dir, name))
  const report = execFileSync('systemd-analyze', [
    'security',
    '--offline=true',
    '--no-pager',
    join(dir, name),
  ]).toString()
  return Number(/exposure level for .*: ([\d.]+)/.exec(report)?.[1])
}

function answers(): boolean {
  try {
    execFileSync('systemd-analyze', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
