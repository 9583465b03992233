import { condition, topLevel } from './schemas-meta.ts'
import { bytes, flag, int32, keyed, list, mapOf, named, open, shape, text, time } from './words.ts'

export const lease = topLevel('io.k8s.api.coordination.v1.Lease', 'A claim that is renewed while its holder lives.', {
  spec: named('io.k8s.api.coordination.v1.LeaseSpec', 'Who holds it and for how long.', {
    holderIdentity: text('Who holds it.'),
    leaseDurationSeconds: int32('Seconds after renewTime until others may take it.'),
    acquireTime: time('When it was taken.'),
    renewTime: time('When it was last renewed.'),
    leaseTransitions: int32('How often it changed hands.'),
    strategy: text(),
    preferredHolder: text(),
  }),
})

const signingCondition = shape(
  {
    type: text('Approved, Denied or Failed.'),
    status: text(),
    reason: text(),
    message: text(),
    lastUpdateTime: { ...time(), nullable: true },
    lastTransitionTime: { ...time(), nullable: true },
  },
  ['type', 'status'],
)

export const certificateSigningRequest = topLevel(
  'io.k8s.api.certificates.v1.CertificateSigningRequest',
  'Asks for an X.509 certificate.',
  {
    spec: named(
      'io.k8s.api.certificates.v1.CertificateSigningRequestSpec',
      'The request, and who should sign it.',
      {
        request: bytes('The request in PEM, in base64.'),
        signerName: text('Who should sign.'),
        expirationSeconds: int32('How long the certificate should live.'),
        usages: list(text(), 'What the key is for.'),
        username: text('Who asks; set by the server.'),
        uid: text(),
        groups: list(text()),
        extra: mapOf(list(text())),
      },
      ['request', 'signerName'],
    ),
    status: named('io.k8s.api.certificates.v1.CertificateSigningRequestStatus', 'What became of the request.', {
      certificate: bytes('The certificate in PEM, in base64.'),
      conditions: {
        ...keyed(['type'], signingCondition, 'Approved, denied or failed.'),
        'x-kubernetes-patch-strategy': undefined,
        'x-kubernetes-patch-merge-key': undefined,
      },
    }),
  },
)

const crdNames = shape(
  {
    plural: text('Name in URLs.'),
    singular: text(),
    kind: text('CamelCase.'),
    listKind: text(),
    shortNames: list(text()),
    categories: list(text()),
  },
  ['plural', 'kind'],
)

const crdVersion = shape(
  {
    name: text('For instance v1beta1.'),
    served: flag('Whether clients can use it.'),
    storage: flag('Whether objects are stored in it; true for exactly one.'),
    deprecated: flag(),
    deprecationWarning: text(),
    schema: shape({ openAPIV3Schema: open('The structural schema of the objects.') }),
    subresources: shape({
      status: open('An empty object switches the status subresource on.'),
      scale: shape({ specReplicasPath: text(), statusReplicasPath: text(), labelSelectorPath: text() }, [
        'specReplicasPath',
        'statusReplicasPath',
      ]),
    }),
    additionalPrinterColumns: list(
      shape({ name: text(), type: text(), format: text(), description: text(), priority: int32(), jsonPath: text() }, [
        'name',
        'type',
        'jsonPath',
      ]),
    ),
    selectableFields: list(shape({ jsonPath: text() }, ['jsonPath'])),
  },
  ['name'],
)

const extensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1'

export const customResourceDefinition = topLevel(
  `${extensions}.CustomResourceDefinition`,
  'Declares a kind that the API then serves.',
  {
    spec: named(
      `${extensions}.CustomResourceDefinitionSpec`,
      'The kind and its versions.',
      {
        group: text('For instance devices.kubeedge.io.'),
        names: crdNames,
        scope: text('Namespaced or Cluster.'),
        versions: list(crdVersion),
        conversion: shape({ strategy: text('None: versions differ in apiVersion only.'), webhook: open() }),
        preserveUnknownFields: flag(),
      },
      ['group', 'names', 'scope', 'versions'],
    ),
    status: named(`${extensions}.CustomResourceDefinitionStatus`, 'Whether the kind is served.', {
      acceptedNames: crdNames,
      conditions: { ...keyed(['type'], { ...condition, required: ['type', 'status'] }) },
      storedVersions: list(text()),
      observedGeneration: { type: 'integer', format: 'int64' },
    }),
  },
  ['spec'],
)
