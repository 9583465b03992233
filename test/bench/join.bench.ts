import { setTimeout as pause } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { tokenCommand } from '@kedge/cloudcore/cli/token'
import { ask } from '@kedge/edgecore/identity/ask'
import { csrFor, newKey } from '@kedge/edgecore/identity/csr'
import type { EnrolDown, EnrolUp } from '@kedge/shared/identity/enrol'
import { type JoinToken, parseToken, shownToken } from '@kedge/shared/identity/token'
import { verifyPinned } from '@kedge/shared/identity/verify'
import { must } from '@kedge/shared/must'
import mqttPacket from 'mqtt-packet'
import { type BenchContext, memoryOf, settledMemory } from './harness.ts'
import { System } from './support/system.ts'

export const name = 'join'

export const parts = { boards, connections }

/** Boards that all join at once, each with a key of its own, made beforehand; then the links of all of them. */
async function boards(context: BenchContext): Promise<void> {
  await System.run(
    async (system) => {
      const count = context.quick ? 50 : 1000
      const { token, wishes } = await prepare(system, count)
      context.say(`${count} boards join`)
      const began = performance.now()
      const joining = wishes.map(({ question }) => joined(system, token, question))
      const done = await Promise.all(
        joining.map((joining) => joining.then((answer) => ({ answer, seconds: (performance.now() - began) / 1000 }))),
      )
      const seconds = (performance.now() - began) / 1000
      const papers = done.flatMap(({ answer }, index) => {
        const key = wishes[index]?.key
        return answer?.is === 'enrolled' && key !== undefined ? [{ node: answer.node, key, chain: answer.chain }] : []
      })
      if (papers.length !== count) context.wrong(`${papers.length} of ${count} boards have joined`)
      const conditions = `${count} at once, all of them in one process beside cloudcore`
      context.figure('boards joined', papers.length / seconds, '1/s', conditions)
      const each = done.map(({ seconds }) => seconds)
      context.percentiles('from the first try of all to joined', each, 's', conditions)
      await links(system, papers, context)
    },
    { secure: true },
  )
}

/** As `edgecore join` does it. */
async function joined(system: System, { pin }: JoinToken, question: EnrolUp): Promise<EnrolDown | undefined> {
  const url = `mqtts://127.0.0.1:${system.linkPort}`
  const judge = (presented: Parameters<typeof verifyPinned>[0]['presented'], host: string) =>
    verifyPinned({ presented, pin, at: Date.now(), use: 'server', host })
  const { signal } = new AbortController()
  for (let tries = 1; ; tries++) {
    const answer = await ask({ url, judge, question, signal, timeout: 60_000 }).catch(() => undefined)
    if (answer?.is === 'enrolled' || tries === 10) return answer
    await pause(Math.random() * Math.min(10_000, 500 * 2 ** tries))
  }
}

interface Papers {
  node: string
  key: string
  chain: string
}

/** So many at once are between their first packet and their CONNACK. */
const atOnce = 32

/** Connections with certificates on both sides, up to the CONNACK, held until all stand. */
async function links(system: System, papers: readonly Papers[], context: BenchContext): Promise<void> {
  // Started again, it holds nothing that joining has left behind.
  await system.cloudcore.stop()
  await system.startCloudcore()
  const before = await settledMemory(system.cloudcore.pid)
  const left = [...papers]
  const standing: TLSSocket[] = []
  const began = performance.now()
  const worker = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      standing.push(await connected(system.linkPort, next))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  const seconds = (performance.now() - began) / 1000
  const conditions = `certificates on both sides, ${atOnce} at once, both ends on this machine`
  context.figure('full TLS handshakes with CONNECT', standing.length / seconds, '1/s', conditions)
  const after = await settledMemory(system.cloudcore.pid)
  const taken = ((after.rss - before.rss) * 1000) / standing.length
  context.figure('memory of a TLS link', taken, 'KB', `resident at cloudcore, of ${standing.length} that stand`)
  for (const socket of standing) socket.destroy()
}

/** Resolves at the CONNACK that lets it in. */
function connected(port: number, { node, key, chain }: Papers): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, key, cert: chain, rejectUnauthorized: false })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
    socket.once('secureConnect', () =>
      socket.write(
        mqttPacket.generate({ cmd: 'connect', clientId: node, clean: true, keepalive: 300, protocolVersion: 4 }),
      ),
    )
    socket.once('data', (connack) => (connack[3] === 0 ? resolve(socket) : reject(new Error('refused'))))
  })
}

async function prepare(system: System, count: number) {
  const flags = ['create', '--uses', `${count}`, '--kubeconfig', system.kubeconfig]
  const command = await tokenCommand(flags, { env: {}, now: Date.now(), note: () => {} })
  const token = must(parseToken(/kedge1\.\S+/.exec(command)?.[0] ?? ''), 'the token of the command')
  const wishes = Array.from({ length: count }, (_, index) => {
    const node = `board-${index}`
    const key = newKey()
    return { key, question: { is: 'enrol', token: shownToken(token), node, csr: csrFor(key, node) } as const }
  })
  return { token, wishes }
}

/** TLS connections of strangers that say nothing: how fast they come, and what each takes of cloudcore's memory. */
async function connections(context: BenchContext): Promise<void> {
  await System.run(
    async (system) => {
      const count = context.quick ? 100 : 900
      const before = memoryOf(system.cloudcore.pid).rss
      const began = performance.now()
      const sockets = await Promise.all(Array.from({ length: count }, () => secured(system.linkPort)))
      const seconds = (performance.now() - began) / 1000
      context.figure(
        'TLS handshakes of strangers',
        count / seconds,
        '1/s',
        `${count} at once, both ends on this machine`,
      )
      const taken = (memoryOf(system.cloudcore.pid).rss - before) * 1000
      context.figure(
        'memory of a TLS connection that says nothing',
        taken / count,
        'KB',
        `resident at cloudcore, of ${count}`,
      )
      for (const socket of sockets) socket.destroy()
    },
    { secure: true },
  )
}

function secured(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
    socket.once('secureConnect', () => resolve(socket))
    socket.once('error', reject)
  })
}
