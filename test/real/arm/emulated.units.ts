import { Database } from '@kedge/shared/sqlite'
import { expect, test } from 'vitest'

test('these tests run on an arm64 Node.js with an arm64 addon', () => {
  expect(process.arch).toBe('arm64')
  const database = new Database(':memory:')
  expect(database.prepare('SELECT 1 AS one').get()).toEqual({ one: 1 })
  database.close()
})
