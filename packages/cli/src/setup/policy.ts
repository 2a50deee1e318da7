/** What a token with a credential needs beside reading it: to keep the lease, to end it, and its own life. */
const rest = [
  ['sys/leases/renew', 'update'],
  ['sys/leases/revoke', 'update'],
  ['auth/token/lookup-self', 'read'],
  ['auth/token/renew-self', 'update'],
  ['auth/token/revoke-self', 'update'],
] as const

/** The least that an application needs to live on the credentials at some paths. */
export function policyReading(paths: readonly string[]): string {
  const rules = [...paths.map((path) => [path, 'read'] as const), ...rest]
  return rules.map(([path, capability]) => `path "${path}" { capabilities = ["${capability}"] }\n`).join('')
}

/** The paths that a policy is made from, when it is one of `policyReading()`. */
export function pathsReadBy(policy: string): readonly string[] | undefined {
  const paths = Array.from(
    policy.matchAll(/^path "(.*)" { capabilities = \["read"\] }$/gm),
    ([, path = '']) => path,
  )
  const credentials = paths.filter((path) => !path.startsWith('auth/token/'))
  return policyReading(credentials).trim() === policy.trim() ? credentials : undefined
}
