import { usersService } from '../../../test/examples/users-service.ts'

usersService('kysely-fastify', 'postgresql')
