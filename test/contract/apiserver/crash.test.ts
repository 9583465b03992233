import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { connect, type Kube } from '../../support/kube.ts'
import { startProgram } from '../../support/programs.ts'
import { tempDir } from '../../support/temp-dir.ts'

const maps = '/api/v1/namespaces/default/configmaps'

interface Running {
  kube: Kube
  /** As a power cut for the process. */
  kill(): Promise<void>
}

/** The API server that cloudcore has in it. */
async function start(dir: string): Promise<Running> {
  const ports = ['--api-port', '0', '--link-port', '0', '--link-plain', '--metrics-address', 'off']
  const program = await startProgram('cloudcore', ['--standalone', '--data', dir, ...ports])
  await program.line('cloudcore started')
  const kube = connect(join(dir, 'kubeconfig'), { embedded: true, stop: async () => {} })
  return {
    kube,
    async kill() {
      await program.kill('SIGKILL')
      await kube.close()
    },
  }
}

/** What clients know: by name, the last value that was answered, and the one that was asked for and never answered. */
type Known = Map<string, { answered?: string | undefined; asked?: string | undefined }>

/** One client that writes its own objects until the server is gone. */
async function write(kube: Kube, known: Known, client: number): Promise<void> {
  for (let n = 0; ; n++) {
    const name = `c${client}-${n % 5}`
    const state = known.get(name) ?? {}
    const value = `${n}`
    known.set(name, { ...state, asked: value })
    const body = { metadata: { name }, data: { value } }
    const exists = state.answered !== undefined
    const call = exists ? { method: 'PUT', path: `${maps}/${name}`, body } : { method: 'POST', path: maps, body }
    const reply = await kube.call(call).catch(() => undefined)
    if (reply === undefined) return
    if (reply.code < 300) known.set(name, { answered: value })
    // Asked for before a kill, and done, but never answered.
    else if (reply.code === 409) known.set(name, { answered: (await kube.get(`${maps}/${name}`)).body.data.value })
    else throw new Error(reply.text)
  }
}

describe('a server that is killed at any moment', () => {
  it('has all that it answered, and goes on with greater resourceVersions', async () => {
    const dir = tempDir()
    const known: Known = new Map()
    let highest = 0
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 5, max: 60 }), async (writes) => {
        const { kube, kill } = await start(dir)
        const { body } = await kube.get(maps)
        expect(Number(body.metadata.resourceVersion)).toBeGreaterThanOrEqual(highest)
        for (const { metadata, data } of body.items) {
          const { answered, asked } = known.get(metadata.name) ?? {}
          expect([answered, asked]).toContain(data.value)
          known.set(metadata.name, { answered: data.value })
        }
        const kept = new Set(body.items.map((item: { metadata: { name: string } }) => item.metadata.name))
        for (const [name, { answered }] of known) if (answered !== undefined) expect(kept).toContain(name)

        const watch = await kube.watch(`${maps}?watch=1&resourceVersion=${body.metadata.resourceVersion}`)
        const clients = [0, 1, 2, 3].map((client) => write(kube, known, client))
        for (let seen = 0; seen < writes; seen++) {
          highest = Math.max(highest, Number((await watch.next())?.object.metadata.resourceVersion ?? 0))
        }
        await kill()
        await Promise.all(clients)
      }),
      { numRuns: 5 },
    )
  }, 300_000)
})
