import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { connect, type Kube } from '../support/kube.ts'
import { type RunningProgram, runProgram, startProgram } from '../support/programs.ts'
import { tempDir } from '../support/temp-dir.ts'

const maps = '/api/v1/namespaces/default/configmaps'

function start(data: string): Promise<RunningProgram> {
  const ports = ['--api-port', '0', '--link-port', '0', '--link-plain', '--metrics-address', 'off']
  return startProgram('cloudcore', ['--standalone', '--data', data, ...ports])
}

async function started(data: string): Promise<RunningProgram> {
  const cloudcore = await start(data)
  await cloudcore.line('cloudcore started')
  return cloudcore
}

function open(kubeconfig: string): Kube {
  const kube = connect(kubeconfig, { embedded: true, stop: async () => {} })
  onTestFinished(() => kube.close())
  return kube
}

/** A kubeconfig as people have saved it; only the port, which the system chose, is that of the new process. */
function moved(kubeconfig: string, to: string): string {
  const server = (path: string) => String(parse(readFileSync(path, 'utf8')).clusters[0].cluster.server)
  const path = join(tempDir(), 'kubeconfig')
  writeFileSync(path, readFileSync(kubeconfig, 'utf8').replace(server(kubeconfig), server(to)))
  return path
}

/** Clients that write until they are stopped; `answered` has the names of what the server said it has. */
function writers(kube: Kube, count: number) {
  const answered: string[] = []
  let stopped = false
  const one = async (client: number) => {
    for (let n = 0; !stopped; n++) {
      const name = `load-${client}-${n}`
      const { code, text } = await kube.create(maps, { metadata: { name }, data: { padding: 'x'.repeat(2000) } })
      if (code !== 201) throw new Error(text)
      answered.push(name)
    }
  }
  const done = Promise.all(Array.from({ length: count }, (_, client) => one(client)))
  const stop = async () => {
    stopped = true
    await done
  }
  return { answered, stop, done }
}

test('a cluster that is lost comes back from its backup as the same', async () => {
  const data = tempDir()
  const cloudcore = await started(data)
  const kube = open(join(data, 'kubeconfig'))
  expect((await kube.create(maps, { metadata: { name: 'kept' }, data: { value: '1' } })).code).toBe(201)

  const load = writers(kube, 8)
  const to = join(tempDir(), 'cluster.backup')
  while (load.answered.length < 300) await Promise.race([load.done, new Promise((soon) => setImmediate(soon))])
  const before = [...load.answered]
  const saved = await runProgram('cloudcore', ['backup', '--to', to, '--data', data])
  expect(saved).toMatchObject({ code: 0, told: '' })
  expect(saved.out).toMatch(/^\d+ objects as of resourceVersion \d+ are in .*cluster.backup\n$/)
  expect(statSync(to).mode & 0o777).toBe(0o600)
  // It went on while the copy was made.
  const written = load.answered.length
  await load.stop()
  expect(written).toBeGreaterThan(before.length)
  const last = (await kube.get(maps)).body.metadata.resourceVersion
  await cloudcore.kill('SIGKILL')

  const empty = join(tempDir(), 'new')
  const restored = await runProgram('cloudcore', ['restore', '--from', to, '--data', empty])
  expect(restored).toMatchObject({ code: 0, told: '' })
  await started(empty)
  const again = open(moved(join(data, 'kubeconfig'), join(empty, 'kubeconfig')))
  const { code, body } = await again.get(maps)
  expect(code).toBe(200)
  const names = body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)
  expect(names).toEqual(expect.arrayContaining(['kept', ...before]))
  expect(Number(body.metadata.resourceVersion)).toBeGreaterThan(Number(last))

  for (const version of ['1', last]) {
    const watch = await again.watch(`${maps}?watch=1&resourceVersion=${version}`)
    const gone = watch.code === 410 ? 410 : (await watch.next())?.object.code
    expect(gone, `a watch from ${version}`).toBe(410)
    watch.close()
  }
})

test('what was answered before a kill is in a backup made after it', async () => {
  const data = tempDir()
  const cloudcore = await started(data)
  const load = writers(open(join(data, 'kubeconfig')), 8)
  load.done.catch(() => {})
  while (load.answered.length < 100) await Promise.race([load.done, new Promise((soon) => setImmediate(soon))])
  await cloudcore.kill('SIGKILL')
  await load.stop().catch(() => {})

  const to = join(tempDir(), 'cluster.backup')
  expect(await runProgram('cloudcore', ['backup', '--to', to, '--data', data])).toMatchObject({ code: 0, told: '' })
  const empty = join(tempDir(), 'new')
  expect(await runProgram('cloudcore', ['restore', '--from', to, '--data', empty])).toMatchObject({ code: 0 })
  await started(empty)
  const { body } = await open(join(empty, 'kubeconfig')).get(maps)
  const names = body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)
  expect(names).toEqual(expect.arrayContaining(load.answered))
})

test('restore keeps off a folder that is in use, and one that has data', async () => {
  const data = tempDir()
  const cloudcore = await started(data)
  const to = join(tempDir(), 'cluster.backup')
  expect(await runProgram('cloudcore', ['backup', '--to', to, '--data', data])).toMatchObject({ code: 0 })
  const twice = await runProgram('cloudcore', ['backup', '--to', to, '--data', data])
  expect(twice).toMatchObject({ code: 2, out: '' })
  expect(twice.told).toMatch(/^cloudcore: .*cluster.backup exists: give another name, or --force to replace it\n$/)

  const inUse = await runProgram('cloudcore', ['restore', '--from', to, '--data', data, '--force'])
  expect(inUse).toMatchObject({ code: 2, out: '' })
  expect(inUse.told).toMatch(/^cloudcore: the data folder .* is in use by process \d+ .*: stop that one first.*\n$/)
  expect(cloudcore.running).toBe(true)
  await cloudcore.stop()

  const full = await runProgram('cloudcore', ['restore', '--from', to, '--data', data])
  expect(full).toMatchObject({ code: 2, out: '' })
  expect(full.told).toMatch(/^cloudcore: .*apiserver holds a cluster: .*\n$/)
  const forced = await runProgram('cloudcore', ['restore', '--from', to, '--data', data, '--force'])
  expect(forced).toMatchObject({ code: 0, told: '' })
  const aside = /lies in (.*)\n/.exec(forced.out)?.[1] ?? ''
  expect(existsSync(join(aside, 'apiserver.db'))).toBe(true)
  await started(data)
})
