const vault = 'https://developer.hashicorp.com/vault/docs'

/** Where Vault and the databases write about what the checks look at. */
export const links = {
  address: `${vault}/commands#environment-variables`,
  seal: `${vault}/concepts/seal`,
  tokens: `${vault}/concepts/tokens`,
  policies: `${vault}/concepts/policies`,
  leases: `${vault}/concepts/lease`,
  databases: `${vault}/secrets/databases`,
  roles: 'https://developer.hashicorp.com/vault/api-docs/secret/databases#create-role',
  postgresConnections: 'https://www.postgresql.org/docs/current/runtime-config-connection.html',
  postgresMembership: 'https://www.postgresql.org/docs/current/role-membership.html',
  postgresDropRole: 'https://www.postgresql.org/docs/current/role-removal.html',
} as const
