import { generate } from 'selfsigned'

/** A certificate and its key, as PEM. */
export type Pair = { readonly key: string; readonly cert: string }

export async function certificate(
  name: string,
  altNames: { type: 2 | 7; value?: string; ip?: string }[],
  issuer: Pair | undefined,
  cA = false,
): Promise<Pair> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ...(issuer && { ca: issuer }),
    extensions: [
      { name: 'basicConstraints', cA },
      ...(altNames.length > 0 ? [{ name: 'subjectAltName' as const, altNames }] : []),
    ],
  })
  return { key, cert }
}

export const authority = (name: string): Promise<Pair> => certificate(name, [], undefined, true)

export const localhost = (issuer: Pair): Promise<Pair> =>
  certificate('local', [{ type: 7, ip: '127.0.0.1' }], issuer)
