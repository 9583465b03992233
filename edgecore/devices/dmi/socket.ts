import { accessSync, chmodSync, constants, lstatSync, mkdirSync, statSync, unlinkSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { codeOf } from '@kedge/shared/errors'
import { maxSocketPath } from './requests.ts'

/** Where KubeEdge's mappers look for edgecore's socket. */
export const kubeEdgeFolder = '/etc/kubeedge'
const fileName = 'dmi.sock'

/**
 * The paths to listen at, the first that works. With `auto` it is KubeEdge's, where its folder exists and may be written
 * to, else one in the data folder. A folder means `dmi.sock` in it, as in KubeEdge's settings.
 */
export function socketPaths(setting: string, { data, folder = kubeEdgeFolder }: { data: string; folder?: string }) {
  if (setting === 'auto') return [...(isWritable(folder) ? [join(folder, fileName)] : []), join(data, fileName)]
  return [isFolder(setting) ? join(setting, fileName) : setting]
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return isFolder(folder)
  } catch {
    return false
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/**
 * Listens at a Unix socket for its owner and group. A socket that nobody listens at any more is replaced; rejects where
 * something else is in its place. Connections are handed over before anything is read from them.
 */
export async function listenAt(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  if (Buffer.byteLength(path) > maxSocketPath) {
    throw new Error(`the path of a Unix socket has at most ${maxSocketPath} bytes: ${path}`)
  }
  mkdirSync(dirname(path), { recursive: true })
  await clear(path)
  const server = createServer({ pauseOnConnect: true }, onConnection)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  chmodSync(path, 0o660)
  return server
}

/** Removes what a process that is gone has left. */
async function clear(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw new Error(`${path} exists and is no socket`)
  if (await isListening(path)) throw new Error(`another process listens at ${path}`)
  try {
    unlinkSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
