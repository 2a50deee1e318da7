import { setTimeout as sleep } from 'node:timers/promises'
import { Module } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { InjectDataSource, TypeOrmModule } from '@nestjs/typeorm'
import { vaultDataSource } from '@vault-lease/typeorm'
import { Column, type DataSource, Entity, PrimaryColumn } from 'typeorm'
import { HealthController } from './health-controller.ts'
import { Items } from './items.ts'
import { ItemsController } from './items-controller.ts'

const { PGHOST: host = 'localhost', PGPORT: port = '5432', PGDATABASE: database = 'app' } = process.env

@Entity('items')
class Item {
  @PrimaryColumn({ type: 'int' })
  id!: number

  @Column({ type: 'text' })
  name!: string

  @Column({ type: 'int' })
  hits!: number
}

class TypeOrmItems implements Items {
  readonly pool: DataSource

  constructor(@InjectDataSource() dataSource: DataSource) {
    this.pool = dataSource
  }

  async nameOf(id: number): Promise<string | undefined> {
    return (await this.pool.manager.findOneBy(Item, { id }))?.name
  }

  hit(id: number, holdMs: number): Promise<unknown> {
    return this.pool.transaction(async (manager) => {
      await manager.findOneByOrFail(Item, { id })
      await sleep(holdMs)
      await manager.increment(Item, { id }, 'hits', 1)
    })
  }
}

@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      useFactory: () => ({
        ...vaultDataSource({ type: 'postgres', host, port: Number(port), database }),
        autoLoadEntities: true,
      }),
    }),
    TypeOrmModule.forFeature([Item]),
    TerminusModule,
  ],
  providers: [{ provide: Items, useClass: TypeOrmItems }],
  controllers: [ItemsController, HealthController],
})
export class AppModule {}
