import { isDeepStrictEqual } from 'node:util'
import { InvalidOptionError } from '@vault-lease/core'
import { apiPath } from '@vault-lease/core/adapter'
import type { VaultApi } from '../vault/vault-api.ts'
import { unsetOf, type Values } from './fields.ts'
import type { Change } from './plan.ts'
import { secretAt } from './secret.ts'
import type { Wanted } from './wanted.ts'

/** What applying needs beside the plan. */
export interface Applying {
  readonly vault: VaultApi
  /** Has a role give a credential, and take it back. Rejects when it does not. */
  prove(role: { readonly mount: string; readonly name: string }): Promise<void>
}

/**
 * Does one thing. A role that gives no credential is not left behind: what was there before is there again.
 *
 * @throws VaultLeaseError when it could not be done.
 */
export async function apply(change: Change, { vault, prove }: Applying): Promise<void> {
  const { wanted, action } = change
  if (action === 'rotate') return await rotate(wanted, vault)
  if (action === 'change' && wanted.kind === 'audit device')
    throw new InvalidOptionError(
      'Vault cannot change an audit device: disable this one, or write here what it has.',
    )
  await vault.write(apiPath(wanted.path), bodyOf(change))
  if (wanted.kind !== 'role') return
  try {
    await prove(roleAt(wanted.path))
  } catch (error) {
    await takeBack(change, vault)
    throw error
  }
}

/** What is sent. Empty fields are left out of what is new: not every database and server knows all of them. */
function bodyOf({ wanted, found }: Pick<Change, 'wanted' | 'found'>): Values {
  const { secret } = wanted
  const isSent = secret && (!found || secret.sent === 'always')
  return { ...valuesToSend(wanted, found), ...(isSent && secretField(secret)) }
}

/** What Vault has by itself is left out, where nobody has changed it: not every database and server knows all fields. */
export function valuesToSend({ fields, values }: Wanted, found?: Values): Values {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => {
      const unset = unsetOf(field)
      const value = values[name] ?? unset
      const isUnset = isDeepStrictEqual(value, unset) && isDeepStrictEqual(found?.[name] ?? unset, unset)
      return isUnset ? [] : [[name, value]]
    }),
  )
}

function secretField({ field, place }: NonNullable<Wanted['secret']>): Values {
  const read = secretAt(place)
  if ('missing' in read) throw new InvalidOptionError(read.missing)
  return { [field]: read.secret }
}

/** The password is another before it is remembered that it is: at worst Vault changes once more what it alone knows. */
async function rotate({ path }: Wanted, vault: VaultApi): Promise<void> {
  await vault.write(apiPath(path.replace('/config/', '/rotate-root/')))
  await vault.write(apiPath(path), { root_rotated_at: new Date().toISOString() })
}

async function takeBack({ wanted, found }: Change, vault: VaultApi): Promise<void> {
  if (found) await vault.write(apiPath(wanted.path), found)
  else await vault.remove(apiPath(wanted.path))
}

function roleAt(path: string): { mount: string; name: string } {
  const [, mount = '', name = ''] = /^(.+)\/roles\/([^/]+)$/.exec(path) ?? []
  return { mount, name }
}
