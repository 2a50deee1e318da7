import type { DataSource } from 'typeorm'

type CacheOption = DataSource['options']['cache']
export type CacheOptions = Exclude<NonNullable<CacheOption>, boolean>
type Provider = NonNullable<CacheOptions['provider']>

/**
 * A `cache` that means the same as the caller's, and tells for which DataSource it is: `cache.provider` is the one option
 * that TypeORM gives the DataSource to which it belongs, while it makes it.
 *
 * A module of ours as its option `driver` would not do: pools hear of destroy() when TypeORM has already taken their connections
 * from whoever is at work, and nothing of an initialize() that fails; and it would have to find the copy that TypeORM loads.
 */
export function tellingCache(cache: CacheOption, tell: (dataSource: DataSource) => void): CacheOptions {
  const telling: CacheOptions = {
    ...(typeof cache === 'object' && cache),
    provider: (dataSource) => {
      tell(dataSource)
      dataSource.setOptions({ cache: cache ?? false })
      Object.assign(dataSource.options, { cache: telling })
      // TypeORM knows a DataSource without a cache, but not a provider of none.
      return dataSource.queryResultCache as ReturnType<Provider>
    },
  }
  return telling
}
