import { openReader, type Reader } from '@kedge/edgecore/cli/reader'
import { contentOf, type KubeObject, keyOf, resources } from '@kedge/shared/objects'
import { podRefs } from '@kedge/shared/pod-refs'
import { expect } from 'vitest'
import { statusTwins } from './api.ts'
import type { FleetWorld, Place } from './fleet-world.ts'
import type { Body } from './kube.ts'

type Objects = Record<(typeof resources)[number], Body[]>

/**
 * Throws unless the API and the stores of all nodes say the same, nothing is left to be told, and everything that was
 * acknowledged to a device or to a person is there.
 */
export async function expectAgreement(world: FleetWorld): Promise<void> {
  const { api } = world.fleet
  const lists = await Promise.all(resources.map(async (each) => [each, await api.list(each)]))
  const objects = Object.fromEntries(lists) as Objects
  const events = await api.list('events')

  const configs = new Map(objects.configmaps.map(({ metadata, data }) => [metadata.name, data.value]))
  for (const [name, value] of world.configs) expect([name, configs.get(name)]).toEqual([name, value])
  for (const place of world.places) {
    const reader = openReader(place.node.data)
    try {
      expectObjects(place, reader, objects)
      expectPods(place, reader, objects)
      for (const kind of ['room', 'guest'] as const) expectTwins(place, reader, { kind, devices: objects.devices })
      expect(reader.outbox.all()).toEqual([])
    } finally {
      reader.close()
    }
    const told = events.filter((event) => regards(event, place.devices.name('room')) && event.reason === 'WriteRefused')
    expect(told).toHaveLength(place.devices.refusals)
  }
  const reasons = new Map(events.map(({ metadata, reason }) => [metadata.name, reason]))
  for (const [id, reason] of world.events) expect([id, reasons.get(id)]).toEqual([id, reason])
}

function regards({ involvedObject }: Body, device: string): boolean {
  return involvedObject.kind === 'Device' && involvedObject.name === device
}

/** The node holds its own, what that refers to, and nothing else. */
function expectObjects({ node }: Place, reader: Reader, objects: Objects): void {
  const own = (each: Body) => each.spec.nodeName === node.name
  const pods = objects.pods.filter(own)
  const devices = objects.devices.filter(own)
  const configs = new Set(pods.flatMap((pod) => podRefs(pod).configMaps))
  const models = new Set(devices.map(({ spec }) => spec.deviceModelRef.name))
  const wanted = {
    ...{ pods, devices, secrets: [] },
    configmaps: objects.configmaps.filter(({ metadata }) => configs.has(metadata.name)),
    devicemodels: objects.devicemodels.filter(({ metadata }) => models.has(metadata.name)),
  }
  const expected = new Map<string, KubeObject>()
  for (const resource of resources) {
    for (const object of wanted[resource]) {
      expected.set(keyOf(resource, 'default', object.metadata.name), contentOf(resource, object))
    }
  }
  const held = resources.flatMap((resource) => reader.objects.list(resource))
  expect(new Map(held.map(({ key, content }) => [key as string, content]))).toEqual(expected)
}

function expectPods({ node }: Place, reader: Reader, { pods }: Objects): void {
  const statuses = reader.podStatuses()
  for (const { metadata, spec, status } of pods.filter((pod) => pod.spec.nodeName === node.name)) {
    const { name, deletionTimestamp } = metadata
    expect({ name, deletionTimestamp, phase: status.phase }).toEqual({
      ...{ name, deletionTimestamp: undefined },
      phase: statuses.get(`default/${name}`)?.phase,
    })
    expect(spec.nodeName).toBe(node.name)
  }
}

function expectTwins(
  place: Place,
  reader: Reader,
  { kind, devices }: { kind: 'room' | 'guest'; devices: Body[] },
): void {
  const name = place.devices.name(kind)
  const device = devices.find(({ metadata }) => metadata.name === name)
  const shown = statusTwins(device)
  const held = [...(reader.twins.all().get(`default/${name}`) ?? [])].map(([property, { reported, desired }]) => [
    property,
    { reported: reported.value, desired: desired.value },
  ])
  expect({ name, ...shown }).toEqual({ name, ...Object.fromEntries(held) })
  const temperature = place.devices.temperature[kind]
  if (!temperature.allows(shown.temperature?.reported)) {
    throw new Error(`${name}: temperature is ${shown.temperature?.reported}, not ${temperature}`)
  }
  if (kind === 'guest') return
  if (place.devices.state !== undefined) expect([name, device.status.state]).toEqual([name, place.devices.state])
  const target = shown.target?.desired
  if (target !== place.cloudTarget && !place.devices.localTarget.allows(target)) {
    throw new Error(`${name}: target is ${target}, not ${place.cloudTarget} or ${place.devices.localTarget}`)
  }
}
