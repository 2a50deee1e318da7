import type { VaultApi } from '../vault/vault-api.ts'
import { capabilitiesOf } from './capabilities.ts'
import type { Examination } from './examination.ts'
import { type Finding, failed, ok, skipped, warning } from './finding.ts'
import { links } from './links.ts'
import type { Origin } from './origin.ts'

const group = 'Policy'

interface Need {
  readonly check: string
  readonly path: string
  readonly capability: 'read' | 'update'
  readonly without: 'failed' | 'warning'
  readonly why: string
}

/** What an application does with its token. */
function needsOf({ credentialPath, isStatic }: Origin, mayLogIn: boolean): Need[] {
  const credential: Need = {
    check: 'credentials',
    path: credentialPath,
    capability: 'read',
    without: 'failed',
    why: 'without it there is no credential',
  }
  const leases: Need[] = [
    {
      check: 'renewals',
      path: 'sys/leases/renew',
      capability: 'update',
      without: 'warning',
      why: 'without it every lease is replaced at two thirds of its TTL, and none is shortened before its pool drains',
    },
    {
      check: 'revocations',
      path: 'sys/leases/revoke',
      capability: 'update',
      without: 'warning',
      why: 'without it users that were replaced live until their leases end',
    },
  ]
  const token: Need = {
    check: 'token renewal',
    path: 'auth/token/renew-self',
    capability: 'update',
    without: 'warning',
    why: 'without it the token dies at the end of its TTL, and its leases with it',
  }
  return [credential, ...(isStatic ? [] : leases), ...(mayLogIn ? [] : [token])]
}

/** What the policies of the token allow. Asks Vault, and does none of it. */
export async function checkPolicy(
  examination: Examination,
  vault: VaultApi,
  origin: Origin,
  mayLogIn: boolean,
): Promise<boolean> {
  const needs = needsOf(origin, mayLogIn)
  const allowed = await capabilitiesOf(
    vault,
    needs.map(({ path }) => path),
  )
  if (!allowed) {
    examination.note(
      group,
      'capabilities',
      skipped('no policy lets the token ask for them (sys/capabilities-self)'),
    )
    return true
  }
  const results = needs.map((need) =>
    examination.note(group, need.check, findingOf(need, allowed[need.path])),
  )
  return results.every(Boolean)
}

function findingOf({ path, capability, without, why }: Need, allowed: readonly string[] = []): Finding {
  if (allowed.includes(capability) || allowed.includes('root')) return ok(`${capability} on ${path}`)
  const report = without === 'failed' ? failed : warning
  return report(
    `no ${capability} on ${path}: ${why}`,
    `Add to its policy: path "${decodeURIComponent(path)}" { capabilities = ["${capability}"] }`,
    links.policies,
  )
}
