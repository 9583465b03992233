import * as z from 'zod'

export const text = z.string()
export const int64 = z.int().meta({ format: 'int64' })
const int32 = z.int32()
/** Any object: what a protocol or a mapper alone understands. */
export const anything = z.looseObject({})
export const strings = z.record(z.string(), z.string())

/** The `pushMethod` of a property of a Device: where its mapper sends values, besides the twin. */
export const PushMethod = z
  .object({
    http: z
      .object({
        hostName: text.optional(),
        port: int64.optional(),
        requestPath: text.optional(),
        timeout: int64.optional().describe('Milliseconds.'),
      })
      .optional(),
    mqtt: z
      .object({
        address: text.optional().describe('Address of the broker, for instance tcp://127.0.0.1:1883.'),
        topic: text.optional(),
        qos: int32.optional(),
        retained: z.boolean().optional(),
      })
      .optional(),
    otel: z.object({ endpointURL: text.optional() }).optional(),
    dbMethod: z
      .object({
        influxdb2: z
          .object({
            influxdb2ClientConfig: z
              .object({ url: text.optional(), org: text.optional(), bucket: text.optional() })
              .optional(),
            influxdb2DataConfig: z
              .object({ measurement: text.optional(), tag: strings.optional(), fieldKey: text.optional() })
              .optional(),
          })
          .optional(),
        redis: z
          .object({
            redisClientConfig: z
              .object({
                addr: text.optional(),
                db: int64.optional(),
                poolsize: int64.optional(),
                minIdleConns: int64.optional(),
              })
              .optional(),
          })
          .optional(),
        TDEngine: z
          .object({ TDEngineClientConfig: z.object({ addr: text.optional(), dbName: text.optional() }).optional() })
          .optional(),
        mysql: z
          .object({
            mysqlClientConfig: z
              .object({ addr: text.optional(), database: text.optional(), userName: text.optional() })
              .optional(),
          })
          .optional(),
      })
      .optional()
      .describe('Databases that the mapper writes to; passwords are in its environment.'),
    anomalyDetection: anything.optional().describe('Rules that the mapper checks values by.'),
  })
  .describe('Where a mapper sends the values besides the twin.')
