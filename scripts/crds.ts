import { writeFileSync } from 'node:fs'
import { deviceCrdFiles } from '@kedge/shared/kubeapi/device-crds'

/** Writes `deploy/crds/*.yaml` from the schemas. */
for (const { name, text } of deviceCrdFiles()) {
  writeFileSync(new URL(`../deploy/crds/${name}`, import.meta.url), text)
}
