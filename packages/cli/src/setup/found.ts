import { apiPath } from '@vault-lease/core/adapter'
import type { VaultApi } from '../vault/vault-api.ts'
import { normalised, type Values } from './fields.ts'
import type { Wanted } from './wanted.ts'

type Data = Readonly<Record<string, unknown>>

/** What a server has of the objects of a file. Lists that many of them are in are asked for once. */
export class FoundObjects {
  readonly #vault: VaultApi
  readonly #lists = new Map<string, Promise<Data>>()

  constructor(vault: VaultApi) {
    this.#vault = vault
  }

  /** The values of the fields that a file has; `undefined` when it is not there. */
  async valuesOf({ path, fields }: Pick<Wanted, 'path' | 'fields'>): Promise<Values | undefined> {
    const data = await this.#dataAt(path)
    return data && normalised(fields, data)
  }

  async #dataAt(path: string): Promise<Data | undefined> {
    const [, list, name = ''] = /^(sys\/(?:mounts|auth|audit))\/(.+)$/.exec(path) ?? []
    if (list !== undefined) return asData((await this.#list(list))[`${name}/`])
    const data = await this.#vault.read(apiPath(path))
    return data && flat(data)
  }

  async #list(path: string): Promise<Data> {
    const list = this.#lists.get(path) ?? this.#vault.read(path).then((data) => data ?? {})
    this.#lists.set(path, list)
    return await list
  }
}

/** A connection has a part of its fields one level deeper, and one of them by another name than it is written by. */
export function flat(data: Data): Data {
  const { connection_details: details, root_credentials_rotate_statements: rotation, ...rest } = data
  return {
    ...rest,
    ...asData(details),
    ...(rotation !== undefined && { root_rotation_statements: rotation }),
  }
}

function asData(value: unknown): Data | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined
}
