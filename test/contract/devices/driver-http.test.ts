import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { exampleDevices } from '../../support/example-devices.ts'
import { muteServer } from '../../support/modbus-server.ts'

const value = (node: DeviceNode, name: string, property: string) =>
  node.report(name)?.twins?.[property]?.reported?.value

async function serve(answer: (request: IncomingMessage, body: string, response: ServerResponse) => void) {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => answer(request, body, response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

test('the example thermostat is asked, and told what is desired', async () => {
  let target = 18
  const asked: string[] = []
  const port = await serve((request, body, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`)
    if (request.method === 'PUT') target = JSON.parse(body).target
    response.end(JSON.stringify({ sensors: [{ tenths: 215 }], target, window: 'closed' }))
  })
  const node = await DeviceNode.start()
  const local = (text: string) => text.replace('192.168.1.60', `127.0.0.1:${port}`).replaceAll(': 5000', ': 50')
  await node.apply(...exampleDevices('http-sensor.yaml', local))
  await eventually(() => value(node, 'hallway', 'target') === '21.5')
  expect(value(node, 'hallway', 'temperature')).toBe('21.5')
  expect(value(node, 'hallway', 'window')).toBe('false')
  expect(node.report('hallway')?.state).toBe('online')
  const login = `Basic ${Buffer.from('admin:admin').toString('base64')}`
  expect(asked[0]).toBe(`GET /status ${login} `)
  // One request for all that lies in its answer, then the write.
  expect(asked[1]).toBe(`PUT /target ${login} {"target":21.5}`)
  expect(node.events('DriverFailed')).toEqual([])
})

test('the example button calls: its values are kept before it is answered; what is wrong is answered too', async () => {
  const node = await DeviceNode.start()
  expect(node.devices.webhookPort).toBeUndefined()
  await node.apply(...exampleDevices('http-button.yaml'))
  const port = await eventually(() => node.devices.webhookPort)
  const url = `http://127.0.0.1:${port}/devices/default/button`
  const call = (init: RequestInit = {}, query = '') => fetch(`${url}${query}`, { method: 'POST', ...init })
  const headers = { authorization: 'Bearer change-this-word' }
  await eventually(async () => (await call({ headers, body: '{"pressed":"short","battery":97}' })).status === 204)
  // Kept by now, not soon.
  expect([value(node, 'button', 'pressed'), value(node, 'button', 'battery')]).toEqual(['short', '97'])
  expect(node.report('button')?.state).toBe('online')
  expect((await call({ body: '{"pressed":"long"}' })).status).toBe(401)
  expect(
    (await call({ body: '{"pressed":"long"}', headers: { authorization: 'Bearer change-this-wor' } })).status,
  ).toBe(401)
  expect((await fetch(`${url}?token=change-this-word&pressed=double`)).status).toBe(204)
  expect(value(node, 'button', 'pressed')).toBe('double')
  const refused = await call({ headers, body: '{"battery":300,"pressed":"again"}' })
  expect([refused.status, await refused.text()]).toEqual([422, 'battery: the value 300 is above the maximum 100\n'])
  expect(value(node, 'button', 'pressed')).toBe('again')
  const rubbish = await call({ headers, body: '<html>' })
  expect([rubbish.status, await rubbish.text()]).toEqual([422, 'nothing in it is a property: pressed, battery\n'])
  expect((await call({ headers, body: 'x'.repeat(1_100_000) })).status).toBe(413)
  expect((await fetch(`http://127.0.0.1:${port}/devices/default/other`)).status).toBe(404)
  await node.drop('devices/default/button')
  // Nobody needs the port any more.
  await eventually(async () =>
    fetch(url).then(
      () => false,
      () => true,
    ),
  )
})

const box = model('box', { properties: [{ name: 'level', type: 'INT', accessMode: 'ReadWrite' }] })

function boxOf(name: string, configData: Record<string, unknown>, visitor: Record<string, unknown> = {}) {
  const visitors = { protocolName: 'http', configData: { path: 'level', ...visitor } }
  const properties = [{ name: 'level', collectCycle: 20, visitors }]
  return device(name, { model: 'box', properties, protocol: { protocolName: 'http', configData } })
}

test('servers that hang, fail, talk rubbish or too much: each is seen on its device, the others go on', async () => {
  const { port: mute } = await muteServer()
  const port = await serve(({ url }, _, response) => {
    if (url === '/broken') response.writeHead(500).end('out of paper')
    else if (url === '/rubbish') response.end('<html>')
    else if (url === '/endless') response.end('x'.repeat(2_000_000))
    else response.end('{"level":5}')
  })
  const node = await DeviceNode.start()
  const at = (path: string) => ({ url: `http://127.0.0.1:${port}${path}` })
  await node.apply(
    ...[box, boxOf('hung', { url: `http://127.0.0.1:${mute}`, timeout: 100 }), boxOf('broken', at('/broken'))],
    ...[boxOf('rubbish', at('/rubbish')), boxOf('endless', at('/endless')), boxOf('good', at('/good'))],
  )
  await eventually(() => value(node, 'good', 'level') === '5')
  const told = await eventually(() => {
    const events = new Map(node.events('DriverFailed').map(({ regarding, message }) => [regarding.name, message]))
    return events.size === 4 && events
  })
  expect(told.get('hung')).toBe('no answer within 100 ms')
  expect(told.get('broken')).toBe('status 500: out of paper')
  expect(told.get('rubbish')).toBe('property level: /rubbish: found "<html>" where JSON should be')
  expect(told.get('endless')).toContain('longer than 1048576 bytes')
  await eventually(() => node.report('hung')?.state === 'offline' && node.report('broken')?.state === 'unhealthy')
  expect(node.report('good')?.state).toBe('online')
})

test('a write that fails is tried again; one that is refused is not', async () => {
  let tries = 0
  const bodies: string[] = []
  const port = await serve(({ method, url }, body, response) => {
    if (method === 'GET') return response.end('{"level":5}')
    bodies.push(`${url} ${body}`)
    if (body === 'bad') return response.writeHead(400).end('no')
    response.writeHead(++tries === 1 ? 503 : 200).end()
  })
  const node = await DeviceNode.start({ random: () => 0 })
  const command = { url: '/set?to={{value}}', body: '{{value}}', map: { '13': 'bad' } }
  await node.apply(box, boxOf('b', { url: `http://127.0.0.1:${port}` }, { command }))
  const client = await node.connect()
  const desire = (level: string) =>
    client.publish('$hw/events/device/b/twin/update', { twin: { level: { expected: { value: level } } } })
  await desire('7')
  await eventually(() => bodies.length === 2)
  expect(bodies).toEqual(['/set?to=7 7', '/set?to=7 7'])
  await desire('13')
  await eventually(() => node.events('DriverFailed').some(({ message }) => message.startsWith('desired level')))
  await desire('8')
  await eventually(() => bodies.at(-1) === '/set?to=8 8')
  expect(bodies.filter((each) => each === '/set?to=bad bad')).toHaveLength(1)
})

test('descriptions that are wrong name the field; webhooks that are off say so', async () => {
  const node = await DeviceNode.start({ webhookAddress: null })
  await node.apply(
    ...[box, boxOf('a', {}), boxOf('b', { url: 'ftp://x' }), boxOf('c', { webhook: {} })],
    ...[boxOf('d', { url: 'http://x', headers: { 'a b': 'c' } }), boxOf('e', { webhook: { token: 'long enough' } })],
  )
  const text = await eventually(() => {
    const told = node.events('DriverFailed').map(({ message, regarding }) => `${regarding.name}: ${message}`)
    return told.length === 5 && told.join('\n')
  })
  expect(text).toMatch(/a: property level: visitors\.configData\.url: give the address to ask/)
  expect(text).toMatch(/b: spec\.protocol\.configData\.url: give http:.*found "ftp:\/\/x"/)
  expect(text).toMatch(/c: spec\.protocol\.configData\.webhook\.token: give the word/)
  expect(text).toMatch(/d: spec\.protocol\.configData\.headers\.a b: /)
  expect(text).toMatch(/e: webhooks are off: set --webhook-address/)
})
