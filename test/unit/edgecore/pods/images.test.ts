import { Images } from '@kedge/edgecore/pods/images'
import type { PodConfig, Runtime } from '@kedge/edgecore/pods/runtime'
import { expect, test } from 'vitest'
import { HandClock } from '../../../support/hand-clock.ts'

const pod: PodConfig = {
  ...{ namespace: 'default', name: 'web', uid: 'uid-web', labels: {}, annotations: {}, containers: [], graceMs: 0 },
}

test('what is remembered of images has a bound, and what is being pulled is never forgotten', async () => {
  let finish = () => {}
  const pull = async (image: string) => {
    if (image === 'slow') await new Promise<void>((resolve) => (finish = resolve))
    return 'id'
  }
  const runtime = { pull, image: async () => 'id' } as Partial<Runtime> as Runtime
  const images = new Images(runtime, new HandClock())
  const pulled = (image: string) => new Promise<void>((done) => images.begin(image, { pod }, done))
  const slow = pulled('slow')
  for (let count = 0; count < 600; count += 1) await pulled(`image:${count}`)
  const states = await Promise.all(['slow', 'image:0', 'image:599'].map((image) => images.look(image, () => {})))
  expect(states).toMatchObject([{ is: 'pulling' }, { is: 'present' }, { is: 'present', pulledAt: expect.anything() }])
  expect(states[1]).not.toHaveProperty('pulledAt')
  finish()
  await slow
})
