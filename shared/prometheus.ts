/** The library for metrics, for `await import`: it is CommonJS, as that of `yaml.ts` is. */
export { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
