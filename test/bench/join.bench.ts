import { setTimeout as pause } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { tokenCommand } from '@kedge/cloudcore/cli/token'
import { ask } from '@kedge/edgecore/identity/ask'
import { csrFor, newKey } from '@kedge/edgecore/identity/csr'
import type { EnrolUp } from '@kedge/shared/identity/enrol'
import { parseToken, shownToken } from '@kedge/shared/identity/token'
import { verifyPinned } from '@kedge/shared/identity/verify'
import { must } from '@kedge/shared/must'
import { type BenchContext, memoryOf } from './harness.ts'
import { System } from './support/system.ts'

export const name = 'join'

export const parts = { boards, connections }

/** Boards that all join at once, each with a key of its own, made beforehand. */
async function boards(context: BenchContext): Promise<void> {
  await System.run(
    async (system) => {
      const count = context.quick ? 50 : 1000
      const { token, wishes } = await prepare(system, count)
      const url = `mqtts://127.0.0.1:${system.linkPort}`
      const judge = (presented: Parameters<typeof verifyPinned>[0]['presented'], host: string) =>
        verifyPinned({ presented, pin: token.pin, at: Date.now(), use: 'server', host })
      const join = (question: EnrolUp) =>
        ask({ url, judge, question, signal: new AbortController().signal, timeout: 60_000 }).catch(() => undefined)
      context.say(`${count} boards join`)
      const began = performance.now()
      const answers = await Promise.all(
        wishes.map(async (wish) => {
          for (let tries = 1; ; tries++) {
            const answer = await join(wish)
            if (answer?.is === 'enrolled' || tries === 10) return answer
            // As `edgecore join` does.
            await pause(Math.random() * Math.min(10_000, 500 * 2 ** tries))
          }
        }),
      )
      const seconds = (performance.now() - began) / 1000
      const joined = answers.filter((answer) => answer?.is === 'enrolled').length
      if (joined !== count) context.wrong(`${joined} of ${count} boards have joined`)
      const conditions = `${count} at once, all of them in one process beside cloudcore`
      context.figure('boards joined', joined / seconds, '1/s', conditions)
    },
    { secure: true },
  )
}

async function prepare(system: System, count: number) {
  const flags = ['create', '--uses', `${count}`, '--kubeconfig', system.kubeconfig]
  const command = await tokenCommand(flags, { env: {}, now: Date.now(), note: () => {} })
  const token = must(parseToken(/kedge1\.\S+/.exec(command)?.[0] ?? ''), 'the token of the command')
  const wishes = Array.from({ length: count }, (_, index) => {
    const node = `board-${index}`
    return { is: 'enrol', token: shownToken(token), node, csr: csrFor(newKey(), node) } as const
  })
  return { token, wishes }
}

/** TLS connections that say nothing: how fast they come, and what each takes of cloudcore's memory. */
async function connections(context: BenchContext): Promise<void> {
  await System.run(
    async (system) => {
      const count = context.quick ? 100 : 900
      const before = memoryOf(system.cloudcore.pid).rss
      const began = performance.now()
      const sockets = await Promise.all(Array.from({ length: count }, () => secured(system.linkPort)))
      const seconds = (performance.now() - began) / 1000
      context.figure('TLS handshakes', count / seconds, '1/s', `${count} at once, both ends on this machine`)
      const taken = (memoryOf(system.cloudcore.pid).rss - before) * 1000
      context.figure('memory of a TLS connection', taken / count, 'KB', `resident, by ${count} that say nothing`)
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
