import { afterEach, beforeEach, expect, test } from 'vitest'
import { PodNode, pod } from '../../../support/pod-node.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let node: PodNode

beforeEach(async () => {
  node = new PodNode(tempDir())
  await node.start()
})

afterEach(async () => {
  if (node.started) await node.crash()
  node.close()
})

test('a pod comes up, and its status says that it is simulated', async () => {
  await node.put(pod('web'))
  const status = node.status('default/web')
  expect(status).toMatchInlineSnapshot(`
    {
      "conditions": [
        {
          "lastTransitionTime": "2026-01-01T00:00:00Z",
          "status": "True",
          "type": "PodReadyToStartContainers",
        },
        {
          "lastTransitionTime": "2026-01-01T00:00:00Z",
          "status": "True",
          "type": "Initialized",
        },
        {
          "lastTransitionTime": "2026-01-01T00:00:00Z",
          "status": "True",
          "type": "Ready",
        },
        {
          "lastTransitionTime": "2026-01-01T00:00:00Z",
          "status": "True",
          "type": "ContainersReady",
        },
        {
          "lastTransitionTime": "2026-01-01T00:00:00Z",
          "status": "True",
          "type": "PodScheduled",
        },
        {
          "lastTransitionTime": "2026-01-01T00:00:00Z",
          "message": "Simulated: the runtime of this node executes nothing; states and times are made up.",
          "reason": "SimulatedRuntime",
          "status": "True",
          "type": "kedge.io/Simulated",
        },
      ],
      "containerStatuses": [
        {
          "containerID": "simulated://d17836aa189239f75f7649b260d082acc8a9fc976e676aedf97e47a2f78c4f61",
          "image": "nginx:1.27",
          "imageID": "simulated://sha256:cd4495bb73de9b01bf009710b80ecf4be2d298db47492f4e9e7d0b04981c4614",
          "lastState": {},
          "name": "web",
          "ready": true,
          "restartCount": 0,
          "started": true,
          "state": {
            "running": {
              "startedAt": "2026-01-01T00:00:00Z",
            },
          },
        },
      ],
      "hostIP": "192.0.2.7",
      "hostIPs": [
        {
          "ip": "192.0.2.7",
        },
      ],
      "message": "Simulated: the runtime of this node executes nothing; states and times are made up.",
      "phase": "Running",
      "qosClass": "BestEffort",
      "startTime": "2026-01-01T00:00:00Z",
    }
  `)
  expect(node.reports()).toHaveLength(1)
  expect(node.events().map(({ reason, message }) => `${reason}: ${message}`)).toMatchInlineSnapshot(`
    [
      "Pulling: Pulling image "nginx:1.27" (simulated)",
      "Pulled: Successfully pulled image "nginx:1.27" (simulated)",
      "Created: Created container: web (simulated)",
      "Started: Started container web (simulated)",
      "SimulatedRuntime: Simulated: the runtime of this node executes nothing; states and times are made up.",
    ]
  `)
})
