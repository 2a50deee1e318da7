import { setTimeout as sleep } from 'node:timers/promises'
import { Global, Module, type OnApplicationShutdown } from '@nestjs/common'
import {
  getConnectionToken,
  InjectConnection,
  InjectModel,
  MongooseModule,
  Prop,
  Schema,
  SchemaFactory,
} from '@nestjs/mongoose'
import { TerminusModule } from '@nestjs/terminus'
import { vaultConnect } from '@vault-lease/mongoose'
import mongoose, { type Connection, type Model } from 'mongoose'
import { HealthController } from './health-controller.ts'
import { Items } from './items.ts'
import { ItemsController } from './items-controller.ts'

const { MONGODB_URI: uri = 'mongodb://localhost/app' } = process.env

/** In place of MongooseModule.forRoot(), which connects by itself. */
@Global()
@Module({
  providers: [
    { provide: getConnectionToken(), useFactory: () => vaultConnect(mongoose.createConnection(), uri) },
  ],
  exports: [getConnectionToken()],
})
class DatabaseModule implements OnApplicationShutdown {
  readonly #connection: Connection

  constructor(@InjectConnection() connection: Connection) {
    this.#connection = connection
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#connection.close()
  }
}

@Schema({ collection: 'items' })
class Item {
  @Prop({ type: Number })
  _id!: number

  @Prop({ type: String })
  name!: string

  @Prop({ type: Number })
  hits!: number
}

class MongooseItems implements Items {
  readonly pool: Connection
  readonly #items: Model<Item>

  constructor(@InjectConnection() connection: Connection, @InjectModel(Item.name) items: Model<Item>) {
    this.pool = connection
    this.#items = items
  }

  async nameOf(id: number): Promise<string | undefined> {
    return (await this.#items.findById(id).lean())?.name
  }

  hit(id: number, holdMs: number): Promise<unknown> {
    return this.pool.transaction(async (session) => {
      await this.#items.findById(id).session(session).orFail()
      await sleep(holdMs)
      await this.#items.updateOne({ _id: id }, { $inc: { hits: 1 } }, { session })
    })
  }
}

@Module({
  imports: [
    DatabaseModule,
    MongooseModule.forFeature([{ name: Item.name, schema: SchemaFactory.createForClass(Item) }]),
    TerminusModule,
  ],
  providers: [{ provide: Items, useClass: MongooseItems }],
  controllers: [ItemsController, HealthController],
})
export class AppModule {}
