import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Objects } from '@kedge/edgecore/store/objects'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { untoldDamage } from '@kedge/edgecore/store/replacement'
import { getMeta, Store, setMeta } from '@kedge/edgecore/store/store'
import { TwinTable } from '@kedge/edgecore/store/twins'
import { hashOf } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { keyOf } from '@kedge/shared/objects'
import type { EventReport } from '@kedge/shared/reports'
import { expect, test } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

const open = (path: string) => Store.open({ path, clock: systemClock, log: silentLog })
const configMap = (index: number) => keyOf('configmaps', 'default', `map-${String(index).padStart(4, '0')}`)

function event(index: number): EventReport {
  const regarding = { apiVersion: 'v1', kind: 'Node', name: 'edge-1' }
  const id = `event-${String(index).padStart(8, '0')}`
  return { is: 'event', id, regarding, type: 'Normal', reason: 'Told', message: 'm'.repeat(200), at: 1, by: 'test' }
}

/** The files of a node that was killed: 400 objects, 50 twins, 300 reports, and the cloud's word that this is all. */
async function killed(): Promise<string> {
  const path = join(tempDir(), 'edge.db')
  const store = open(path)
  const [objects, twins, outbox] = [new Objects(store.db), new TwinTable(store.db), new Outbox(store.db, systemClock)]
  await store.commit(() => {
    for (let index = 0; index < 400; index++) {
      const text = JSON.stringify({
        metadata: { name: `map-${index}` },
        data: { marker: `object ${index};`.repeat(20) },
      })
      objects.put(configMap(index), text, hashOf(configMap(index), text), null)
    }
    twins.putDevice({ device: 'default/lamp', uid: 'u1', state: 'online', lastOnline: 5 })
    for (let index = 0; index < 50; index++) twins.putTwin('default/lamp', `property-${index}`, twin(String(index)))
    for (let index = 0; index < 300; index++) outbox.add(event(index))
    for (const [name, value] of Object.entries({ epoch: 'e1', revision: '7', complete: '1', box: 'b1', other: 'x' })) {
      setMeta(store.db, name, value)
    }
  })
  store.db.pragma('wal_checkpoint(TRUNCATE)')
  const copy = join(tempDir(), 'edge.db')
  copyFileSync(path, copy)
  store.close()
  return copy
}

function twin(value: string) {
  const none = { value: undefined, at: undefined, version: 0 }
  const reported = { value, at: 3, version: 4 }
  return { type: 'string', optional: true, deleted: false, cloudDesired: undefined, desired: none, reported }
}

/** Overwrites the header of each page that holds `marker`. */
function wound(path: string, marker: string): void {
  const bytes = readFileSync(path)
  for (const at of placesOf(bytes, marker)) bytes.fill(0xee, at - (at % 1024), at - (at % 1024) + 64)
  writeFileSync(path, bytes)
}

function placesOf(bytes: Buffer, marker: string): number[] {
  const places: number[] = []
  for (let at = bytes.indexOf(marker); at >= 0; at = bytes.indexOf(marker, at + 1)) places.push(at)
  expect(places.length).toBeGreaterThan(0)
  return places
}

test('one damaged page costs what was on it, and everything else comes over', async () => {
  const path = await killed()
  wound(path, 'object 200;')
  wound(path, 'event-00000150')
  const store = open(path)
  const [objects, twins, outbox] = [new Objects(store.db), new TwinTable(store.db), new Outbox(store.db, systemClock)]
  const held = objects.inventory()
  expect(held.size).toBeGreaterThan(350)
  expect(held.size).toBeLessThan(400)
  expect([held.has(configMap(0)), held.has(configMap(200)), held.has(configMap(399))]).toEqual([true, false, true])
  expect([...(twins.all().get('default/lamp')?.values() ?? [])]).toHaveLength(50)
  expect(twins.all().get('default/lamp')?.get('property-7')).toEqual(twin('7'))
  expect(twins.devices()).toEqual([{ device: 'default/lamp', uid: 'u1', state: 'online', lastOnline: 5 }])
  const told = outbox.all().map(({ subject }) => subject)
  expect(told.length).toBeGreaterThan(250)
  expect([told.includes('events/event-00000000'), told.includes('events/event-00000299')]).toEqual([true, true])
  const names = ['epoch', 'revision', 'complete', 'box', 'other']
  expect(names.map((name) => getMeta(store.db, name))).toEqual([undefined, undefined, undefined, undefined, 'x'])
  expect(untoldDamage(store.db)?.incomplete.sort()).toEqual(expect.arrayContaining(['objects', 'outbox']))
  store.close()
  expect(readdirSync(dirname(path)).filter((name) => name.includes('.corrupt-'))).toHaveLength(1)
})

test('an object whose content is not what it was is dropped, and no pod is then missed for not being there', async () => {
  const path = await killed()
  const bytes = readFileSync(path)
  for (const at of placesOf(bytes, 'object 17;')) bytes.write('OBJECT', at)
  writeFileSync(path, bytes)
  const store = open(path)
  const held = new Objects(store.db).inventory()
  expect([held.size, held.has(configMap(17))]).toEqual([399, false])
  expect([getMeta(store.db, 'epoch'), getMeta(store.db, 'complete')]).toEqual(['e1', undefined])
  store.close()
})

test.each(['the damaged one still in its place', 'the damaged one aside', 'its log still there'])(
  'a replacement that a crash cut short is finished or begun anew: %s',
  async (state) => {
    const path = await killed()
    if (state === 'the damaged one still in its place') {
      writeFileSync(`${path}.new`, 'half a database')
      wound(path, 'object 200;')
    } else {
      copyFileSync(path, `${path}.new`)
      copyFileSync(path, `${path}.corrupt-2026-01-01`)
      if (state === 'its log still there') writeFileSync(`${path}-wal`, 'the log of the damaged one')
      rmSync(path)
    }
    const store = open(path)
    expect(new Objects(store.db).inventory().size).toBeGreaterThan(350)
    store.close()
    expect(existsSync(`${path}.new`)).toBe(false)
  },
)

test('of many damaged databases the newest two are kept', async () => {
  const path = await killed()
  for (const day of ['01', '02', '03', '04']) writeFileSync(`${path}.corrupt-2026-01-${day}`, 'x')
  wound(path, 'object 200;')
  open(path).close()
  const aside = readdirSync(dirname(path)).filter((name) => name.includes('.corrupt-'))
  expect(aside).toHaveLength(2)
  expect(aside).toContain('edge.db.corrupt-2026-01-04')
})
