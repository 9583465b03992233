import type { Database } from '@kedge/shared/sqlite'
import type { MapperInfo } from './requests.ts'

/** A mapper that has registered. */
export interface MapperRow extends MapperInfo {
  /** Grows with each registration. */
  order: number
}

type Raw = Omit<MapperRow, 'apiVersion' | 'order'> & { api_version: string; ord: number }

/**
 * The tables of mappers and of the devices that each was told of. Reads are immediate; writes belong inside
 * `Store.commit`.
 */
export class MapperTable {
  readonly #all
  readonly #put
  readonly #drop
  readonly #devices
  readonly #putDevice
  readonly #dropDevice
  readonly #dropDevices
  readonly #putHash
  readonly #clearHashes

  constructor(db: Database) {
    this.#all = db.prepare<[], Raw>('SELECT * FROM mappers ORDER BY ord')
    this.#put = db.prepare(
      `INSERT OR REPLACE INTO mappers (name, protocol, version, api_version, address, ord)
       VALUES (@name, @protocol, @version, @apiVersion, @address, @order)`,
    )
    this.#drop = db.prepare('DELETE FROM mappers WHERE name = ?')
    this.#devices = db.prepare<[string], { device: string; hash: string | null }>(
      'SELECT device, hash FROM mapper_devices WHERE mapper = ?',
    )
    this.#putDevice = db.prepare('INSERT OR IGNORE INTO mapper_devices (mapper, device) VALUES (?, ?)')
    this.#dropDevice = db.prepare('DELETE FROM mapper_devices WHERE mapper = ? AND device = ?')
    this.#dropDevices = db.prepare('DELETE FROM mapper_devices WHERE mapper = ?')
    this.#putHash = db.prepare('UPDATE mapper_devices SET hash = ? WHERE mapper = ? AND device = ?')
    this.#clearHashes = db.prepare('UPDATE mapper_devices SET hash = NULL WHERE hash IS NOT NULL')
  }

  all(): MapperRow[] {
    return this.#all.all().map(({ api_version, ord, ...row }) => ({ ...row, apiVersion: api_version, order: ord }))
  }

  put(row: MapperRow): void {
    this.#put.run(row)
  }

  /** Forgets a mapper and what it was told. */
  drop(name: string): void {
    this.#dropDevices.run(name)
    this.#drop.run(name)
  }

  /** The devices that a mapper was told of, `<namespace>/<name>`, with what it held of them at the last stop. */
  devicesOf(mapper: string): Map<string, string | undefined> {
    return new Map(this.#devices.all(mapper).map(({ device, hash }) => [device, hash ?? undefined]))
  }

  /** What a mapper holds of a device that it was told of. */
  putHash(mapper: string, device: string, hash: string): void {
    this.#putHash.run(hash, mapper, device)
  }

  /** From now on nothing that was put before is sure. */
  clearHashes(): void {
    this.#clearHashes.run()
  }

  putDevice(mapper: string, device: string): void {
    this.#putDevice.run(mapper, device)
  }

  dropDevice(mapper: string, device: string): void {
    this.#dropDevice.run(mapper, device)
  }
}
