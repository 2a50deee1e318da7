import { setTimeout as sleep } from 'node:timers/promises'
import { Module } from '@nestjs/common'
import { InjectConnection, SequelizeModule } from '@nestjs/sequelize'
import { TerminusModule } from '@nestjs/terminus'
import { vaultSequelize } from '@vault-lease/sequelize'
import { Column, DataType, Model, type Sequelize, Table } from 'sequelize-typescript'
import { HealthController } from './health-controller.ts'
import { Items } from './items.ts'
import { ItemsController } from './items-controller.ts'

const { PGHOST: host = 'localhost', PGPORT: port = '5432', PGDATABASE: database = 'app' } = process.env

@Table({ tableName: 'items', timestamps: false })
class Item extends Model {
  @Column({ type: DataType.INTEGER, primaryKey: true })
  declare id: number

  @Column({ type: DataType.TEXT })
  declare name: string

  @Column({ type: DataType.INTEGER })
  declare hits: number
}

class SequelizeItems implements Items {
  readonly pool: Sequelize

  constructor(@InjectConnection() sequelize: Sequelize) {
    this.pool = sequelize
  }

  async nameOf(id: number): Promise<string | undefined> {
    return (await Item.findByPk(id))?.name
  }

  hit(id: number, holdMs: number): Promise<unknown> {
    return this.pool.transaction(async (transaction) => {
      const item = await Item.findByPk(id, { transaction, rejectOnEmpty: true })
      await sleep(holdMs)
      await item.increment('hits', { transaction })
    })
  }
}

@Module({
  imports: [
    SequelizeModule.forRootAsync({
      useFactory: () => ({
        ...vaultSequelize({ dialect: 'postgres', host, port: Number(port), database, logging: false }),
        autoLoadModels: true,
        synchronize: false,
        // A retry would be a Sequelize of its own, and only the last is closed.
        retryAttempts: 0,
      }),
    }),
    SequelizeModule.forFeature([Item]),
    TerminusModule,
  ],
  providers: [{ provide: Items, useClass: SequelizeItems }],
  controllers: [ItemsController, HealthController],
})
export class AppModule {}
