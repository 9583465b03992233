import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Files } from '@kedge/edgecore/identity/files'
import type { Identity } from '@kedge/edgecore/identity/identity'
import {
  findIdentity,
  forgetRequest,
  identityFile,
  keepIdentity,
  openIdentity,
  requestKey,
} from '@kedge/edgecore/identity/keep'
import { describe, expect, test } from 'vitest'
import { testAuthority, testIdentity } from '../../../support/identities.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const ca = testAuthority()
const generations = [1, 2, 3, 4].map((generation) => testIdentity(ca, { generation })) as [
  Identity,
  Identity,
  Identity,
  Identity,
]
const [first, second, third, fourth] = generations

class PowerCut extends Error {}

/**
 * A disk that loses what was not synced when the power fails: of a file that was not synced, only `kept` of its text is
 * there; of the changes of names since the folder was synced, the first `names`.
 */
class Disk implements Files {
  #files = new Map<string, { text: string; synced: boolean }>()
  #names: Map<string, { text: string; synced: boolean }>[] = []
  /** Steps until the power fails. */
  steps = Number.POSITIVE_INFINITY

  #step(): void {
    if (this.steps-- <= 0) throw new PowerCut()
  }

  #rename(change: () => void): void {
    this.#step()
    this.#names.push(new Map(this.#files))
    change()
  }

  /** Name changes that may be lost. */
  get unsynced(): number {
    return this.#names.length
  }

  fail(names: number, kept: number): void {
    this.#files = this.#names[names] ?? this.#files
    this.#names = []
    for (const [path, { text, synced }] of this.#files) {
      if (!synced) this.#files.set(path, { text: text.slice(0, Math.floor(text.length * kept)), synced: true })
    }
    this.steps = Number.POSITIVE_INFINITY
  }

  read(path: string): string | undefined {
    return this.#files.get(path)?.text
  }

  write(path: string, text: string): void {
    this.#rename(() => this.#files.set(path, { text: '', synced: false }))
    this.#step()
    const file = this.#files.get(path)
    if (file) file.text = text
  }

  sync(path: string): void {
    this.#step()
    const file = this.#files.get(path)
    if (file) file.synced = true
    else this.#names = []
  }

  rename(from: string, to: string): void {
    this.#rename(() => {
      const file = this.#files.get(from)
      if (file === undefined) throw new Error(`no ${from}`)
      this.#files.delete(from)
      this.#files.set(to, file)
    })
  }

  remove(path: string): void {
    this.#rename(() => this.#files.delete(path))
  }

  folder(): void {}
}

/** Every way in which the power can fail during `work`, and the disk after each. */
function* cuts(
  before: (disk: Disk) => void,
  work: (disk: Disk) => void,
  kepts: readonly number[] = [0, 0.5, 1],
): Generator<{ disk: Disk; done: boolean }> {
  for (let steps = 0; ; steps++) {
    let done = false
    for (let names = 0, most = 0; names <= most; names++) {
      for (const kept of kepts) {
        const disk = new Disk()
        before(disk)
        disk.steps = steps
        try {
          work(disk)
          done = true
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error
        }
        most = disk.unsynced
        disk.fail(names, kept)
        yield { disk, done }
      }
    }
    if (done) return
  }
}

const dir = '/data'

describe('an identity', () => {
  test('is whole after a power cut at any step of its replacement: the one before, or the new one', () => {
    const before = (disk: Disk) => {
      keepIdentity(dir, first, disk)
      keepIdentity(dir, second, disk)
    }
    let looked = 0
    const found = new Set<number | undefined>()
    for (const { disk, done } of cuts(before, (disk) => keepIdentity(dir, third, disk))) {
      const { identity } = openIdentity(dir, disk)
      looked++
      found.add(identity?.generation)
      expect([2, 3]).toContain(identity?.generation)
      if (done) expect(identity).toEqual(third)
    }
    expect(found).toEqual(new Set([2, 3]))
    expect(looked).toBeGreaterThan(20)
  })

  test('is never older than before after two power cuts, at any step of each', () => {
    const before = (disk: Disk) => {
      keepIdentity(dir, first, disk)
      keepIdentity(dir, second, disk)
    }
    for (const { disk } of cuts(before, (disk) => keepIdentity(dir, third, disk), [0.5])) {
      const held = findIdentity(dir, disk).identity?.generation ?? 0
      const again = () => {
        openIdentity(dir, disk)
        keepIdentity(dir, fourth, disk)
      }
      for (const steps of [1, 2]) {
        disk.steps = steps
        try {
          again()
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error
        }
        disk.fail(0, 0)
        expect(findIdentity(dir, disk).identity?.generation).toBeGreaterThanOrEqual(held)
      }
      again()
      expect(findIdentity(dir, disk).identity).toEqual(fourth)
    }
  })

  test('of the generation before is used when the newer does not hold together, and that is told', () => {
    const disk = new Disk()
    keepIdentity(dir, first, disk)
    keepIdentity(dir, second, disk)
    disk.write(join(dir, identityFile), 'rotten')
    const found = findIdentity(dir, disk)
    expect(found.identity).toEqual(first)
    expect(found.faults).toEqual(['/data/identity.pem: its first line is not that of an identity'])
    keepIdentity(dir, third, disk)
    expect(findIdentity(dir, disk).identity).toEqual(third)
  })

  test('lies in files that only their owner reads', () => {
    const data = join(tempDir(), 'data')
    requestKey(data)
    keepIdentity(data, first)
    keepIdentity(data, second)
    expect(readdirSync(data).sort()).toEqual(['identity-request.pem', 'identity.pem', 'identity.pem.1'])
    for (const name of readdirSync(data)) expect(statSync(join(data, name)).mode & 0o777).toBe(0o600)
    expect(statSync(data).mode & 0o777).toBe(0o700)
  })
})

describe('the key of a request', () => {
  test('stays the same until it is forgotten, whenever the power fails after it was told', () => {
    for (const { disk, done } of cuts(
      () => {},
      (disk) => requestKey(dir, disk),
    )) {
      const key = requestKey(dir, disk)
      if (done) expect(requestKey(dir, disk)).toBe(key)
    }
    const disk = new Disk()
    const told = requestKey(dir, disk)
    disk.fail(0, 0)
    expect(requestKey(dir, disk)).toBe(told)
    forgetRequest(dir, disk)
    expect(requestKey(dir, disk)).not.toBe(told)
  })
})
