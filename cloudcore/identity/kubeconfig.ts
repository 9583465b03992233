import { stringify } from 'yaml'

/** The text of a kubeconfig with one cluster and one user, who shows a bearer token. */
export function kubeconfigText({ server, caCert, token }: { server: string; caCert: string; token: string }): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'kedge', cluster: { server, 'certificate-authority-data': Buffer.from(caCert).toString('base64') } },
    ],
    users: [{ name: 'kedge-admin', user: { token } }],
    contexts: [{ name: 'kedge', context: { cluster: 'kedge', user: 'kedge-admin' } }],
    'current-context': 'kedge',
  })
}
