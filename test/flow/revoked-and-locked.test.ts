import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { nodeCommand } from '@kedge/cloudcore/cli/node'
import { tokenCommand } from '@kedge/cloudcore/cli/token'
import { systemClock } from '@kedge/shared/clock'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { conditionOf } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Board, JoinableCloud } from '../support/joined.ts'

let cloud: JoinableCloud

beforeAll(async () => {
  cloud = await JoinableCloud.start(systemClock, afterAll)
})

const around = () => ({ env: {}, now: Date.now(), note: () => {} })
const nodes = (...words: string[]) => nodeCommand([...words, '--kubeconfig', cloud.kubeconfig], around())
const tokens = (...words: string[]) => tokenCommand([...words, '--kubeconfig', cloud.kubeconfig], around())
const row = (table: string, first: string) => table.split('\n').find((line) => line.startsWith(first)) ?? ''
const condition = async (node: string, type: string) => conditionOf(await cloud.api.get(`nodes/${node}`), type)

async function joined(name: string): Promise<Board> {
  const board = new Board(name, systemClock)
  await board.join(await cloud.token('--node', name))
  await board.start(cloud.port)
  await eventually(() => board.inSync)
  return board
}

test('a node that is revoked is cut off at once, and comes back with a token that is made for it afterwards', async () => {
  const [board, neighbour] = [await joined('edge-1'), await joined('edge-2')]
  await eventually(async () => (await condition('edge-1', 'LinkSecure'))?.status === 'True')
  expect(row(await nodes('list'), 'edge-1')).toMatch(/good +ends in 89d +connected/)
  const early = await cloud.token('--node', 'edge-1')

  expect(await nodes('revoke', 'edge-1')).toContain('its certificate counts no more')
  await eventually(() => !board.inSync)
  await eventually(() => board.said('identity refused').some(({ code }) => code === 'node-revoked'))
  await eventually(async () => (await condition('edge-1', 'IdentityLocked'))?.reason === 'Revoked')
  expect(row(await nodes('list'), 'edge-1')).toContain('revoked')
  await expect(nodes('revoke', 'edge-1')).rejects.toThrow(/was revoked at/)
  await board.stop()
  await expect(board.join([...early, '--force'])).rejects.toThrow(/was revoked at .* token create --node edge-1/)

  await board.join([...(await cloud.token('--node', 'edge-1')), '--force'])
  await board.start(cloud.port)
  await eventually(() => board.inSync)
  await eventually(async () => (await condition('edge-1', 'IdentityLocked'))?.status === 'False')
  expect(neighbour.said('link down')).toEqual([])
})

test('an identity that is in use in two places is locked, loudly, until somebody has looked at it', async () => {
  const board = await joined('edge-3')
  const copy = new Board('edge-3', systemClock)
  cpSync(join(board.data, 'identity.pem'), join(copy.data, 'identity.pem'))
  await copy.start(cloud.port)
  await eventually(async () => (await condition('edge-3', 'IdentityLocked'))?.status === 'True')
  expect((await condition('edge-3', 'IdentityLocked')).message).toContain('in use in two places')
  const told = await eventually(async () =>
    (await cloud.api.list('events')).find(({ reason }: { reason: string }) => reason === 'IdentityLocked'),
  )
  expect(told).toMatchObject({ type: 'Warning', involvedObject: { kind: 'Node', name: 'edge-3' } })
  await eventually(() => [board, copy].every((each) => each.said('identity refused').length > 0))
  expect([board.inSync, copy.inSync]).toEqual([false, false])
  expect(row(await nodes('list'), 'edge-3')).toContain('locked')

  await Promise.all([board.stop(), copy.stop()])
  expect(await nodes('unlock', 'edge-3')).toContain('edge-3 is unlocked')
  await expect(nodes('unlock', 'edge-3')).rejects.toThrow(/is not locked/)
  for (let start = 0; start < 3; start++) {
    await board.start(cloud.port)
    await eventually(() => board.inSync)
    await board.stop()
  }
  await eventually(async () => (await condition('edge-3', 'IdentityLocked'))?.status === 'False')
})

test('tokens are listed without what would be needed to use them, and taken back', async () => {
  const command = await tokens('create', '--ttl', '1h', '--uses', '2')
  const [, id = '', secret = ''] = /kedge1\.(\w+)\.([\w-]+)\./.exec(command) ?? []
  const list = await tokens('list')
  expect(row(list, id)).toMatch(/any +good +2 +in 59m/)
  expect(list).not.toContain(secret)
  expect(JSON.stringify(await cloud.api.list('secrets'))).not.toContain(secret)

  const flags = command.trim().split(' ').slice(2)
  await new Board('edge-7', systemClock).join(flags)
  expect(await tokens('revoke', id)).toContain('edge-7 joined with it and stay')
  expect(row(await tokens('list'), id)).toMatch(/revoked +1/)
  await expect(new Board('edge-8', systemClock).join(flags)).rejects.toThrow(/the token was revoked/)
  await expect(tokens('revoke', 'nosuchtokn')).rejects.toThrow(/there is no token/)
  await expect(tokens('revoke', `kedge1.${id}.${secret}`)).rejects.toThrow(/^(?!.*secret)a token's id/)
  expect(cloud.log.some((line) => JSON.stringify(line).includes(secret))).toBe(false)
})

test('what is not right on the command line is said with what would be', async () => {
  await expect(tokens('create', '--ttl', 'soon')).rejects.toThrow(/--ttl: found "soon"; give a duration/)
  await expect(tokens('create', '--uses', '0')).rejects.toThrow(/--uses: found "0"; give a number/)
  await expect(tokens('create', '--node', 'Edge_1')).rejects.toThrow(/--node: found "Edge_1"; give a DNS-1123 name/)
  await expect(tokens('make')).rejects.toThrow(/found "token make"; the commands are/)
  await expect(nodes('revoke', 'edge-99')).rejects.toThrow(/no node edge-99 has joined/)
  await expect(nodeCommand(['list', '--data', '/nowhere'], around())).rejects.toThrow(/no Kubernetes to ask/)
})
