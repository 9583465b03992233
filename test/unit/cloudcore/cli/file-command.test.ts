import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { backupCommand } from '@kedge/cloudcore/cli/backup'
import { fileCommand } from '@kedge/cloudcore/cli/file-command'
import { restoreCommand } from '@kedge/cloudcore/cli/restore'
import { UserError } from '@kedge/shared/errors'
import { describe, expect, it } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

const read = (argv: string[], env = {}) => fileCommand(argv, env, { name: 'backup', flag: 'to' })
const around = { env: {}, now: 0 }

describe('the command line', () => {
  it('has a file, a data folder, and may be forced', () => {
    expect(read(['--to', 'a'])).toEqual({ file: resolve('a'), data: '/var/lib/kedge/cloudcore', force: false })
    expect(read(['--to=/b', '--force'], { KEDGE_DATA: '/d' })).toEqual({ file: '/b', data: '/d', force: true })
    expect(read(['--data', '/e', '--to', '/b'], { KEDGE_DATA: '/d' })).toMatchObject({ data: '/e' })
    expect(read(['--to', '/b'], { KEDGE_DATA: '' })).toMatchObject({ data: '/var/lib/kedge/cloudcore' })
  })

  it.each([
    [[], /^no file; give --to FILE; cloudcore backup --help lists all flags$/],
    [['--to', ''], /^no file; give --to FILE/],
    [['/b'], /^found "\/b"; give the file as --to FILE/],
    [['--to', '/b', '--data', ''], /^--data: found ""/],
    [['--to'], /--to.*cloudcore backup --help lists all flags$/],
    [['--from', '/b'], /--from.*cloudcore backup --help lists all flags$/],
    [['--to', '/b', '--force=yes'], /--force/],
  ])('%j is refused', (argv, why) => {
    expect(() => read(argv)).toThrow(why)
    expect(() => read(argv)).toThrow(UserError)
  })

  it('helps, whatever else is wrong', () => {
    expect(backupCommand(['-h'], around)).toMatch(/^Usage: cloudcore backup --to FILE/)
    expect(restoreCommand(['--help', 'x'], around)).toMatch(/^Usage: cloudcore restore --from FILE/)
  })
})

describe('restore', () => {
  it('makes no folder for a file that is no backup', () => {
    const dir = tempDir()
    const file = join(dir, 'junk')
    writeFileSync(file, 'junk')
    const data = join(dir, 'data')
    expect(() => restoreCommand(['--from', file, '--data', data], around)).toThrow(/is not a backup/)
    expect(() => mkdirSync(data)).not.toThrow()
  })
})
