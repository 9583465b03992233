import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../../../scripts/build.ts'
import { withTables } from '../../../scripts/docs.ts'

test('puts the tables of settings in their places, again and again', () => {
  const text = '# A\n\n<!-- settings: edgecore -->\nold\n<!-- /settings -->\n\nrest\n'
  const once = withTables(text)
  expect(once).toMatch(/^\| `--data PATH` +\| `KEDGE_DATA` +\| `\/var\/lib\/kedge\/edgecore` +\|/m)
  expect(once).not.toMatch(/^old$/m)
  expect(once.endsWith('<!-- /settings -->\n\nrest\n')).toBe(true)
  expect(withTables(once)).toBe(once)
})

test('knows no other tables', () => {
  expect(() => withTables('<!-- settings: nope -->\n<!-- /settings -->')).toThrow('no settings table "nope"')
})

test('the tables in the documents are those of the settings', () => {
  const names = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)]
  for (const name of names.filter((name) => name.endsWith('.md') && existsSync(join(root, name)))) {
    const text = readFileSync(join(root, name), 'utf8')
    expect(text, `${name}: renew it with npm run docs -- ${name}`).toBe(withTables(text))
  }
})
