import { methods } from '@kedge/edgecore/pods/cri/api'
import { codes, GrpcError, type Method } from '@kedge/edgecore/pods/cri/grpc'
import { View } from '@kedge/edgecore/pods/cri/view'
import { expect, test } from 'vitest'

const record = JSON.stringify({ kind: 'main', image: 'a', imageId: 'b', backoffMs: 0 })
const sandbox = { id: 's', metadata: { namespace: 'default', name: 'web', uid: 'u', attempt: 0 }, state: 0 }

/** An engine with one pod of so many containers. */
function engine(ids: readonly string[]) {
  const asked: string[] = []
  const play = { state: 1, gone: new Set<string>(), during: (_: string) => {} }
  const answers: Record<string, (id: string) => object> = {
    [methods.listSandboxes.path]: () => ({ items: [{ ...sandbox, created_at: 0, labels: {}, annotations: {} }] }),
    [methods.listContainers.path]: () => ({
      containers: ids.map((id) => ({
        ...{ id, pod_sandbox_id: 's', metadata: { name: id, attempt: 0 }, state: play.state, created_at: 0 },
        ...{ labels: {}, annotations: { 'kedge.io/record': record } },
      })),
    }),
    [methods.sandboxStatus.path]: () => ({ status: { id: 's', network: { ip: '10.0.0.1', additional_ips: [] } } }),
    [methods.containerStatus.path]: (id) => ({
      status: {
        id,
        state: play.state,
        created_at: 0,
        started_at: 1,
        finished_at: 2,
        exit_code: 0,
        reason: '',
        message: '',
      },
    }),
  }
  const client = {
    async call<I, O>({ path }: Method<I, O>, input: I): Promise<O> {
      const id = (input as { container_id?: string }).container_id ?? ''
      asked.push(`${path.split('/').at(-1)} ${id}`.trim())
      if (play.gone.has(id)) throw new GrpcError(codes.notFound, 'not found')
      const answer = answers[path]?.(id)
      play.during(id)
      await Promise.resolve()
      return answer as O
    },
  }
  return { view: new View(client), asked, play }
}

const names = async (view: View) => (await view.list()).flatMap(({ containers }) => containers.map(({ name }) => name))

test('what cannot change is asked for once', async () => {
  const { view, asked, play } = engine(['a'])
  await view.list()
  asked.splice(0)
  expect(await view.list()).toMatchObject([{ ip: '10.0.0.1', containers: [{ state: { is: 'running' } }] }])
  expect(asked).toEqual(['ListPodSandbox', 'ListContainers'])
  play.state = 2
  expect(await view.list()).toMatchObject([{ containers: [{ state: { is: 'exited' } }] }])
  view.expire('a')
  asked.splice(0)
  await view.list()
  expect(asked).toContain('ContainerStatus a')
})

test('a container stays in the list when something happens to it in the middle of a look', async () => {
  const { view, play } = engine(['a', 'b'])
  await view.list()
  view.expire('b')
  play.during = (id) => {
    if (id === 'b') for (const one of ['a', 'b']) view.expire(one)
  }
  expect(await names(view)).toEqual(['a', 'b'])
})

test('what was said before something happened is not remembered', async () => {
  const { view, asked, play } = engine(['a'])
  play.during = (id) => {
    if (id === 'a') view.expire('a')
  }
  await view.list()
  play.during = () => {}
  asked.splice(0)
  await view.list()
  expect(asked).toContain('ContainerStatus a')
})

test('a container that vanishes meanwhile is not listed', async () => {
  const { view, play } = engine(['a', 'b'])
  play.gone.add('a')
  expect(await names(view)).toEqual(['b'])
})

test('who asks for the same at the same time shares the answer, unless something has happened meanwhile', async () => {
  const { view, asked, play } = engine(['a'])
  const first = view.list()
  await Promise.all([first, view.list(), view.list()])
  expect(asked.filter((call) => call === 'ContainerStatus a')).toHaveLength(1)
  view.expire('a')
  asked.splice(0)
  play.during = (id) => id === 'a' && view.expire('a')
  await Promise.all([view.list(), view.list()])
  expect(asked.filter((call) => call === 'ContainerStatus a')).toHaveLength(2)
})
