/** What a figure is held against: what we mean to reach, and what KubeEdge gives on a machine of the same kind. */
export interface Goal {
  goal: string
  kubeEdge: string
}

const none: Goal = { goal: '', kubeEdge: '' }

const apiToEdge = {
  configMap: { p50: '6.3–12.7', p99: '33–41' },
  device: { p50: '9.9–16.4', p99: '37–216' },
  pod: { p50: '9.5–14.5', p99: '28–143' },
}

function pair(name: string, p50: [string, string], p99: [string, string]): [string, Goal][] {
  return [
    [`${name} p50`, { goal: p50[0], kubeEdge: p50[1] }],
    [`${name} p99`, { goal: p99[0], kubeEdge: p99[1] }],
  ]
}

function fromTheApi(what: string, { p50, p99 }: { p50: string; p99: string }): [string, Goal][] {
  return [
    ...pair(`link/${what} answered → at the edge`, ['≤ 5', p50], ['≤ 20', p99]),
    ...pair(`link/${what} sent → at the edge`, ['', '12–37'], ['', '50–302']),
  ]
}

function one(name: string, goal: string, kubeEdge: string): [string, Goal] {
  return [name, { goal, kubeEdge }]
}

/** By `<bench>/<figure>`, in the figure's unit. */
const goals: ReadonlyMap<string, Goal> = new Map([
  ...fromTheApi('ConfigMap', apiToEdge.configMap),
  ...fromTheApi('Device desired', apiToEdge.device),
  ...fromTheApi('Pod annotation', apiToEdge.pod),
  ...pair('link/desired answered → MQTT delta', ['', 'never'], ['≤ 50', 'never']),
  ...pair('link/device report → API', ['≤ 15', '15–20'], ['≤ 60', '32–182']),
  one('link/device reports lost', '0', '1 of 1,200'),
  one('link/first sync of 99 devices', '≤ 0.5', '4.1'),
  one('link/first sync of 99 devices, down', '≤ 20', '168'),
  one('link/first sync of 99 devices, up', '', '29'),
  one('link/first sync of 900 devices', '', '34'),
  one('link/first sync of 900 devices, down', '≤ 180', '1540'),
  one('link/first sync of 900 devices, up', '', '259'),
  one('link/link back → reconnected, median', '≤ 2', '33–40'),
  one('link/change during a cut → at the edge, median', '≤ 3', '37–41'),
  one('twins/1 device, one in flight', '', '81–149'),
  ...pair('twins/1 device, one in flight', ['≤ 2', '4–8'], ['≤ 10', '37–56']),
  one('twins/50 devices, 16 in flight', '≥ 5000', '140–218'),
  ...pair('twins/50 devices, 16 in flight', ['', '67–100'], ['≤ 100', '138–320']),
  ...pair('twins/50 devices, half that rate', ['', ''], ['≤ 20', '']),
  one('twins/burst of 5000', '≤ 1', '130'),
  one('twins/answers out of order', '0', '294–310 of 1,000'),
  one('link/30 devices × 3/s: status writes', '≤ 3', '28 (all it can)'),
  ...pair('link/30 devices × 3/s: live in cloudcore', ['', ''], ['≤ 1000', '']),
  one('link/30 devices × 3/s: writes per device and interval', '≤ 1', ''),
  ...pair('devices/desired answered → UpdateDevice', ['≤ 12', '26'], ['≤ 30', '64']),
  one('devices/many devices, resident', '≤ 150', ''),
  one('devices/many devices that report, resident', '≤ 150', ''),
  one('devices/slow disk', '≥ 1000', ''),
  one('devices/gRPC reports refused, one connection', '0', '901 of 1,000'),
  one('devices/gRPC reports refused, a connection for each', '0', '901 of 1,000'),
  one('devices/gRPC reports, one connection', '', '1'),
  one('devices/gRPC reports, a connection for each', '', '1'),
  one('modbus/registers read, values stand still', '≥ 4950', ''),
  one('modbus/registers read, all values change', '≥ 4950', ''),
  one('modbus/processor, values stand still', '≤ 1', ''),
  one('modbus/processor, all values change', '≤ 1', ''),
  one('idle/edgecore, resident', '≤ 56', '71'),
  one('idle/edgecore, anonymous', '', '13'),
  one('idle/edgecore under load, resident', '≤ 70', '80–95'),
  one('idle/cloudcore, resident', '≤ 110', '87 + API server'),
  one('idle/edgecore, processor', '0.03', '0.03'),
  ...pair('pods/created → Running, one pod', ['≤ 500', '654'], ['', '']),
  ...pair('pods/created → Running, 30 on the node', ['', ''], ['≤ 1500', '']),
  ...pair('pods/deleted → gone, deaf', ['≤ 1300', '1560'], ['', '']),
  one('pods/idle, resident, 1 pod', '≤ 70', '90'),
  one('pods/idle, processor, 1 pod', '≤ 0.3', '1.0'),
  one('pods/restart of edgecore, 100 pods', '≤ 2', ''),
  ...pair('pods/plan over 110 pods', ['≤ 5', ''], ['', '']),
  one('link/idle minute', '≤ 100', '1220 with TLS'),
  one('link/link cut, 1000 objects', '≤ 1000', '2800 with TLS'),
  one('link/cloudcore restarted, 1000 objects', '≤ 1000', '1050000'),
  one('link/cloudcore restarted, 1000 objects, in sync', '≤ 1', '32'),
  one('link/cloudcore back → edge in sync', '≤ 2', '30'),
  one('link/1000 nodes, cloudcore restarted, in sync', '≤ 10', ''),
  // A bench of its own, and a part of that of the link.
  ...['link', 'outbox'].map((bench) => one(`${bench}/1000000 events wait: final states in the API`, '≤ 5', '')),
  one('idle/start to serving, no cloud', '≤ 0.5', '0.13–0.23'),
  one('apiserver/durable creates, 32 at once', '≥ 2000', ''),
  ...pair('apiserver/create, 32 at once', ['', ''], ['≤ 50', '']),
  ...pair('apiserver/write sent → seen by 1000 watchers', ['', ''], ['≤ 250', '']),
  one('apiserver/list of 10000 pods', '≤ 1000', ''),
  one('apiserver/resident after the load', '≤ 200', ''),
  one('apiserver/resident at rest', '≤ 200', ''),
])

export function goalOf({ bench, figure }: { bench: string; figure: string }): Goal {
  return goals.get(`${bench}/${figure}`) ?? none
}
