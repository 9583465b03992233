import { BuiltInCa, followCa } from '@kedge/cloudcore/identity/built-in'
import { SecretCaStore } from '@kedge/cloudcore/identity/ca-store'
import { secretPath } from '@kedge/cloudcore/identity/home'
import { rotateCa } from '@kedge/cloudcore/identity/rotate-ca'
import type { SealingKey } from '@kedge/cloudcore/identity/sealed-key'
import type { Kube } from '@kedge/cloudcore/kube/api'
import { openKube } from '@kedge/cloudcore/kube/client'
import { hasCode } from '@kedge/cloudcore/kube/errors'
import { systemClock as clock } from '@kedge/shared/clock'
import { openLog } from '@kedge/shared/log'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startTestServer, type TestServer } from '../../support/kube.ts'

// On a server of its own: the Secret has one name, and a cluster that is shared has one for its nodes.
let server: TestServer
let kube: Kube
const path = secretPath('kedge-ca')
const key = (byte: number): SealingKey => ({ path: `/key-${byte}`, bytes: Buffer.alloc(32, byte) })

beforeAll(async () => {
  server = await startTestServer()
  kube = openKube({ kubeconfig: server.kubeconfig })
})
afterAll(async () => {
  kube?.close()
  await server?.stop()
})
afterEach(async () => {
  await kube.delete(path).catch((error: unknown) => {
    if (!hasCode(error, 404)) throw error
  })
})

const open = (by?: SealingKey) => BuiltInCa.open({ store: new SecretCaStore(kube, by), clock })
const dataOf = async (field: string) => {
  const { data } = (await kube.get(path)) as { data?: Record<string, string> }
  return Buffer.from(data?.[field] ?? '', 'base64').toString()
}

/** One that follows the Secret, and what it says. */
async function following() {
  const lines: { msg: string }[] = []
  const to = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const log = openLog({ level: 'info', program: 'test', version: '0', to })
  const store = new SecretCaStore(kube)
  const ca = await BuiltInCa.open({ store, clock })
  const service = followCa({ ca, store, kube, clock, log })
  onTestFinished(() => service.stop())
  return { ca, store, said: (msg: string) => lines.filter((line) => line.msg === msg) }
}

describe('the authority in its Secret', () => {
  it('is one, however many make it at once, and the same after a restart', async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => open()))
    expect(new Set(all.map((ca) => ca.pin())).size).toBe(1)
    expect((await open()).pin()).toBe(all[0]?.pin())
    expect(await dataOf('ca.crt')).toBe(all[0]?.roots())
  })

  it('is sealed where there is a key file, and opens with that alone', async () => {
    const ca = await open(key(1))
    const state = await dataOf('state')
    expect(state).toMatch(/^kedge-sealed-1\./)
    expect(state).not.toContain('PRIVATE')
    expect((await open(key(1))).pin()).toBe(ca.pin())
    await expect(open(key(2))).rejects.toThrow(/cannot be unsealed with \/key-2: give the key file/)
    await expect(open()).rejects.toThrow(/is sealed: give the key file/)
  })

  it('that cannot be read is named, and never made anew', async () => {
    const ca = await open()
    for (const state of ['nonsense', '{"v":1}', '']) {
      await kube.patch(path, { data: { state: Buffer.from(state).toString('base64') } })
      await expect(open()).rejects.toThrow(/Secret kedge\/kedge-ca cannot be used: .*bring it back from a backup/)
    }
    expect(await dataOf('ca.crt')).toBe(ca.roots())
  })

  it('is taken up by all who run when it is rotated', async () => {
    const all = await Promise.all([following(), following()])
    let changes = 0
    all[0]?.ca.onChange(() => changes++)
    const before = all[0]?.ca.pin()
    await rotateCa(new SecretCaStore(kube), { clock, spread: 1000 })
    await eventually(() => all.every(({ ca }) => ca.pin() !== before))
    expect(all[0]?.ca.pin()).toBe(all[1]?.ca.pin())
    expect(changes).toBe(1)
  })

  it('is put back when somebody removes it, and stays in force while it cannot be read', async () => {
    const { ca, said } = await following()
    const pin = ca.pin()
    await kube.delete(path)
    await eventually(() => said('ca removed, put back').length === 1)
    await eventually(async () => (await dataOf('ca.crt').catch(() => '')) === ca.roots())
    expect((await open()).pin()).toBe(pin)
    await kube.patch(path, { data: { state: Buffer.from('nonsense').toString('base64') } })
    await eventually(() => said('ca unreadable').length === 1)
    expect(ca.pin()).toBe(pin)
  })
})
