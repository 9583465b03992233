import * as z from 'zod'

/** What may be soaked in, in this order. */
export const programmes = ['schedules', 'kills'] as const

const schema = z.object({
  minutes: z.number(),
  kills: z.number(),
  seed: z.number(),
  only: z.enum(programmes).optional(),
})

export type SoakPlan = z.infer<typeof schema>

/** What `npm run soak` was asked for. Throws where these tests were started in another way. */
export function soakPlan(): SoakPlan {
  const text = process.env.KEDGE_SOAK
  if (text === undefined) throw new Error('start this with npm run soak')
  return schema.parse(JSON.parse(text))
}
