import { join } from 'node:path'
import { loadSync, type MethodDefinition } from '@grpc/proto-loader'
import { schema } from '@kedge/edgecore/devices/dmi/schema'
import { expect, test } from 'vitest'

const proto = join(import.meta.dirname, '../../../../../edgecore/devices/dmi/dmi.proto')
const read = loadSync(proto, { keepCase: true, longs: Number, defaults: true })

type Methods = Record<string, MethodDefinition<object, object>>

/** What a service says of itself, with all that its messages are made of. */
function told(service: Methods) {
  return Object.entries(service).map(([name, method]) => ({
    name,
    path: method.path,
    request: method.requestType.type,
    response: method.responseType.type,
  }))
}

test.each([
  ['DeviceManagerService', schema.manager],
  ['DeviceMapperService', schema.mapper],
])('%s is what dmi.proto says', (name, service) => {
  expect(told(service as Methods)).toEqual(told(read[`v1beta1.${name}`] as Methods))
})

test('every message is what dmi.proto says', () => {
  const fields = (type: unknown) => {
    const { field, nestedType } = type as { field: { name: string; number: number }[]; nestedType: unknown[] }
    return { field, nestedType }
  }
  const messages = Object.entries(read).filter(([, each]) => 'type' in each)
  expect(messages.length).toBeGreaterThan(50)
  for (const [name, each] of messages) {
    if (!name.startsWith('v1beta1.') || name.endsWith('Entry')) continue
    const ours = schema.messages[name] as { type: unknown } | undefined
    expect({ name, ...fields(ours?.type) }).toEqual({ name, ...fields((each as { type: unknown }).type) })
  }
})
