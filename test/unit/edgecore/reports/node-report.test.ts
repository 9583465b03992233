import type { Health } from '@kedge/edgecore/pods/runtime'
import { availableOf, type NodeFacts, nodeAddress, osImageOf, otherDisk } from '@kedge/edgecore/reports/node-facts'
import { nodeImages } from '@kedge/edgecore/reports/node-images'
import { goArch, type NodeStatusInput, nodeReport, pressuresOf, sameNode } from '@kedge/edgecore/reports/node-report'
import { NodeReport } from '@kedge/shared/reports'
import { describe, expect, test } from 'vitest'

const MiB = 1024 * 1024

const facts: NodeFacts = {
  cpus: 4,
  memory: { total: 2048 * MiB, available: 1024 * MiB },
  disk: { total: 1000 * MiB, available: 500 * MiB, inodes: 1000, inodesFree: 900 },
  pids: { used: 100, max: 32768 },
  kernelVersion: '6.6.31+rpt-rpi-v8',
  osImage: 'Debian GNU/Linux 12 (bookworm)',
  machineId: 'machine',
  bootId: 'boot',
  systemUuid: 'system',
  address: '192.0.2.7',
}

const well: Health = { runtime: { ok: true }, network: { ok: true } }

function input(change: Partial<NodeStatusInput> = {}): NodeStatusInput {
  return {
    nodeName: 'edge-1',
    facts,
    arch: 'arm64',
    platform: 'linux',
    version: '0.1.0',
    runtime: { name: 'simulated', version: '0.1.0', health: well },
    pressures: { memory: false, disk: false, pids: false },
    now: Date.UTC(2026, 0, 1),
    ...change,
  }
}

function conditions(report: NodeReport): Record<string, Record<string, string>> {
  const all = report.status.conditions as Record<string, string>[]
  return Object.fromEntries(all.map((condition) => [condition.type, condition]))
}

test('the report has what kubelet would say', () => {
  const report = nodeReport(input())
  expect(NodeReport.parse(report)).toEqual(report)
  expect(report.labels).toEqual({
    'kubernetes.io/hostname': 'edge-1',
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'arm64',
  })
  const { capacity, allocatable, addresses, nodeInfo } = report.status
  expect(capacity).toEqual({ cpu: '4', memory: '2097152Ki', 'ephemeral-storage': '1024000Ki', pods: '110' })
  expect(allocatable).toEqual(capacity)
  expect(addresses).toEqual([
    { type: 'InternalIP', address: '192.0.2.7' },
    { type: 'Hostname', address: 'edge-1' },
  ])
  expect(nodeInfo).toMatchObject({
    containerRuntimeVersion: 'simulated://0.1.0',
    kubeletVersion: 'v1.32.0-kedge-0.1.0',
    architecture: 'arm64',
    machineID: 'machine',
    systemUUID: 'system',
    bootID: 'boot',
  })
  const statuses = Object.values(conditions(report)).map(({ type, status }) => `${type}=${status}`)
  const expected = ['MemoryPressure=False', 'DiskPressure=False', 'PIDPressure=False', 'Ready=True']
  expect(statuses).toEqual([...expected, 'NetworkUnavailable=False'])
})

test('an engine that does not answer makes the node not ready and says why', () => {
  const health: Health = { ...well, runtime: { ok: false, reason: 'NoAnswer', message: 'no answer' } }
  const { Ready } = conditions(nodeReport(input({ runtime: { name: 'containerd', health } })))
  expect(Ready).toMatchObject({ status: 'False', reason: 'RuntimeNotReady', message: 'containerd: no answer' })
})

test('an engine without a pod network keeps new pods away and takes none off the node', () => {
  const health: Health = { ...well, network: { ok: false, reason: 'NetworkPluginNotReady', message: 'no CNI' } }
  const { Ready, NetworkUnavailable } = conditions(nodeReport(input({ runtime: { name: 'containerd', health } })))
  expect(Ready).toMatchObject({ status: 'True' })
  expect(NetworkUnavailable).toMatchObject({ status: 'True', reason: 'NetworkPluginNotReady', message: 'no CNI' })
})

test('what is set aside for the system is taken off what pods may have', () => {
  const reserved = { cpu: 0.25, memory: 512 * MiB, 'ephemeral-storage': 2000 * MiB }
  const { capacity, allocatable } = nodeReport(input({ reserved })).status
  expect(capacity).toMatchObject({ cpu: '4', memory: '2097152Ki' })
  expect(allocatable).toEqual({ cpu: '3750m', memory: '1572864Ki', 'ephemeral-storage': '0Ki', pods: '110' })
})

test('the largest images are named; when the engine does not tell them, those told last stay', () => {
  const images = nodeImages([
    ...Array.from({ length: 60 }, (_, index) => imageOf(`small-${index}`, 10)),
    imageOf('large', 1000),
    imageOf('nameless', 2000, []),
  ])
  const previous = nodeReport(input({ images }))
  const told = previous.status.images as { names: string[]; sizeBytes: number }[]
  expect(told).toHaveLength(50)
  expect(told[0]).toEqual({ names: ['large:1'], sizeBytes: 1000 })
  expect(nodeReport(input({ previous })).status.images).toEqual(told)
})

function imageOf(id: string, bytes: number, names = [`${id}:1`]) {
  return { id, names, digests: [], bytes, pinned: false }
}

test('what the engine wants everyone to know is a condition', () => {
  const notice = { type: 'kedge.io/Simulated', reason: 'SimulatedRuntime', message: 'made up' }
  const report = nodeReport(input({ runtime: { name: 'simulated', version: '0.1.0', health: well, notice } }))
  expect(conditions(report)['kedge.io/Simulated']).toMatchObject({ status: 'True', reason: 'SimulatedRuntime' })
})

test('time alone makes no difference, and a condition keeps the time of its last change', () => {
  const first = nodeReport(input())
  const later = { now: Date.UTC(2026, 0, 2), previous: first }
  const same = nodeReport(input(later))
  expect(sameNode(first, same)).toBe(true)
  expect(conditions(same).Ready?.lastTransitionTime).toBe('2026-01-01T00:00:00Z')
  const pressed = nodeReport(input({ ...later, pressures: { memory: true, disk: false, pids: false } }))
  expect(sameNode(first, pressed)).toBe(false)
  expect(conditions(pressed).MemoryPressure).toMatchObject({
    status: 'True',
    lastTransitionTime: '2026-01-02T00:00:00Z',
  })
  expect(conditions(pressed).DiskPressure?.lastTransitionTime).toBe('2026-01-01T00:00:00Z')
})

test('the disk of the images counts for itself where it is another one', async () => {
  expect(await otherDisk(['/usr/bin'], '/usr')).toBeUndefined()
  expect(await otherDisk([], '/usr')).toBeUndefined()
  const { total = 0 } = (await otherDisk(['/dev'], '/usr')) ?? {}
  expect(total).toBeGreaterThan(0)
})

describe('pressures follow the thresholds of kubelet', () => {
  const none = { memory: false, disk: false, pids: false }
  test.each<[string, Partial<NodeFacts>, object]>([
    ['plenty', {}, none],
    ['under 100 MiB of memory', { memory: { total: 512 * MiB, available: 99 * MiB } }, { ...none, memory: true }],
    ['under 10 % of the disk', { disk: { ...facts.disk, available: 99 * MiB } }, { ...none, disk: true }],
    ['under 5 % of the inodes', { disk: { ...facts.disk, inodesFree: 49 } }, { ...none, disk: true }],
    ['under 15 % of the disk of the images', { imageDisk: { total: 100, available: 14 } }, { ...none, disk: true }],
    ['a disk of the images with room', { imageDisk: { total: 100, available: 15 } }, none],
    ['a file system without inodes', { disk: { ...facts.disk, inodes: 0, inodesFree: 0 } }, none],
    ['under 5 % of the process ids', { pids: { used: 31_500, max: 32_768 } }, { ...none, pids: true }],
  ])('%s', (_name, change, pressures) => {
    expect(pressuresOf({ ...facts, ...change })).toEqual(pressures)
  })
})

describe('facts', () => {
  const nic = { netmask: '', mac: '', cidr: null }
  const v4 = (address: string, internal: boolean) => ({ ...nic, family: 'IPv4' as const, address, internal })

  test('the address is the first that others can reach', () => {
    const interfaces = { lo: [v4('127.0.0.1', true)], usb0: [v4('169.254.3.4', false)], eth0: [v4('192.0.2.7', false)] }
    expect(nodeAddress(interfaces)).toBe('192.0.2.7')
    expect(nodeAddress({ lo: [v4('127.0.0.1', true)] })).toBe('127.0.0.1')
  })

  test('the memory that can be had', () => {
    expect(availableOf('MemTotal: 10 kB\nMemFree: 1 kB\nMemAvailable:    2048 kB\n')).toBe(2048 * 1024)
    expect(availableOf('')).toBeUndefined()
  })

  test('the name of the system, quoted or not', () => {
    expect(osImageOf('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')).toBe(
      'Debian GNU/Linux 12 (bookworm)',
    )
    expect(osImageOf('PRETTY_NAME=Alpine\n')).toBe('Alpine')
    expect(osImageOf('')).toBeUndefined()
  })

  test.each([
    ['x64', 'amd64'],
    ['arm64', 'arm64'],
    ['arm', 'arm'],
    ['ia32', '386'],
    ['riscv64', 'riscv64'],
  ])('%s is %s in Kubernetes', (arch, name) => {
    expect(goArch(arch)).toBe(name)
  })
})
