import { ageColumn, type Column, nameColumn } from './columns.ts'
import {
  configMapColumns,
  crdColumns,
  csrColumns,
  eventColumns,
  leaseColumns,
  namespaceColumns,
  secretColumns,
  serviceAccountColumns,
} from './columns-core.ts'
import { nodeColumns } from './columns-node.ts'
import { podColumns } from './columns-pod.ts'
import type { ApiKind, Subresource } from './kinds.ts'
import { configMap, event, eventsEvent, namespace, node, secret, serviceAccount } from './schemas-core.ts'
import { certificateSigningRequest, customResourceDefinition, lease } from './schemas-others.ts'
import { pod } from './schemas-pod.ts'

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const readWrite = ['get', 'patch', 'update']
const status: Subresource = { name: 'status', verbs: readWrite }

function core(kind: string, plural: string, more: Partial<ApiKind> & Pick<ApiKind, 'schema'>): ApiKind {
  return {
    group: '',
    version: 'v1',
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    verbs: allVerbs,
    subresources: [],
    storage: plural,
    storageApiVersion: 'v1',
    custom: false,
    columns: [nameColumn, ageColumn] satisfies Column[],
    selectableFields: [],
    ...more,
  }
}

/** The kinds that are served without a CustomResourceDefinition. */
export const builtIns: readonly ApiKind[] = [
  core('Namespace', 'namespaces', {
    schema: namespace,
    namespaced: false,
    shortNames: ['ns'],
    verbs: allVerbs.filter((verb) => verb !== 'deletecollection'),
    subresources: [{ name: 'finalize', verbs: ['update'] }, status],
    columns: namespaceColumns,
    selectableFields: ['status.phase'],
  }),
  core('Node', 'nodes', {
    schema: node,
    namespaced: false,
    shortNames: ['no'],
    subresources: [status],
    columns: nodeColumns,
    selectableFields: ['spec.unschedulable'],
  }),
  core('Pod', 'pods', {
    schema: pod,
    shortNames: ['po'],
    categories: ['all'],
    subresources: [{ name: 'binding', kind: { group: '', version: 'v1', kind: 'Binding' }, verbs: ['create'] }, status],
    columns: podColumns,
    selectableFields: [
      'spec.nodeName',
      'spec.restartPolicy',
      'spec.schedulerName',
      'spec.serviceAccountName',
      'spec.hostNetwork',
      'status.phase',
      'status.podIP',
      'status.podIPs',
      'status.nominatedNodeName',
    ],
  }),
  core('ConfigMap', 'configmaps', { schema: configMap, shortNames: ['cm'], columns: configMapColumns }),
  core('Secret', 'secrets', { schema: secret, columns: secretColumns, selectableFields: ['type'] }),
  core('ServiceAccount', 'serviceaccounts', {
    schema: serviceAccount,
    shortNames: ['sa'],
    columns: serviceAccountColumns,
  }),
  core('Event', 'events', {
    schema: event,
    shortNames: ['ev'],
    columns: eventColumns,
    selectableFields: [
      'involvedObject.kind',
      'involvedObject.namespace',
      'involvedObject.name',
      'involvedObject.uid',
      'involvedObject.apiVersion',
      'involvedObject.resourceVersion',
      'involvedObject.fieldPath',
      'reason',
      'reportingComponent',
      'source',
      'type',
    ],
  }),
  core('Event', 'events', {
    group: 'events.k8s.io',
    schema: eventsEvent,
    shortNames: ['ev'],
    columns: eventColumns,
    selectableFields: [
      'regarding.kind',
      'regarding.namespace',
      'regarding.name',
      'regarding.uid',
      'regarding.apiVersion',
      'regarding.resourceVersion',
      'regarding.fieldPath',
      'reason',
      'reportingController',
      'type',
    ],
  }),
  core('Lease', 'leases', {
    group: 'coordination.k8s.io',
    storage: 'leases.coordination.k8s.io',
    storageApiVersion: 'coordination.k8s.io/v1',
    schema: lease,
    columns: leaseColumns,
  }),
  core('CertificateSigningRequest', 'certificatesigningrequests', {
    group: 'certificates.k8s.io',
    storage: 'certificatesigningrequests.certificates.k8s.io',
    storageApiVersion: 'certificates.k8s.io/v1',
    schema: certificateSigningRequest,
    namespaced: false,
    shortNames: ['csr'],
    subresources: [{ name: 'approval', verbs: readWrite }, status],
    columns: csrColumns,
    selectableFields: ['spec.signerName'],
  }),
  core('CustomResourceDefinition', 'customresourcedefinitions', {
    group: 'apiextensions.k8s.io',
    storage: 'customresourcedefinitions.apiextensions.k8s.io',
    storageApiVersion: 'apiextensions.k8s.io/v1',
    schema: customResourceDefinition,
    namespaced: false,
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    subresources: [status],
    columns: crdColumns,
  }),
]
