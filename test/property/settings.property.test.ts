import { startOf } from '@kedge/shared/load-settings'
import { text } from '@kedge/shared/setting-types'
import { program } from '@kedge/shared/settings'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const sample = program({ name: 'sample', summary: '', table: { title: { type: text, help: '' } } })

async function started(argv: string[], file = '') {
  return startOf(sample, { argv, env: {}, read: () => file })
}

const texts = fc.oneof(
  fc.string({ minLength: 1, unit: 'binary' }),
  fc.constantFrom(
    '007',
    '1e3',
    'null',
    '~',
    'yes',
    'off',
    '1:2',
    '0x1f',
    '-',
    '- a',
    'a: b',
    '#',
    '&a',
    '*a',
    '!x',
    '{',
    '"',
    "'",
  ),
)

test('whatever a setting is, the file that --print-config prints says the same again', async () => {
  await fc.assert(
    fc.asyncProperty(texts, async (title) => {
      const printed = await started([`--title=${title}`, '--print-config'])
      if (printed.is !== 'say') throw new Error('it should print')
      expect(await started(['--config', 'file'], printed.text)).toEqual({ is: 'run', values: { title } })
    }),
  )
})
