import 'reflect-metadata'
import { Test } from '@nestjs/testing'
import { getRepositoryToken, TypeOrmModule } from '@nestjs/typeorm'
import type { Repository } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { vaultDataSource } from '../src/vault-data-source.ts'
import { type Item, Items, type Servers, startServers } from './servers.ts'

describe.each(['postgres', 'mysql'] as const)('Nest on vaultDataSource() for %s', (type) => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers(type)
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it('has its repositories, and closing the application leaves nothing', async () => {
    const vault = await servers.vaultOptions()
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({
          ...vaultDataSource({ type, vault, role: 'app', ...servers.place }),
          autoLoadEntities: true,
        }),
        TypeOrmModule.forFeature([Items]),
      ],
    }).compile()
    const items: Repository<Item> = module.get(getRepositoryToken(Items))
    await items.insert({ name: 'nested' })
    expect(await items.countBy({ name: 'nested' })).toBe(1)
    expect(await servers.engine.users()).toHaveLength(1)
    await module.close()
    expect(await servers.engine.users()).toEqual([])
    expect(await servers.engine.leases('app')).toEqual([])
  })
})
