import { randomBytes } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSealed, readSealingKey, seal, sealingKey, unseal } from '@kedge/cloudcore/identity/sealed-key'
import { UserError } from '@kedge/shared/errors'
import { describe, expect, it } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

const key = { path: '/k', bytes: randomBytes(32) }
const purpose = 'test'

describe('sealing', () => {
  it('hides a text, each time otherwise, and brings it back', () => {
    const sealed = [1, 2].map(() => seal('a secret €', { key, purpose }))
    expect(sealed[0]).not.toBe(sealed[1])
    for (const text of sealed) {
      expect(isSealed(text)).toBe(true)
      expect(text).not.toContain(Buffer.from('a secret').toString('base64url').slice(0, 8))
      expect(unseal(`${text}\n`, { key, purpose })).toBe('a secret €')
    }
  })

  it('refuses another key, another purpose, and any change', () => {
    const sealed = seal('a secret', { key, purpose })
    const wrong: [string, Parameters<typeof unseal>[1]][] = [
      [sealed, { key: { path: '/other', bytes: randomBytes(32) }, purpose }],
      [sealed, { key, purpose: 'another' }],
      [sealed.slice(0, -1), { key, purpose }],
      [sealed.slice(0, -4), { key, purpose }],
      [sealed.replace(/\.[^.]*$/, '.'), { key, purpose }],
      ['kedge-sealed-1', { key, purpose }],
    ]
    for (const [text, how] of wrong) expect(() => unseal(text, how)).toThrow(/cannot be unsealed with .*--ca-key-file/)
    for (const [at, was] of [...sealed].entries()) {
      for (const other of ['A', 'B', '.', '$'].filter((one) => one !== was)) {
        const changed = sealed.slice(0, at) + other + sealed.slice(at + 1)
        expect(() => unseal(changed, { key, purpose }), `${sealed} as ${changed}`).toThrow(UserError)
      }
    }
  })
})

describe('the key file', () => {
  it('is made once, for its owner alone', () => {
    const path = join(tempDir(), 'pki', 'ca.key')
    expect(readSealingKey(path)).toBeUndefined()
    const made = sealingKey(path)
    expect(sealingKey(path).bytes).toEqual(made.bytes)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'utf8')).toMatch(/^[A-Za-z0-9+/]{43}=\n$/)
  })

  it('may be made by others, and nothing else is taken for one', () => {
    const path = join(tempDir(), 'ca.key')
    const bytes = randomBytes(32)
    for (const form of ['base64', 'base64url', 'hex'] as const) {
      writeFileSync(path, `${bytes.toString(form)}\n`)
      expect(sealingKey(path).bytes).toEqual(bytes)
    }
    for (const text of ['', 'secret', bytes.toString('base64').slice(4), `${bytes.toString('hex')}00`]) {
      writeFileSync(path, text)
      expect(() => sealingKey(path)).toThrow(/holds no key: found \d+ characters; give 32 random bytes/)
    }
  })
})
