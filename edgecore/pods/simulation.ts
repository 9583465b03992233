import { parseDuration } from '@kedge/shared/duration'
import { explain } from '@kedge/shared/errors'
import * as z from 'zod'

/**
 * The annotation that tells the simulated engine how the containers of a pod behave. It is read when a container is made:
 * a change takes effect with the next start.
 */
export const simulationAnnotation = 'kedge.io/simulate'

const Duration = z.string().transform((text, context) => {
  try {
    return parseDuration(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: explain(error) })
    return z.NEVER
  }
})

const Behaviour = z.strictObject({
  /** Ends by itself so long after its start; without it, an init container ends at once and others run for ever. */
  exitAfter: Duration.optional(),
  exitCode: z.int().min(0).max(255).optional(),
  /** Takes so long to end when asked; killed earlier if the grace is shorter. */
  stopAfter: Duration.optional(),
})
export type Behaviour = z.infer<typeof Behaviour>

const Simulation = z.strictObject({
  containers: z.record(z.string(), Behaviour).default({}),
  /** Images take so long to arrive, unless they are on the node already. */
  pullTime: Duration.optional(),
  /** Images never arrive, for this reason. */
  pullError: z.string().min(1).max(256).optional(),
})
export type Simulation = z.infer<typeof Simulation>

/** What the annotations ask for, or what is wrong with them. */
export function readSimulation(
  annotations: Record<string, string>,
): { ok: true; simulation: Simulation } | { ok: false; reason: string } {
  const text = annotations[simulationAnnotation]
  if (text === undefined) return { ok: true, simulation: { containers: {} } }
  const parsed = Simulation.safeParse(fromJson(text))
  if (parsed.success) return { ok: true, simulation: parsed.data }
  const faults = parsed.error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`)
  const example = '{"containers":{"web":{"exitAfter":"5s","exitCode":1}}}'
  return { ok: false, reason: `annotation ${simulationAnnotation}: ${faults.join('; ')} (for instance ${example})` }
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return 'not JSON'
  }
}
