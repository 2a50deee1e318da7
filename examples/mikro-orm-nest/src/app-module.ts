import { MikroOrmModule } from '@mikro-orm/nestjs'
import { Module } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { vaultMikroOrm } from '@vault-lease/mikro-orm'
import { HealthController } from './health-controller.ts'
import { options } from './options.ts'
import { User } from './user.ts'
import { UsersController } from './users-controller.ts'
import { UsersService } from './users-service.ts'

@Module({
  imports: [
    MikroOrmModule.forRoot(vaultMikroOrm(options)),
    MikroOrmModule.forFeature([User]),
    TerminusModule,
  ],
  providers: [UsersService],
  controllers: [UsersController, HealthController],
})
export class AppModule {}
