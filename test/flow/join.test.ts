import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join as joinPath } from 'node:path'
import { tokenCommand } from '@kedge/cloudcore/cli/token'
import { get } from '@kedge/edgecore/cli/get'
import { ask } from '@kedge/edgecore/identity/ask'
import { csrFor } from '@kedge/edgecore/identity/csr'
import { leafOf } from '@kedge/edgecore/identity/identity'
import { findIdentity, requestKey } from '@kedge/edgecore/identity/keep'
import { settledNode } from '@kedge/edgecore/identity/settle'
import { systemClock } from '@kedge/shared/clock'
import { parseToken, shownToken } from '@kedge/shared/identity/token'
import { must } from '@kedge/shared/must'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { Board, JoinableCloud } from '../support/joined.ts'

let cloud: JoinableCloud

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

beforeAll(async () => {
  cloud = await JoinableCloud.start(systemClock, afterAll)
})

const board = (name: string) => new Board(name, systemClock)
const tokenOf = (args: readonly string[]) => must(args[args.indexOf('--token') + 1], 'token')
const faultOf = (joining: Promise<string>) => joining.catch((error: unknown) => error)

describe('edgecore join', () => {
  test('makes a board a node with the one command, whose key never leaves it, and which is then told nothing more', async () => {
    const edge = board('edge-1')
    const told = await edge.join(await cloud.token())
    expect(told).toMatch(/this board is the node edge-1 now; its certificate, until \d{4}-\d\d-\d\d, renews itself/)
    expect(told).toContain(`start it: edgecore --data ${edge.data}`)
    const files = readdirSync(edge.data).map((name) => joinPath(edge.data, name))
    expect(files.map((file) => (statSync(file).mode & 0o777).toString(8))).toEqual(['600'])
    const settled = settledNode({ data: edge.data })
    expect(settled).toMatchObject({ nodeName: 'edge-1', cloud: `mqtts://127.0.0.1:${cloud.port}` })
    await edge.start(cloud.port)
    await eventually(() => edge.inSync)
    const node = await cloud.api.get('nodes/edge-1')
    expect(JSON.stringify(cloud.log)).not.toContain(tokenOf(await cloud.token()).split('.')[1])
    expect(node.metadata.name).toBe('edge-1')
  })

  test('again changes nothing; as another node, or of another cloud, it needs --force', async () => {
    const edge = board('edge-2')
    await edge.join(await cloud.token())
    const serial = () => leafOf(must(findIdentity(edge.data).identity, 'identity').chain).serial
    const first = serial()
    const spent = await cloud.token()
    expect(await edge.join(spent)).toContain('this board is the node edge-2 of')
    expect(serial()).toBe(first)
    await expect(edge.join(['mqtts://other.example:8883', ...spent.slice(1)])).rejects.toThrow(/--force gives that up/)
    expect(await edge.join([...(await cloud.token('--node', 'edge-2')).slice(0, 3), '--force'])).toContain('edge-2 now')
    expect(serial()).not.toBe(first)
    expect(() => settledNode({ data: edge.data, nodeName: 'edge-9' })).toThrow(/holds the identity of edge-2/)
  })

  test('gets the certificate whose answer was lost, with the token that is spent; another board does not', async () => {
    const edge = board('edge-3')
    const args = await cloud.token()
    const token = must(parseToken(tokenOf(args)), 'token')
    const lost = await ask({
      url: must(args[0], 'url'),
      judge: (presented) => ({ ok: true, path: presented }),
      signal: new AbortController().signal,
      question: { is: 'enrol', token: shownToken(token), node: 'edge-3', csr: csrFor(requestKey(edge.data), 'edge-3') },
    })
    expect(lost.is).toBe('enrolled')
    expect(await edge.join(args)).toContain('this board is the node edge-3 now')
    expect(await faultOf(board('edge-4').join(args))).toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(/cloudcore refuses: the token has been used.*cloudcore token create/),
    })
  })

  test.each([
    [
      'a token of its own making',
      (args: string[]) => ['--token', tokenOf(args).replace(/\.[\w-]{22}\./, `.${'x'.repeat(22)}.`)],
      /there is no such token/,
    ],
    [
      'a token of another cloud',
      (args: string[]) => ['--token', tokenOf(args).slice(0, -43) + randomBytes(32).toString('base64url')],
      /not the one that the token names.*somebody may be in between/,
    ],
    ['half a token', (args: string[]) => ['--token', tokenOf(args).slice(0, -1)], /that is no join token/],
    ['no token', () => [], /give --token or --token-file/],
    ['two', (args: string[]) => ['--token', tokenOf(args), '--token-file', '-'], /give --token or --token-file/],
    ['a file that is not there', () => ['--token-file', '/nowhere/token'], /--token-file: ENOENT/],
  ])('with %s is refused, and leaves no identity', async (_name, flags, fault) => {
    const edge = board('edge-5')
    const args = await cloud.token()
    const error = await faultOf(edge.join([must(args[0], 'url'), ...flags(args)]))
    expect(error).toMatchObject({ name: 'UserError', message: expect.stringMatching(fault) })
    expect(existsSync(joinPath(edge.data, 'identity.pem'))).toBe(false)
  })

  test.each([
    [[], /give one URL/],
    [['mqtt://127.0.0.1:1883'], /found "mqtt:\/\/127.0.0.1:1883"; give mqtts/],
    [['nonsense'], /give mqtts/],
    [['mqtts://user:password@host'], /give mqtts/],
    [['mqtts://a', 'mqtts://b'], /give one URL/],
    [['mqtts://a', '--tokn', 'x'], /edgecore join --help/],
  ])('with %j is refused', async (args, fault) => {
    expect(await faultOf(board('edge-6').join(args))).toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(fault),
    })
  })

  test('for a node that the token is not for says for which it is', async () => {
    const args = await cloud.token('--node', 'edge-7')
    const error = await faultOf(board('edge-8').join(args.slice(0, 3)))
    expect(error).toMatchObject({ message: expect.stringMatching(/for node edge-7.*--node-name/) })
    expect(await board('edge-7').join(args.slice(0, 3))).toContain('edge-7 now')
  })

  test('again helps a board whose identity is damaged, which says so until then', async () => {
    const edge = board('edge-14')
    await edge.join(await cloud.token())
    const file = joinPath(edge.data, 'identity.pem')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/.{40}\n-----END PRIVATE/, '-----END PRIVATE'))
    expect(() => settledNode({ data: edge.data })).toThrow(/cut off or was changed; make a token for its name/)
    const looking = get(['identity', '--data', edge.data], { env: {}, now: Date.now() })
    await expect(looking).rejects.toThrow(/identity.pem: it is cut off or was changed/)
    await expect(edge.join(await cloud.token())).rejects.toThrow(/cloudcore token create --node edge-14/)
    expect(await edge.join(await cloud.token('--node', 'edge-14'))).toContain('edge-14 now')
    expect(settledNode({ data: edge.data })).toMatchObject({ nodeName: 'edge-14' })
  })

  test('takes the token from a file', async () => {
    const edge = board('edge-10')
    const args = await cloud.token()
    const file = joinPath(joinPath(edge.data, '..'), 'token')
    writeFileSync(file, `${tokenOf(args)}\n`)
    expect(await edge.join([must(args[0], 'url'), '--token-file', file])).toContain('edge-10 now')
  })

  test('waits for a cloud that is away, and then says that it has not joined', async () => {
    const args = await cloud.token()
    const error = await faultOf(board('edge-11').join(['mqtts://127.0.0.1:1', ...args.slice(1)], 200))
    expect(error).toMatchObject({ name: 'Error', message: expect.stringMatching(/not joined: .*ECONNREFUSED/) })
  })

  test('with a token that was revoked, or has expired, is refused', async () => {
    const args = await cloud.token('--ttl', '1s')
    const expires = Date.now() + 1000
    const other = await cloud.token()
    const around = { env: {}, now: Date.now(), note: () => {} }
    await tokenCommand(['revoke', must(tokenOf(other).split('.')[1], 'id'), '--kubeconfig', cloud.kubeconfig], around)
    expect(String(await faultOf(board('edge-12').join(other)))).toContain('revoked')
    await eventually(() => Date.now() > expires)
    expect(String(await faultOf(board('edge-13').join(args)))).toContain('expired')
  })
})
