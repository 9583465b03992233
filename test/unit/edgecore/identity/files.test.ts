import { chownSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { diskFiles } from '@kedge/edgecore/identity/files'
import { expect, test } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

test.skipIf(process.geteuid?.() !== 0)(
  'what root writes belongs to whoever has the folder, and nobody else reads it',
  () => {
    const dir = tempDir()
    chownSync(dir, 4321, 1234)
    diskFiles.write(join(dir, 'identity.pem'), 'a key')
    expect(statSync(join(dir, 'identity.pem'))).toMatchObject({ uid: 4321, gid: 1234 })
    expect(statSync(join(dir, 'identity.pem')).mode & 0o777).toBe(0o600)
    expect(diskFiles.read(join(dir, 'identity.pem'))).toBe('a key')
  },
)
