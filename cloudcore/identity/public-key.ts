import { loadX509 } from './x509.ts'

/** The public key (DER, SPKI) of a request (PEM, PKCS#10) that the policy has judged. */
export async function publicKeyOf(csr: string): Promise<Buffer> {
  const x509 = await loadX509()
  return Buffer.from(new x509.Pkcs10CertificateRequest(csr).publicKey.rawData)
}
