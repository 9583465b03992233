import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { explain } from '@kedge/shared/errors'
import type { ContainerSpec, Hook, Probe } from '../container-schema.ts'
import { ExecTimedOut, type Runtime } from '../runtime.ts'
import { askHealth } from './grpc.ts'
import { ask, urlOf } from './http.ts'
import type { Outcome } from './probe-state.ts'

/** Where a handler acts. */
export interface Target {
  /** Of the container. */
  id: string
  /** Of the pod; on the node's network, that of the node. */
  ip: string
  container: ContainerSpec
  runtime: Pick<Runtime, 'exec'>
}

const mostOutput = 1024

/** Makes one attempt of a probe. Never rejects. */
export async function attempt(probe: Probe, target: Target): Promise<Outcome> {
  const timeoutMs = probe.timeoutSeconds * 1000
  if (probe.exec) return execute(probe.exec.command, target, timeoutMs)
  try {
    if (probe.httpGet) {
      const { httpHeaders, port } = probe.httpGet
      const url = urlOf(probe.httpGet, { ip: target.ip, port: portOf(port, target.container) })
      const { status } = await ask(url, httpHeaders, timeoutMs).catch((cause) => {
        throw new Error(`Get "${url.href}"`, { cause })
      })
      if (status >= 200 && status < 400) return { is: 'success' }
      return { is: 'failure', message: `HTTP probe failed with statuscode: ${status}` }
    }
    if (probe.tcpSocket) {
      const { host, port } = probe.tcpSocket
      await reach(host || target.ip, portOf(port, target.container), timeoutMs)
      return { is: 'success' }
    }
    if (probe.grpc) {
      const { port, service } = probe.grpc
      const status = await askHealth({ ip: target.ip, port, service, timeoutMs })
      if (status === 'SERVING') return { is: 'success' }
      return { is: 'failure', message: `service unhealthy (responded with "${status}")` }
    }
    return { is: 'error', message: 'the probe names no handler' }
  } catch (error) {
    return { is: 'failure', message: explain(error) }
  }
}

async function execute(command: readonly string[], { id, runtime }: Target, timeoutMs: number): Promise<Outcome> {
  try {
    const { exitCode, stdout, stderr } = await runtime.exec(id, command, timeoutMs)
    if (exitCode === 0) return { is: 'success' }
    const output = Buffer.concat([stdout, stderr]).subarray(0, mostOutput).toString()
    return { is: 'failure', message: output || `the command ended with exit code ${exitCode}` }
  } catch (error) {
    if (error instanceof ExecTimedOut) {
      return { is: 'failure', message: `command "${command.join(' ')}" timed out after ${timeoutMs / 1000}s` }
    }
    // The engine is away, perhaps: that says nothing about the container.
    return { is: 'error', message: explain(error) }
  }
}

/** Does what a hook says. Rejects when that went wrong, or when `signal` ends it. */
export async function runHook(hook: Hook, target: Target, { timeoutMs, signal }: HookTime): Promise<void> {
  if (hook.exec) {
    const { exitCode, stdout, stderr } = await target.runtime.exec(target.id, hook.exec.command, timeoutMs)
    if (exitCode === 0) return
    const output = Buffer.concat([stdout, stderr]).subarray(0, mostOutput).toString()
    throw new Error(`Exec lifecycle hook (${hook.exec.command.join(' ')}) ended with exit code ${exitCode}: ${output}`)
  }
  if (hook.httpGet) {
    const { httpHeaders, port } = hook.httpGet
    const url = urlOf(hook.httpGet, { ip: target.ip, port: portOf(port, target.container) })
    // Any answer will do: what matters is that the container was told.
    await ask(url, httpHeaders, timeoutMs)
  } else if (hook.sleep)
    await setTimeout(Math.min(hook.sleep.seconds * 1000, timeoutMs), undefined, { signal, ref: false })
  else throw new Error('tcpSocket is no lifecycle hook; use exec, httpGet or sleep')
}

export interface HookTime {
  timeoutMs: number
  signal: AbortSignal
}

function reach(host: string, port: number, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: timeoutMs })
    const end = (error?: Error) => {
      socket.destroy()
      if (error === undefined) resolve()
      else reject(new Error(`dial tcp ${host}:${port}`, { cause: error }))
    }
    socket.on('error', end)
    socket.on('timeout', () => end(new Error('it did not answer in time')))
    socket.on('connect', () => end())
  })
}

/** The number of a port that may be given by its name. */
function portOf(port: number | string, { ports }: ContainerSpec): number {
  const number =
    typeof port === 'number' ? port : (ports.find(({ name }) => name === port)?.containerPort ?? Number(port))
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number
  throw new Error(`the container has no port ${port}`)
}
