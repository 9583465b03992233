/** One figure of a program, read at the moment it is asked for. */
export interface Metric {
  /** Prometheus' naming: snake case, unit at the end, `_total` for counters. */
  name: string
  help: string
  type: 'counter' | 'gauge'
  /** Names of its labels. */
  labels?: readonly string[]
  /** The values by labels; a figure without labels has one entry with none. */
  read: () => Iterable<{ labels?: Record<string, string>; value: number }>
}

/** A metric with one value. */
export function single(metric: Omit<Metric, 'read'>, read: () => number): Metric {
  return { ...metric, read: () => [{ value: read() }] }
}

/**
 * A function that gives the figures in Prometheus' text format, Node.js' own among them. Its library is loaded when
 * they are first asked for: a program that nobody scrapes does not carry it.
 */
export function metricsText(metrics: readonly Metric[]): () => Promise<string> {
  let registry: Promise<{ metrics(): Promise<string> }> | undefined
  return async () => {
    registry ??= register(metrics)
    return (await registry).metrics()
  }
}

async function register(metrics: readonly Metric[]): Promise<{ metrics(): Promise<string> }> {
  const { collectDefaultMetrics, Counter, Gauge, Registry } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const { name, help, type, labels = [], read } of metrics) {
    const common = { name, help, labelNames: [...labels], registers: [registry] }
    if (type === 'gauge') {
      new Gauge({
        ...common,
        collect() {
          this.reset()
          for (const { labels, value } of read()) this.set(labels ?? {}, value)
        },
      })
    } else {
      new Counter({
        ...common,
        collect() {
          this.reset()
          for (const { labels, value } of read()) this.inc(labels ?? {}, value)
        },
      })
    }
  }
  return registry
}
