import { rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { readBody } from '@kedge/shared/http-body'
import type { Service } from '@kedge/shared/service'
import * as z from 'zod'
import type { Gate } from './gate.ts'

/** What a gate can be told: a mode, or to break the connections that stand. */
export const Order = z.discriminatedUnion('is', [
  z.object({ is: z.enum(['open', 'cut', 'stalled']) }),
  z.object({ is: z.literal('break') }),
  z.object({ is: z.literal('slow'), ms: z.int().min(1).max(60_000) }),
])
export type Order = z.infer<typeof Order>

/** Takes orders for the gate at a Unix socket, where no edge node reaches it. */
export function openControl(gate: Gate, socket: string): Promise<Service> {
  const server = createServer((asked, answer) => {
    take(gate, asked, answer).catch(() => answer.destroy())
  })
  // A gate that was killed leaves its socket.
  rmSync(socket, { force: true })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(socket, () => resolve({ stop: () => new Promise<void>((closed) => server.close(() => closed())) }))
  })
}

async function take(gate: Gate, asked: IncomingMessage, answer: ServerResponse): Promise<void> {
  const body = (await readBody(asked, 1000))?.toString() ?? ''
  const order = Order.safeParse(parsed(body))
  if (!order.success) {
    answer
      .writeHead(400)
      .end(`found ${JSON.stringify(body)}: give {"is":"open|cut|stalled|break"} or {"is":"slow","ms":500}\n`)
    return
  }
  const { connections } = gate
  if (order.data.is === 'break') gate.breakAll()
  else gate.mode = order.data
  answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ connections }))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Gives each of several gates an order. Resolves with the number of connections that stood; throws when one does not take it. */
export async function tellGates(paths: readonly string[], order: Order): Promise<number> {
  if (paths.length === 0) throw new Error('there is none')
  const stood = await Promise.all(paths.map((path) => tellGate(path, order)))
  return stood.reduce((sum, count) => sum + count, 0)
}

/** Gives a gate an order. Resolves with the number of connections that stood; throws when the gate does not take it. */
export function tellGate(socketPath: string, order: Order): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method: 'POST', timeout: 5000 }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const read = z.object({ connections: z.int() }).safeParse(parsed(text))
        if (read.success) resolve(read.data.connections)
        else reject(new Error(`the gate says ${answer.statusCode} ${text}`))
      })
    })
    asked.on('timeout', () => asked.destroy(new Error('the gate does not answer')))
    asked.on('error', reject)
    asked.end(JSON.stringify(order))
  })
}
