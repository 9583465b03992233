import { silentLog } from '@kedge/shared/log'
import { supervised, watchdogMs } from '@kedge/shared/supervision'
import { afterEach, describe, expect, it, vi } from 'vitest'

afterEach(() => void vi.useRealTimers())

/** Supervised by a systemd that is only written down. */
function start(env: Record<string, string>) {
  vi.useFakeTimers()
  const said: string[] = []
  const run = async (program: string, args: readonly string[]) => void said.push([program, ...args.slice(1)].join(' '))
  return { said, service: supervised({ env, run, log: silentLog }) }
}

describe('supervised', () => {
  it('says nothing where nobody has asked', async () => {
    const { said, service } = start({})
    await vi.advanceTimersByTimeAsync(600_000)
    await service.stop()
    expect(said).toEqual([])
  })

  it('tells that it is ready, alive three times in the time of the watchdog, and that it stops', async () => {
    const { said, service } = start({ NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '90000000' })
    await vi.advanceTimersByTimeAsync(90_000)
    const alive = 'systemd-notify WATCHDOG=1'
    expect(said).toEqual(['systemd-notify --ready', alive, alive, alive])
    await service.stop()
    await vi.advanceTimersByTimeAsync(90_000)
    expect(said.slice(4)).toEqual(['systemd-notify STOPPING=1'])
  })

  it('goes on without systemd-notify', async () => {
    const run = () => Promise.reject(new Error('spawn systemd-notify ENOENT'))
    const service = supervised({ env: { NOTIFY_SOCKET: '/run/systemd/notify' }, run, log: silentLog })
    await expect(service.stop()).resolves.toBeUndefined()
  })
})

describe('watchdogMs', () => {
  it.each([
    [{ WATCHDOG_USEC: '90000000', WATCHDOG_PID: '7' }, 90_000],
    [{ WATCHDOG_USEC: '90000000' }, 90_000],
    [{ WATCHDOG_USEC: '90000000', WATCHDOG_PID: '8' }, undefined],
    [{ WATCHDOG_USEC: '0' }, undefined],
    [{}, undefined],
  ])('of %j is %j', (env, expected) => {
    expect(watchdogMs(env, 7)).toBe(expected)
  })
})
