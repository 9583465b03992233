import { createHash } from 'node:crypto'
import { DownFrame, protocolVersion, UpFrame } from '@kedge/shared/frames'
import { Report } from '@kedge/shared/reports'
import { expect, test } from 'vitest'
import * as z from 'zod'

/**
 * The shape of everything on the link, per version. When this test fails the wire has changed: an older edge or cloud will
 * meet it. Either take the change back, or step `protocolVersion`, write its history in `frames.ts` and in
 * docs/PROTOCOL.md, and add the new line here. The lines of released versions stay.
 */
const shapes: Record<number, string> = {
  1: '59ab76ef5a4ab7d8',
  2: '0b71c8b0aa41f5d9',
}

test('the shape of the frames is the one of their version', () => {
  const schemas = [UpFrame, DownFrame, Report].map((schema) => z.toJSONSchema(schema, { unrepresentable: 'any' }))
  const shape = createHash('sha256').update(JSON.stringify(schemas)).digest('hex').slice(0, 16)
  expect(shape).toBe(shapes[protocolVersion])
})
