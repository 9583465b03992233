import { bundlePath } from '../build.ts'
import type { Layout, Member } from './layout.ts'
import { shownPath } from './shown-path.ts'

const warmer = JSON.stringify([{ op: 'replace', path: '/spec/properties/0/desired/value', value: '23' }])

/** What runs where, and what to try: said once the fleet is up. */
export function welcome({ dir, kubeconfig, cloudcore, edges }: Layout, cwd: string): string {
  const here = (path: string) => shownPath(path, cwd)
  const [first] = edges
  const data = first === undefined ? '' : here(first.data)
  return [
    '',
    `Kedge is up. Ctrl-C stops it; its state stays in ${here(dir)}.`,
    '',
    `  Kubernetes API   https://127.0.0.1:${cloudcore.settings['api-port']}, kubeconfig ${here(kubeconfig)}`,
    `  ${'cloudcore'.padEnd(15)}  log ${here(cloudcore.log)}`,
    ...edges.map((edge) => edgeLine(edge, here)),
    '',
    'To try, in another terminal:',
    `  export KUBECONFIG=${kubeconfig}`,
    '  kubectl get nodes,devices',
    '  kubectl get device thermostat -o yaml',
    `  kubectl patch device thermostat --type=json -p '${warmer}'`,
    `  node ${here(bundlePath('edgecore'))} get twins --data ${data}`,
    '',
  ].join('\n')
}

function edgeLine({ name, settings, log }: Member, here: (path: string) => string): string {
  return `  ${name.padEnd(15)}  devices at mqtt://127.0.0.1:${settings['mqtt-port']}, log ${here(log)}`
}
