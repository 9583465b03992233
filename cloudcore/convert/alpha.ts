import * as z from 'zod'

/**
 * Device and DeviceModel of `devices.kubeedge.io/v1alpha2`, as far as it takes to write them anew. Loose: what has no
 * place in v1beta1 is named in a note, not lost in silence.
 */

const fields = z.record(z.string(), z.unknown())

const Limits = z.looseObject({
  accessMode: z.enum(['ReadWrite', 'ReadOnly']).optional(),
  defaultValue: z.unknown().optional(),
  minimum: z.unknown().optional(),
  maximum: z.unknown().optional(),
  unit: z.string().optional(),
})

/** The words that v1alpha2 has for a type, and what v1beta1 calls it. */
export const types = {
  int: 'INT',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'STRING',
  boolean: 'BOOLEAN',
  bytes: 'BYTES',
} as const
export type AlphaType = keyof typeof types

const PropertyType = z
  .partialRecord(z.enum(Object.keys(types) as AlphaType[]), Limits)
  .refine((type) => Object.keys(type).length === 1, 'exactly one of int, float, double, string, boolean, bytes')

const metadata = z.looseObject({ name: z.string().min(1), namespace: z.string().optional() })

export const AlphaModel = z.object({
  kind: z.literal('DeviceModel'),
  metadata,
  spec: z
    .looseObject({
      properties: z
        .array(
          z.looseObject({
            name: z.string().min(1),
            description: z.string().optional(),
            type: PropertyType.optional(),
          }),
        )
        .optional(),
      protocol: z.string().optional(),
    })
    .optional(),
})

const protocols = ['modbus', 'opcua', 'bluetooth', 'customizedProtocol'] as const
export type AlphaProtocol = (typeof protocols)[number]

const Visitor = z.looseObject({
  propertyName: z.string().min(1),
  reportCycle: z.number().optional(),
  collectCycle: z.number().optional(),
  customizedValues: fields.optional(),
  modbus: fields.optional(),
  opcua: fields.optional(),
  bluetooth: fields.optional(),
  customizedProtocol: z.looseObject({ protocolName: z.string().optional(), configData: fields.optional() }).optional(),
})

const Terms = z.array(
  z.looseObject({
    matchExpressions: z
      .array(
        z.looseObject({ key: z.string().optional(), operator: z.string(), values: z.array(z.string()).optional() }),
      )
      .optional(),
  }),
)

export const AlphaDevice = z.object({
  kind: z.literal('Device'),
  metadata,
  spec: z
    .looseObject({
      deviceModelRef: z.object({ name: z.string() }).optional(),
      nodeSelector: z.looseObject({ nodeSelectorTerms: Terms.optional() }).optional(),
      protocol: z
        .looseObject({
          common: z
            .looseObject({ com: fields.optional(), tcp: fields.optional(), customizedValues: fields.optional() })
            .optional(),
          modbus: fields.optional(),
          opcua: fields.optional(),
          bluetooth: fields.optional(),
          customizedProtocol: z
            .looseObject({ protocolName: z.string().optional(), configData: fields.optional() })
            .optional(),
        })
        .optional(),
      propertyVisitors: z.array(Visitor).optional(),
      data: z.looseObject({ dataTopic: z.string().optional(), dataProperties: z.array(fields).optional() }).optional(),
    })
    .optional(),
  status: z
    .looseObject({
      twins: z
        .array(
          z.looseObject({
            propertyName: z.string().min(1),
            desired: z
              .looseObject({ value: z.string().optional(), metadata: z.record(z.string(), z.string()).optional() })
              .optional(),
          }),
        )
        .optional(),
    })
    .optional(),
})

export type AlphaModel = z.infer<typeof AlphaModel>
export type AlphaDevice = z.infer<typeof AlphaDevice>
export type AlphaVisitor = z.infer<typeof Visitor>

/** The protocol that a device or a visitor names, or undefined. */
export function protocolOf(of: Partial<Record<AlphaProtocol, unknown>>): AlphaProtocol | undefined {
  return protocols.find((name) => of[name] !== undefined)
}
