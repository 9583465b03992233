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

  constructor(db: Database) {
    this.#all = db.prepare<[], Raw>('SELECT * FROM mappers ORDER BY ord')
    this.#put = db.prepare(
      `INSERT OR REPLACE INTO mappers (name, protocol, version, api_version, address, ord)
       VALUES (@name, @protocol, @version, @apiVersion, @address, @order)`,
    )
    this.#drop = db.prepare('DELETE FROM mappers WHERE name = ?')
    this.#devices = db.prepare<[string], { device: string }>('SELECT device FROM mapper_devices WHERE mapper = ?')
    this.#putDevice = db.prepare('INSERT OR IGNORE INTO mapper_devices (mapper, device) VALUES (?, ?)')
    this.#dropDevice = db.prepare('DELETE FROM mapper_devices WHERE mapper = ? AND device = ?')
    this.#dropDevices = db.prepare('DELETE FROM mapper_devices WHERE mapper = ?')
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

  /** The devices that a mapper was told of: `<namespace>/<name>`. */
  devicesOf(mapper: string): string[] {
    return this.#devices.all(mapper).map(({ device }) => device)
  }

  putDevice(mapper: string, device: string): void {
    this.#putDevice.run(mapper, device)
  }

  dropDevice(mapper: string, device: string): void {
    this.#dropDevice.run(mapper, device)
  }
}
