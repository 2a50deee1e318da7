import { isDeepStrictEqual } from 'node:util'
import { apiPath } from '@vault-lease/core/adapter'
import { stringify } from 'yaml'
import { openVault, type VaultApi } from '../vault/vault-api.ts'
import type { VaultFlags } from '../vault/vault-flags.ts'
import { type Fields, fieldText, normalised, unsetOf, type Values } from './fields.ts'
import { flat } from './found.ts'
import { pathsReadBy } from './policy.ts'
import { withoutPassword } from './report.ts'
import { recognised } from './templates/recognised.ts'
import { pluginNames } from './templates/templates.ts'
import * as vault from './vault-fields.ts'

type Data = Readonly<Record<string, unknown>>
type Section = Record<string, unknown>

/** The file that describes a server, and what of the server it has no place for. */
export async function fileFromServer(
  flags: VaultFlags & { readonly json?: true },
): Promise<{ readonly text: string; readonly leftOut: readonly string[] }> {
  await using api = openVault(flags)
  const reader = new ServerReader(api)
  const file = withoutEmpty({
    engines: await reader.engines(),
    policies: await reader.policies(),
    auth: await reader.auth(),
    audit: await reader.audit(),
  })
  return {
    text: flags.json ? JSON.stringify(file) : stringify(file, { lineWidth: 0 }),
    leftOut: reader.leftOut,
  }
}

class ServerReader {
  readonly leftOut: string[] = []
  readonly #api: VaultApi

  constructor(api: VaultApi) {
    this.#api = api
  }

  async engines(): Promise<Section> {
    return await this.#mounts('sys/mounts', ['database'], async (mount) => {
      const named = (
        list: string,
        write: (name: string, data: Data) => Section | undefined,
      ): Promise<Section> => this.#named(`${mount}/${list}`, write)
      const connections = await named('config', (name, data) =>
        this.#connection(`${mount}/config/${name}`, name, data),
      )
      return withoutEmpty({
        connections,
        roles: await named('roles', (_name, data) => roleOf(data, connections)),
        static_roles: await named('static-roles', (_name, data) => ofConnection(vault.staticRole, data)),
      })
    })
  }

  async policies(): Promise<Section> {
    return await this.#named('sys/policies/acl', (name, data) => {
      if (name === 'root' || name === 'default') return undefined
      const policy = String(data['policy'] ?? '')
      const read = pathsReadBy(policy)
      return read && read.length > 0 ? { read } : { rules: policy }
    })
  }

  async auth(): Promise<Section> {
    return await this.#mounts('sys/auth', vault.authTypes, async (mount, type) => {
      const known = vault.authTypes.find((known) => known === type) ?? 'approle'
      const config = known === 'approle' ? undefined : await this.#api.read(apiPath('auth', mount, 'config'))
      return withoutEmpty({
        ...(mount !== known && { type: known }),
        config:
          config && known !== 'approle'
            ? this.#authConfig(mount, written(vault.authConfig[known], config), config)
            : {},
        roles: await this.#named(`auth/${mount}/role`, (_name, data) => written(vault.authRole[known], data)),
      })
    })
  }

  async audit(): Promise<Section> {
    const devices = Object.entries((await this.#api.read('sys/audit')) ?? {})
    return Object.fromEntries(
      devices.map(([path, data]) => [
        path.replace(/\/$/, ''),
        written(vault.auditDevice, { ...asData(data) }),
      ]),
    )
  }

  #connection(path: string, name: string, data: Data): Section | undefined {
    const { allowed_roles: _derived, ...fields } = vault.connection
    const { plugin_name: plugin, connection_url: url, ...rest } = written(fields, flat(data))
    if (!pluginNames.some((known) => known === plugin)) {
      this.leftOut.push(`${path} is left out: there is no place for ${plugin}.`)
      return undefined
    }
    if (asTexts(data['allowed_roles']).some((role) => role.includes('*')))
      this.leftOut.push(`${path} allows roles by a pattern: by the file it allows those that it names.`)
    const variable = `${name.toUpperCase().replaceAll(/\W/g, '_')}_PASSWORD`
    const isRotated = asData(data['connection_details'])['root_rotated_at'] !== undefined
    return {
      plugin_name: plugin,
      connection_url: withLogin(String(url ?? '')),
      ...rest,
      password_env: /^\d/.test(variable) ? `_${variable}` : variable,
      ...(isRotated && { rotate_root: true }),
    }
  }

  #authConfig(mount: string, config: Section, data: Data): Section {
    if (data['token_reviewer_jwt_set'] === true)
      this.leftOut.push(
        `auth/${mount}/config has a token_reviewer_jwt, which Vault does not show: name its file.`,
      )
    return config
  }

  async #mounts(
    list: string,
    types: readonly string[],
    write: (mount: string, type: string) => Promise<Section>,
  ): Promise<Section> {
    const section: Section = {}
    for (const [path, data] of Object.entries((await this.#api.read(list)) ?? {})) {
      const mount = path.replace(/\/$/, '')
      const type = String(asData(data)['type'])
      if (types.includes(type)) section[mount] = await write(mount, type)
    }
    return section
  }

  async #named(path: string, write: (name: string, data: Data) => Section | undefined): Promise<Section> {
    const section: Section = {}
    for (const name of await this.#api.list(apiPath(path))) {
      const written = write(name, (await this.#api.read(apiPath(path, name))) ?? {})
      if (written) section[name] = written
    }
    return section
  }
}

/** By its template, when it is made by one. */
function roleOf(data: Data, connections: Section): Section {
  const role = ofConnection(vault.role, data)
  const pluginName = asData(connections[String(role['connection'])])['plugin_name']
  const plugin = pluginNames.find((plugin) => plugin === pluginName)
  const template = plugin && recognised(plugin, normalised(vault.role, data))
  if (!template) return role
  const {
    connection,
    creation_statements: _c,
    renew_statements: _r,
    revocation_statements: _v,
    ...rest
  } = role
  return { connection, ...template, ...rest }
}

function ofConnection(fields: Fields, data: Data): Section {
  const { db_name: connection, ...rest } = written(fields, data)
  return { connection, ...rest }
}

/** What is not as Vault has it by itself. */
function written(fields: Fields, data: Data): Section {
  const values: Values = normalised(fields, data)
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => {
      const value = values[name] ?? unsetOf(field)
      if (isDeepStrictEqual(value, unsetOf(field))) return []
      return [[name, field.kind === 'duration' ? fieldText(field, value) : value]]
    }),
  )
}

/** As a file has to have it: a login that stands in the URL is written as what Vault fills in. */
function withLogin(url: string): string {
  return withoutPassword(url).replace('(hidden)@', '{{username}}:{{password}}@')
}

function withoutEmpty(section: Section): Section {
  return Object.fromEntries(
    Object.entries(section).filter(
      ([, value]) => Object.keys(asData(value)).length > 0 || typeof value === 'string',
    ),
  )
}

function asTexts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function asData(value: unknown): Data {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
