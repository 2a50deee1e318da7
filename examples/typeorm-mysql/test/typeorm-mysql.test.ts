import { usersService } from '../../../test/examples/users-service.ts'

usersService('typeorm-mysql', 'mysql')
