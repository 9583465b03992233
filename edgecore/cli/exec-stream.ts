import { UserError } from '@kedge/shared/errors'
import { type RawData, WebSocket } from 'ws'
import type { Terminal } from './exec.ts'

/** The channels of Kubernetes' remote command protocol over a WebSocket: the first byte of each message. */
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

/** Newest first; `v5` is `v4` and a way to say that the input has ended. */
const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']

export interface Streamed {
  /** Where the engine waits for this command, once. */
  url: string
  stdin: boolean
  tty: boolean
  terminal: Terminal
}

/** Joins the terminal to a command that the engine runs; resolves with its exit code. Throws a `UserError`. */
export async function runStreamed({ url, stdin, tty, terminal }: Streamed): Promise<number> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, { perMessageDeflate: false })
  const raw = stdin && tty
  let exitCode: number | undefined
  const over = new Promise<void>((resolve, reject) => {
    socket.once('error', (cause) => reject(new UserError('the engine does not stream this command', { cause })))
    socket.once('close', () => resolve())
    socket.on('message', (data) => {
      try {
        exitCode = take(socket, bytesOf(data), terminal) ?? exitCode
      } catch (error) {
        reject(error)
        socket.terminate()
      }
    })
  })
  const resized = () => send(socket, channels.resize, sizeOf(terminal))
  socket.once('open', () => {
    if (tty) resized()
    if (tty) terminal.stdout.on('resize', resized)
    if (raw) terminal.stdin.setRawMode(true)
    if (stdin) passOn(socket, terminal)
  })
  try {
    await over
  } finally {
    terminal.stdout.off('resize', resized)
    if (raw) terminal.stdin.setRawMode(false)
    terminal.stdin.destroy()
  }
  if (exitCode === undefined) throw new UserError('the engine ended the command without telling how')
  return exitCode
}

/** Writes output on; an exit code once the engine tells it. */
function take(socket: WebSocket, message: Buffer, { stdout, stderr }: Terminal): number | undefined {
  const content = message.subarray(1)
  if (message[0] === channels.stdout) write(socket, stdout, content)
  else if (message[0] === channels.stderr) write(socket, stderr, content)
  else if (message[0] === channels.error) return exitCodeOf(content.toString())
  return undefined
}

/** A reader that does not keep up slows the command down, as a pipe would. */
function write(socket: WebSocket, output: NodeJS.WriteStream, content: Buffer): void {
  if (output.write(content)) return
  socket.pause()
  output.once('drain', () => socket.resume())
}

interface CommandStatus {
  status?: string
  message?: string
  details?: { causes?: { reason?: string; message?: string }[] }
}

/** Of the `metav1.Status` at the end of a command. Throws a `UserError` when it did not run at all. */
export function exitCodeOf(text: string): number {
  const { status, message = text, details } = JSON.parse(text) as CommandStatus
  if (status === 'Success') return 0
  const code = Number(details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message)
  if (Number.isInteger(code)) return code
  throw new UserError(message)
}

function passOn(socket: WebSocket, { stdin, stderr }: Terminal): void {
  stdin.on('data', (data: Buffer) => send(socket, channels.stdin, data))
  stdin.once('end', () => {
    if (socket.protocol === protocols[0]) return send(socket, channels.close, Buffer.from([channels.stdin]))
    stderr.write('edgecore: this engine cannot tell a command that its input has ended; end it with Ctrl-C\n')
  })
}

function send(socket: WebSocket, channel: number, data: Buffer): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(Buffer.concat([Buffer.from([channel]), data]))
}

function sizeOf({ stdout }: Terminal): Buffer {
  return Buffer.from(JSON.stringify({ Width: stdout.columns ?? 80, Height: stdout.rows ?? 24 }))
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
