/** What the process of the Modbus servers is told, and what it tells. */
export type Order = { start: number } | { changing: boolean } | { count: true }

export interface Counts {
  /** Requests since the start, by device. */
  requests: number[]
  /** Registers that were read since the start. */
  registers: number
}

export type Told = { ports: number[] } | Counts
