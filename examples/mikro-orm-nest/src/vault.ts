import { appRole, type VaultOptions } from '@vault-lease/mikro-orm'

/** VAULT_ADDR and VAULT_TOKEN are read by the library; an AppRole is our own choice of how to log in. */
export function vault(env: NodeJS.ProcessEnv = process.env): VaultOptions {
  const { APPROLE_ROLE_ID: roleId, APPROLE_SECRET_ID_FILE: secretIdFile, APPROLE_MOUNT: mount } = env
  return roleId ? { auth: appRole({ roleId, secretIdFile, mount }) } : {}
}
