import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { LeaseManager, vaultDataSource } from '@vault-lease/typeorm'
import { HealthController } from './health-controller.ts'
import { lease } from './lease.ts'
import { options } from './options.ts'
import { User } from './user.ts'
import { UsersController } from './users-controller.ts'

@Module({
  imports: [TypeOrmModule.forRoot(vaultDataSource({ ...options, lease })), TypeOrmModule.forFeature([User])],
  providers: [{ provide: LeaseManager, useValue: lease }],
  controllers: [UsersController, HealthController],
})
export class AppModule {}
