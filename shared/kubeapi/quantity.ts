const suffixes: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** The amount that a Kubernetes quantity stands for (`500m` is 0.5, `1Ki` is 1024), or undefined for other text. */
export function amountOf(quantity: unknown): number | undefined {
  const [, digits = '', suffix = ''] = /^([+-]?[0-9.]+)(.*)$/.exec(String(quantity)) ?? []
  const number = digits === '' ? Number.NaN : Number(digits)
  const factor = /^[eE][+-]?\d+$/.test(suffix) ? 10 ** Number(suffix.slice(1)) : suffixes[suffix]
  return factor === undefined || Number.isNaN(number) ? undefined : number * factor
}
