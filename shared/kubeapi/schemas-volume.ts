import { fieldRef, resourceFieldRef } from './schemas-container.ts'
import { labelSelector } from './schemas-meta.ts'
import { flag, int32, int64, list, mapOf, named, oneOf, open, quantity, shape, text } from './words.ts'

const core = 'io.k8s.api.core.v1'

const keyToPath = named(
  `${core}.KeyToPath`,
  'One key as a file.',
  { key: text(), path: text('Path of the file in the volume.'), mode: int32('Permissions, for instance 0400.') },
  ['key', 'path'],
)

const downwardItem = shape({ path: text(), fieldRef, resourceFieldRef, mode: int32() }, ['path'])

const localRef = shape({ name: text() })

const projection = named(`${core}.VolumeProjection`, 'One of the sources put together in a projected volume.', {
  configMap: shape({ name: text(), items: list(keyToPath), optional: flag() }),
  secret: shape({ name: text(), items: list(keyToPath), optional: flag() }),
  downwardAPI: shape({ items: list(downwardItem) }),
  serviceAccountToken: shape({ audience: text(), expirationSeconds: int64(), path: text() }, ['path']),
  clusterTrustBundle: shape({ name: text(), signerName: text(), labelSelector, optional: flag(), path: text() }, [
    'path',
  ]),
  podCertificate: open(),
})

export const volume = named(
  `${core}.Volume`,
  'Files for the containers of a pod.',
  {
    name: text('Unique in the pod; a DNS label.'),
    configMap: named(`${core}.ConfigMapVolumeSource`, 'The entries of a ConfigMap as files.', {
      name: text('Name of the ConfigMap.'),
      items: list(keyToPath, 'Which entries become which files; all of them unless given.'),
      defaultMode: int32('Permissions of the files, 0644 unless given.'),
      optional: flag('Whether the pod may start without it.'),
    }),
    secret: named(`${core}.SecretVolumeSource`, 'The entries of a Secret as files.', {
      secretName: text('Name of the Secret.'),
      items: list(keyToPath, 'Which entries become which files; all of them unless given.'),
      defaultMode: int32('Permissions of the files, 0644 unless given.'),
      optional: flag('Whether the pod may start without it.'),
    }),
    emptyDir: named(`${core}.EmptyDirVolumeSource`, 'An empty directory that lives as long as the pod.', {
      medium: text('Memory for a file system in memory.'),
      sizeLimit: quantity,
    }),
    hostPath: named(
      `${core}.HostPathVolumeSource`,
      'A path of the host.',
      {
        path: text(),
        type: oneOf(['BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket']),
      },
      ['path'],
    ),
    downwardAPI: shape({ items: list(downwardItem), defaultMode: int32() }),
    projected: shape({ sources: list(projection), defaultMode: int32() }),
    persistentVolumeClaim: shape({ claimName: text(), readOnly: flag() }, ['claimName']),
    nfs: shape({ server: text(), path: text(), readOnly: flag() }, ['server', 'path']),
    csi: shape(
      {
        driver: text(),
        fsType: text(),
        nodePublishSecretRef: localRef,
        readOnly: flag(),
        volumeAttributes: mapOf(text()),
      },
      ['driver'],
    ),
    image: shape({ reference: text(), pullPolicy: text() }),
    ephemeral: open(),
    iscsi: open(),
    awsElasticBlockStore: open(),
    azureDisk: open(),
    azureFile: open(),
    cephfs: open(),
    cinder: open(),
    fc: open(),
    flexVolume: open(),
    flocker: open(),
    gcePersistentDisk: open(),
    gitRepo: open(),
    glusterfs: open(),
    photonPersistentDisk: open(),
    portworxVolume: open(),
    quobyte: open(),
    rbd: open(),
    scaleIO: open(),
    storageos: open(),
    vsphereVolume: open(),
  },
  ['name'],
)
