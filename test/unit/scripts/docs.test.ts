import { expect, test } from 'vitest'
import { withTables } from '../../../scripts/docs.ts'

test('puts the tables of settings in their places, again and again', () => {
  const text = '# A\n\n<!-- settings: edgecore -->\nold\n<!-- /settings -->\n\nrest\n'
  const once = withTables(text)
  expect(once).toMatch(/^\| `--node-name NAME` +\| `KEDGE_NODE_NAME` +\| the host name, in lower case +\|/m)
  expect(once).not.toContain('old')
  expect(once.endsWith('<!-- /settings -->\n\nrest\n')).toBe(true)
  expect(withTables(once)).toBe(once)
})

test('knows no other tables', () => {
  expect(() => withTables('<!-- settings: nope -->\n<!-- /settings -->')).toThrow('no settings table "nope"')
})
