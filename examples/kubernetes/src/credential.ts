import { type AdapterOptions, kubernetes } from '@vault-lease/pg'

/** Where the credential comes from is what the manifest says; nothing else of the application depends on it. */
export function credential(env: NodeJS.ProcessEnv = process.env): AdapterOptions {
  const { DB_CREDENTIAL_FILE: credentialFile, VAULT_KUBERNETES_ROLE: role, VAULT_JWT_FILE: tokenFile } = env
  if (credentialFile) return { credentialFile }
  if (role) return { vault: { auth: kubernetes({ role, tokenFile, audience: 'vault' }) } }
  // VAULT_AGENT_ADDR: a Proxy beside the application, which adds its own token.
  return {}
}
