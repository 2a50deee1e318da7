import { createSign, createVerify, generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generate } from 'selfsigned'

/** Signs service account tokens, and answers the TokenReview requests of the Kubernetes auth method. */
export interface KubernetesApi extends AsyncDisposable {
  readonly address: string
  /** What the JWTs of `sign` can be verified with. */
  readonly publicKey: string
  /** Any certificate: the auth method wants one of an authority even where there is no TLS. */
  readonly certificate: string
  serviceAccountToken(namespace: string, name: string, claims?: object): string
  sign(claims: object): string
}

export async function startKubernetesApi(): Promise<KubernetesApi> {
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
  const sign = (claims: object): string => {
    const now = Math.floor(Date.now() / 1_000)
    const times = { iat: now, nbf: now, exp: now + 600 }
    const signed = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode({ ...times, ...claims })}`
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(keys.privateKey, 'base64url')}`
  }
  const review = (token: string): object => {
    const [header, payload, signature] = token.split('.')
    const verified = createVerify('RSA-SHA256')
      .update(`${header}.${payload}`)
      .verify(keys.publicKey, signature ?? '', 'base64url')
    const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString())
    if (!verified || claims.exp * 1_000 < Date.now()) return { authenticated: false, error: 'invalid token' }
    const { uid } = claims['kubernetes.io'].serviceaccount
    const user = { username: claims.sub, uid, groups: ['system:serviceaccounts'] }
    return { authenticated: true, audiences: claims.aud, user }
  }
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { spec } = JSON.parse(Buffer.concat(chunks).toString())
    const status = review(spec.token)
    response.writeHead(201, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', status }))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const { cert } = await generate([{ name: 'commonName', value: 'kubernetes' }])
  return {
    address: `http://127.0.0.1:${port}`,
    publicKey: keys.publicKey,
    certificate: cert,
    sign,
    serviceAccountToken: (namespace, name, claims = {}) =>
      sign({
        iss: 'https://kubernetes.default.svc',
        aud: ['https://kubernetes.default.svc'],
        sub: `system:serviceaccount:${namespace}:${name}`,
        'kubernetes.io': { namespace, serviceaccount: { name, uid: randomUUID() } },
        ...claims,
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
