import { usersService } from '../../../test/examples/users-service.ts'

usersService('prisma-mysql', 'mysql')
