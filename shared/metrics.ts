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

/** Counts values by size, for a metric of how they are distributed. */
export class Histogram {
  /** Upper bounds, rising. */
  readonly bounds: readonly number[]
  /** Values up to each bound, each counted once; the last are those above all of them. */
  readonly counts: number[]
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = [...bounds, Infinity].map(() => 0)
  }

  observe(value: number): void {
    const found = this.bounds.findIndex((bound) => value <= bound)
    const at = found === -1 ? this.bounds.length : found
    this.counts[at] = (this.counts[at] ?? 0) + 1
    this.sum += value
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0)
  }
}

/** A distribution, in the form that Prometheus knows as a histogram. */
export interface HistogramMetric {
  name: string
  help: string
  type: 'histogram'
  histogram: Histogram
}

/** A metric with one value. */
export function single(metric: Omit<Metric, 'read'>, read: () => number): Metric {
  return { ...metric, read: () => [{ value: read() }] }
}

/**
 * A function that gives the figures in Prometheus' text format, Node.js' own among them. Its library is loaded when
 * they are first asked for: a program that nobody scrapes does not carry it.
 */
export function metricsText(metrics: readonly (Metric | HistogramMetric)[]): () => Promise<string> {
  let registry: Promise<{ metrics(): Promise<string> }> | undefined
  return async () => {
    registry ??= register(metrics)
    return (await registry).metrics()
  }
}

async function register(metrics: readonly (Metric | HistogramMetric)[]): Promise<{ metrics(): Promise<string> }> {
  const { collectDefaultMetrics, Counter, Gauge, Registry } = await import('./prometheus.ts')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const metric of metrics) {
    if (metric.type === 'histogram') continue
    const { name, help, type, labels = [], read } = metric
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
  const histograms = metrics.filter((metric) => metric.type === 'histogram')
  return { metrics: async () => `${await registry.metrics()}${histograms.map(histogramText).join('')}` }
}

/** The lines of a histogram: of each bound how many values lie at it or below, their sum and their number. */
function histogramText({ name, help, histogram }: HistogramMetric): string {
  let below = 0
  const lines = histogram.bounds.map((bound, index) => {
    below += histogram.counts[index] ?? 0
    return `${name}_bucket{le="${bound}"} ${below}`
  })
  const { sum, count } = histogram
  const rest = [`${name}_bucket{le="+Inf"} ${count}`, `${name}_sum ${sum}`, `${name}_count ${count}`]
  return `${[`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...lines, ...rest].join('\n')}\n`
}
