import { usersService } from '../../../test/examples/users-service.ts'

usersService('typeorm-postgres', 'postgresql')
