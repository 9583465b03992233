import { plan, type Step } from '@kedge/edgecore/pods/plan'
import type { ImageState, Situation } from '@kedge/edgecore/pods/situation'
import { describe, expect, test } from 'vitest'
import { at, container, exited, now, running, sandbox, situation, wanted } from '../../../support/situations.ts'

/** A step in short. */
function short(step: Step): string {
  switch (step.is) {
    case 'run':
      return `run ${step.container.name}#${step.attempt} backoff ${step.backoffMs / 1000}`
    case 'stop':
      return `stop ${step.id} grace ${step.graceMs / 1000}`
    case 'wait':
      return step.until === undefined ? 'wait' : `wait until ${step.until / 1000}`
    case 'createSandbox':
      return `createSandbox ${step.attempt}`
    case 'pull':
      return `pull ${step.image}`
    case 'unmount':
      return `unmount ${step.uid}`
    case 'mount':
      return 'mount'
    case 'start':
    case 'remove':
    case 'stopSandbox':
    case 'removeSandbox':
      return `${step.is} ${step.id}`
  }
}

type Row = [name: string, situation: Partial<Situation>, steps: string[]]

function table(name: string, rows: Row[]): void {
  describe(name, () => {
    test.each(rows)('%s', (_name, change, steps) => {
      expect(plan(situation(change)).map(short)).toEqual(steps)
    })
  })
}

const other = { namespace: 'default', name: 'web', uid: 'older' }
const never = wanted({ spec: { restartPolicy: 'Never' } })
const onFailure = wanted({ spec: { restartPolicy: 'OnFailure' } })
const deleted = wanted({ deletion: { graceSeconds: 5 } })
const always = wanted({ spec: { containers: [{ name: 'web', image: 'nginx:1.27', imagePullPolicy: 'Always' }] } })
const two = wanted({
  spec: {
    containers: [
      { name: 'web', image: 'nginx:1.27' },
      { name: 'db', image: 'nginx:1.27' },
    ],
  },
})
const images = (state: ImageState) => new Map([['nginx:1.27', state]])

table('starting', [
  ['nothing is there', {}, ['createSandbox 0']],
  ['files come first', { volumes: { is: 'stale' } }, ['mount']],
  ['an object is missing', { volumes: { is: 'missing', why: 'configmap "a" not found' } }, ['wait']],
  ['a sandbox', { seen: [sandbox()] }, ['run web#0 backoff 0']],
  ['made and not started', { seen: [sandbox([container({ is: 'created' })])] }, ['start web-0']],
  ['it runs', { seen: [sandbox([container(running())])] }, []],
  ['files change under it', { seen: [sandbox([container(running())])], volumes: { is: 'stale' } }, ['mount']],
  [
    'it runs, an object went missing',
    { seen: [sandbox([container(running())])], volumes: { is: 'missing', why: '' } },
    [],
  ],
  ['one of two runs', { wanted: two, seen: [sandbox([container(running())])] }, ['run db#0 backoff 0']],
  ['the environment lacks something', { seen: [sandbox()], unconfigured: new Map([['web', 'no']]) }, ['wait']],
  [
    'one of two lacks something',
    { wanted: two, seen: [sandbox()], unconfigured: new Map([['web', 'no']]) },
    ['wait', 'run db#0 backoff 0'],
  ],
  ['it was refused', { wanted: { ...wanted(), refusal: { reason: 'No', message: 'no' } } }, ['wait']],
  [
    'it was refused while it runs',
    { wanted: { ...wanted(), refusal: { reason: 'No', message: 'no' } }, seen: [sandbox([container(running())])] },
    ['wait'],
  ],
])

table('images', [
  ['absent', { seen: [sandbox()], images: images({ is: 'absent' }) }, ['pull nginx:1.27']],
  ['on its way', { seen: [sandbox()], images: images({ is: 'pulling' }) }, ['wait']],
  [
    'failed, too early to try again',
    {
      seen: [sandbox()],
      images: images({ is: 'failed', message: '', failedAt: at(995), retryAt: at(1005), tries: 1 }),
    },
    ['wait until 1005'],
  ],
  [
    'failed, time to try again',
    { seen: [sandbox()], images: images({ is: 'failed', message: '', failedAt: at(980), retryAt: at(990), tries: 1 }) },
    ['pull nginx:1.27'],
  ],
  [
    'Always, not asked since the sandbox was made',
    { wanted: always, seen: [sandbox()], images: images({ is: 'present', id: 'i', pulledAt: at(880) }) },
    ['pull nginx:1.27'],
  ],
  [
    'Always, asked since',
    { wanted: always, seen: [sandbox()], images: images({ is: 'present', id: 'i', pulledAt: at(895) }) },
    ['run web#0 backoff 0'],
  ],
  [
    'Always, the registry is out of reach, an older copy is here',
    {
      wanted: always,
      seen: [sandbox()],
      images: images({ is: 'failed', message: '', failedAt: at(995), retryAt: at(1005), tries: 3, id: 'i' }),
    },
    ['run web#0 backoff 0'],
  ],
  [
    'Never and absent',
    {
      wanted: wanted({ spec: { containers: [{ name: 'web', image: 'nginx:1.27', imagePullPolicy: 'Never' }] } }),
      seen: [sandbox()],
      images: images({ is: 'absent' }),
    },
    ['wait'],
  ],
])

table('restarting', [
  ['the first time at once', { seen: [sandbox([container(exited(1))])] }, ['run web#1 backoff 10']],
  [
    'then after 10 s',
    { seen: [sandbox([container(exited(1), { attempt: 1, backoffMs: at(10) })])] },
    ['wait until 1009'],
  ],
  [
    'when they are over',
    { seen: [sandbox([container(exited(1, 900, 990), { attempt: 1, backoffMs: at(10) })])] },
    ['run web#2 backoff 20'],
  ],
  [
    'at most 5 min',
    { seen: [sandbox([container(exited(1, 650, 700), { attempt: 9, backoffMs: at(300) })])] },
    ['run web#10 backoff 300'],
  ],
  [
    'afresh after 10 min without trouble',
    { seen: [sandbox([container(exited(1, 300, 999), { attempt: 9, backoffMs: at(300) })])] },
    ['run web#10 backoff 10'],
  ],
  [
    'at once when the clock was set back',
    { seen: [sandbox([container(exited(1, 9990, 9999), { attempt: 1, backoffMs: at(10) })])] },
    ['run web#2 backoff 20'],
  ],
  [
    'not after success on OnFailure',
    { wanted: onFailure, seen: [sandbox([container(exited(0))])] },
    ['stopSandbox s0'],
  ],
  [
    'after failure on OnFailure',
    { wanted: onFailure, seen: [sandbox([container(exited(1))])] },
    ['run web#1 backoff 10'],
  ],
  ['not on Never', { wanted: never, seen: [sandbox([container(exited(1))])] }, ['stopSandbox s0']],
  ['for another image', { seen: [sandbox([container(running(), { image: 'nginx:1.26' })])] }, ['stop web-0 grace 30']],
  [
    'keeps the newest two',
    { seen: [sandbox([0, 1, 2].map((attempt) => container(attempt === 2 ? running() : exited(1), { attempt })))] },
    ['remove web-0'],
  ],
])

table('after a reboot', [
  [
    'a container that outlived its sandbox first',
    { seen: [sandbox([container(running())], { ready: false })] },
    ['stop web-0 grace 30'],
  ],
  [
    "an older sandbox that is in nobody's use",
    { seen: [sandbox(), sandbox([], { id: 's1', attempt: 1 })] },
    ['stopSandbox s0'],
  ],
  ['a new sandbox', { seen: [sandbox([container(exited(255))], { ready: false })] }, ['createSandbox 1']],
  [
    'the container without a wait',
    {
      seen: [
        sandbox([container(exited(255), { attempt: 3, backoffMs: at(80) })], { ready: false }),
        sandbox([], { id: 's1', attempt: 1 }),
      ],
    },
    ['run web#4 backoff 80'],
  ],
  [
    'the old sandbox goes when nothing in it is told of any more',
    {
      seen: [sandbox([], { ready: false }), sandbox([container(running())], { id: 's1', attempt: 1 })],
    },
    ['removeSandbox s0'],
  ],
  [
    'a pod that may not restart stays down',
    { wanted: never, seen: [sandbox([container(exited(255))], { ready: false })] },
    [],
  ],
  ['a pod that had ended stays down', { wanted: onFailure, ended: 'succeeded' }, []],
])

const init = wanted({
  spec: {
    containers: [{ name: 'web', image: 'nginx:1.27' }],
    initContainers: [
      { name: 'a', image: 'nginx:1.27' },
      { name: 'b', image: 'nginx:1.27' },
    ],
  },
})
const first = (state: Parameters<typeof container>[0], attempt = 0) =>
  container(state, { name: 'a', kind: 'init', attempt })
const second = (state: Parameters<typeof container>[0]) => container(state, { name: 'b', kind: 'init' })
const sidecar = wanted({
  spec: {
    containers: [{ name: 'web', image: 'nginx:1.27' }],
    initContainers: [{ name: 'side', image: 'nginx:1.27', restartPolicy: 'Always' }],
  },
})
const side = (state: Parameters<typeof container>[0]) => container(state, { name: 'side', kind: 'sidecar' })

table('init containers', [
  ['the first', { wanted: init, seen: [sandbox()] }, ['run a#0 backoff 0']],
  ['the first runs', { wanted: init, seen: [sandbox([first(running())])] }, []],
  ['the second after the first', { wanted: init, seen: [sandbox([first(exited(0))])] }, ['run b#0 backoff 0']],
  ['the first again when it failed', { wanted: init, seen: [sandbox([first(exited(1))])] }, ['run a#1 backoff 10']],
  [
    'the others at the end',
    { wanted: init, seen: [sandbox([first(exited(0)), second(exited(0))])] },
    ['run web#0 backoff 0'],
  ],
  [
    'never again once the others began',
    { wanted: init, seen: [sandbox([container(exited(1))])] },
    ['run web#1 backoff 10'],
  ],
  [
    'again in a new sandbox',
    {
      wanted: init,
      seen: [
        sandbox([first(exited(0)), second(exited(0)), container(exited(255))], { ready: false }),
        sandbox([], { id: 's1', attempt: 1 }),
      ],
    },
    ['run a#1 backoff 0'],
  ],
  [
    'a sidecar lets the others begin once it runs',
    { wanted: sidecar, seen: [sandbox([side(running())])] },
    ['run web#0 backoff 0'],
  ],
  [
    'a sidecar that ended is started again',
    { wanted: sidecar, seen: [sandbox([side(exited(0)), container(running())])] },
    ['run side#1 backoff 10'],
  ],
])

table('stopping', [
  [
    'a deleted pod, with the grace of the deletion',
    { wanted: deleted, seen: [sandbox([container(running())])] },
    ['stop web-0 grace 5'],
  ],
  [
    'it is stopping',
    { wanted: deleted, seen: [sandbox([container({ is: 'stopping', startedAt: 0, until: at(1004) })])] },
    ['wait until 1004'],
  ],
  [
    'it is stopping, but too slowly',
    { wanted: deleted, seen: [sandbox([container({ is: 'stopping', startedAt: 0, until: at(1600) })])] },
    ['stop web-0 grace 5'],
  ],
  ['then the sandbox', { wanted: deleted, seen: [sandbox([container(exited(0))])] }, ['stopSandbox s0']],
  ['then nothing', { wanted: deleted, seen: [sandbox([container(exited(0))], { ready: false })] }, []],
  ['a deleted pod that never was', { wanted: deleted }, []],
  [
    'a sidecar after the others',
    { wanted: { ...sidecar, deletion: { graceMs: at(5) } }, seen: [sandbox([side(running()), container(running())])] },
    ['stop web-0 grace 5'],
  ],
  [
    'at last the sidecar',
    { wanted: { ...sidecar, deletion: { graceMs: at(5) } }, seen: [sandbox([side(running()), container(exited(0))])] },
    ['stop side-0 grace 5'],
  ],
  [
    'a pod of another uid, before anything else',
    { seen: [sandbox([container(running())], { pod: other })] },
    ['stop web-0 grace 30'],
  ],
  [
    'and then what is left of it',
    { seen: [sandbox([], { pod: other, ready: false }), sandbox([], { id: 's1' })] },
    ['unmount older', 'removeSandbox s0'],
  ],
])

test('a pod that nobody wants is stopped with the grace that it was made with, and removed', () => {
  const unwanted = (seen: Situation['seen']): string[] => {
    const { wanted: _nobody, ...rest } = situation({ seen })
    return plan(rest).map(short)
  }
  expect(unwanted([sandbox([container(running())], { graceMs: at(7) })])).toEqual(['stop web-0 grace 7'])
  expect(unwanted([sandbox([container(exited(0))])])).toEqual(['stopSandbox s0'])
  expect(unwanted([sandbox([container(exited(0))], { ready: false })])).toEqual(['unmount u', 'removeSandbox s0'])
  expect(unwanted([])).toEqual([])
})

test('a step that failed waits for its time, and its neighbours do not', () => {
  const failures = new Map([
    ['container/web', { reason: 'CreateContainerError', message: 'no', tries: 1, retryAt: now + 1000 }],
  ])
  expect(plan(situation({ wanted: two, seen: [sandbox()], failures })).map(short)).toEqual([
    'wait until 1001',
    'run db#0 backoff 0',
  ])
  expect(plan(situation({ wanted: two, seen: [sandbox()], failures, now: now + 1000 })).map(short)).toEqual([
    'run web#0 backoff 0',
    'run db#0 backoff 0',
  ])
})
