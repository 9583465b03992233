import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { DeviceNode, device } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type MapperOptions, TestMapper } from './dmi-mapper.ts'

const custom = { protocolName: 'custom' }
/** A device of the protocol of the mappers here. */
export const lamp = (options: Parameters<typeof device>[1] = {}, name = 'lamp') =>
  device(name, { protocol: custom, ...options })

/** The devices of a node where mappers register, and such mappers. */
export async function start(options: Parameters<typeof DeviceNode.start>[0] = {}, patience = {}) {
  const dir = options.dir ?? tempDir()
  const socket = join(dir, 'dmi.sock')
  const mapperPatience = { call: 60_000, absent: 60_000, ...patience }
  const node = await DeviceNode.start({ ...options, dir, dmi: { socket, data: dir }, mapperPatience })
  const mapper = async (more: Partial<MapperOptions> = {}) => {
    const started = await TestMapper.start({ dir, edgecore: socket, ...more })
    onTestFinished(() => started.stop())
    await eventually(() => node.devices.mappers?.reached === node.devices.mappers?.registered, { every: 2 })
    return started
  }
  return { node, dir, socket, mapper }
}
