import { usersService } from '../../../test/examples/users-service.ts'

usersService('knex-postgres', 'postgresql')
